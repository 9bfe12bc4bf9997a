import { rowOf } from '../../objects/rows.ts'
import type { KubeObject, ObjectRow } from '../../objects/types.ts'
import { apiVersionOf, type Served } from '../catalog.ts'
import { type ConversionWebhook, readKept } from '../custom/conversion-webhook.ts'
import type { Converter } from './converter.ts'

/** How much goes into one question. */
const ROWS_MAX = 500
const BYTES_MAX = 2 * 1024 * 1024

/** How many answers are remembered for each version of a kind, and how many bytes of objects they are of. */
const REMEMBERED_MAX = 2_048
const REMEMBERED_BYTES_MAX = 8 * 1024 * 1024

/** The rows of one version of a kind: who watches it and who lists it share what was converted. */
export class ConvertedRows {
  readonly #webhook: ConversionWebhook
  readonly #served: Pick<Served, 'group' | 'version' | 'kind' | 'listKind'>
  readonly #converter: Converter
  /** By uid and resourceVersion, the oldest first. Those that are on their way are in it too. */
  readonly #known = new Map<string, Remembered>()
  #bytes = 0

  constructor(
    webhook: ConversionWebhook,
    served: Pick<Served, 'group' | 'version' | 'kind' | 'listKind'>,
    converter: Converter,
  ) {
    this.#webhook = webhook
    this.#served = served
    this.#converter = converter
  }

  /**
   * Kept rows as this version shows them, in their order.
   *
   * @throws StatusError 500 when the webhook does not answer as it should.
   */
  async convert(rows: readonly ObjectRow[]): Promise<readonly ObjectRow[]> {
    const found = rows.map((row) => this.#known.get(keyOf(row))?.row)
    const missing = rows.filter((_row, index) => found[index] === undefined)
    const asked = new Map<ObjectRow, Promise<ObjectRow>>()
    let last: Promise<readonly ObjectRow[]> | undefined
    for (const page of pagesOf(missing)) {
      // One question at a time; who comes meanwhile waits for these.
      const answer = last === undefined ? this.#ask(page) : last.then(() => this.#ask(page))
      last = answer
      for (const [index, row] of page.entries()) {
        const one = answer.then((converted) => converted[index] ?? row)
        asked.set(row, one)
        this.#remember(row, one)
      }
    }
    return await Promise.all(
      rows.map((row, index) => found[index] ?? asked.get(row) ?? Promise.resolve(row)),
    )
  }

  async #ask(page: readonly ObjectRow[]): Promise<readonly ObjectRow[]> {
    const objects = page.map((row) => readKept(this.#webhook, row.object))
    const { kind, listKind = `${kind}List` } = this.#served
    const apiVersion = apiVersionOf(this.#served)
    const list = page.length === 1 ? undefined : listKind
    const converted = await this.#converter.convert(this.#webhook, objects, apiVersion, list)
    return converted.map(rowOf)
  }

  #remember(row: ObjectRow, converted: Promise<ObjectRow>): void {
    const key = keyOf(row)
    const bytes = row.size
    this.#forget(key)
    this.#known.set(key, { row: converted, bytes })
    this.#bytes += bytes
    converted.catch(() => {
      if (this.#known.get(key)?.row === converted) this.#forget(key)
    })
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= REMEMBERED_MAX && this.#bytes <= REMEMBERED_BYTES_MAX) break
      this.#forget(oldest)
    }
  }

  #forget(key: string): void {
    const known = this.#known.get(key)
    if (known === undefined) return
    this.#known.delete(key)
    this.#bytes -= known.bytes
  }
}

interface Remembered {
  readonly row: Promise<ObjectRow>
  readonly bytes: number
}

function keyOf({ head }: ObjectRow): string {
  const { uid = '', resourceVersion = '' }: KubeObject['metadata'] = head.metadata
  return `${uid} ${resourceVersion}`
}

/** Rows in pages of which each is one question. */
function* pagesOf(rows: readonly ObjectRow[]): Generator<readonly ObjectRow[]> {
  let page: ObjectRow[] = []
  let bytes = 0
  for (const row of rows) {
    const size = row.size
    if (page.length > 0 && (page.length >= ROWS_MAX || bytes + size > BYTES_MAX)) {
      yield page
      page = []
      bytes = 0
    }
    page.push(row)
    bytes += size
  }
  if (page.length > 0) yield page
}
