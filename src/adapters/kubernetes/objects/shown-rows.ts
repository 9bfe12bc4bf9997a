import { concatBytes, equalBytes, toHex, utf8 } from '../../../core/bytes.ts'
import {
  type DocumentRecord,
  freeze,
  type JsonMap,
  type Projection,
  type ProjectionRow,
} from '../../../core/index.ts'
import type { KubeObject, ObjectRow } from './types.ts'

/** Raised when an object is assembled in another way: older rows no longer hold. */
const VERSION = 1

/** The name of the projection. */
export const SHOWN_ROWS: string = `objects/${VERSION}`

/** What an object was made of: it is the same as long as both digests are. */
export interface Sources {
  readonly desired: DocumentRecord
  readonly observed: DocumentRecord | undefined
}

/** The digests of sources in hex: what is remembered of them for each object. */
export interface SourceDigests {
  readonly desired: string
  readonly observed?: string | undefined
}

interface Row extends SourceDigests {
  readonly object: KubeObject
}

const END = utf8('}')

/**
 * The objects as they were last shown, so that a start does not open every document: one row an object,
 * under the id of its desired document, in the order of those ids.
 */
export class ShownRows {
  readonly #projection: Projection
  #rows: AsyncIterator<ProjectionRow> | undefined
  #next: ProjectionRow | undefined

  constructor(projection: Projection) {
    this.#projection = projection
  }

  /** Begins to hand out what was kept. */
  async start(): Promise<void> {
    this.#rows = this.#projection.rows()[Symbol.asyncIterator]()
    await this.#advance()
  }

  /**
   * The row of a document. To be asked in order of id; rows that are passed over belong to nothing any
   * more and are deleted.
   */
  async take(id: string): Promise<Uint8Array | undefined> {
    while (this.#next !== undefined && isBefore(this.#next.key, id)) {
      this.#projection.delete(this.#next.key)
      await this.#advance()
    }
    if (this.#next?.key !== id) return undefined
    const { value } = this.#next
    await this.#advance()
    return value
  }

  /** Deletes the rows behind the last document. */
  async finish(): Promise<void> {
    while (this.#next !== undefined) {
      this.#projection.delete(this.#next.key)
      await this.#advance()
    }
  }

  /** @param row the object, which is shown anyway: nothing else is held until it is written. */
  keep(id: string, { desired, observed }: SourceDigests, row: Pick<ObjectRow, 'parts'>): void {
    const head = `${JSON.stringify({ desired, observed }).slice(0, -1)},"object":`
    this.#projection.put(id, () => concatBytes([utf8(head), ...row.parts, END]))
  }

  drop(id: string): void {
    this.#projection.delete(id)
  }

  async #advance(): Promise<void> {
    const step = await this.#rows?.next()
    this.#next = step === undefined || step.done === true ? undefined : step.value
  }
}

/** The object of a row, at its newest position; undefined when its documents have changed since. */
export function objectOf(bytes: Uint8Array, sources: Sources): KubeObject | undefined {
  const row = parse(bytes)
  const { desired, observed } = sources
  const now = digestsOf(sources)
  const holds = row !== undefined && row.desired === now.desired && row.observed === now.observed
  if (!holds) return undefined
  const resourceVersion = String(Math.max(desired.last, observed?.last ?? 0))
  const { metadata } = row.object
  const { managedFields, ...rest } = metadata
  const sorted = {
    ...rest,
    resourceVersion,
    ...(managedFields === undefined ? {} : { managedFields }),
  }
  return freeze({ ...row.object, metadata: sorted } as unknown as JsonMap) as unknown as KubeObject
}

/** What is remembered of sources. */
export function digestsOf({ desired, observed }: Sources): SourceDigests {
  return {
    desired: toHex(desired.digest),
    observed: observed === undefined ? undefined : toHex(observed.digest),
  }
}

/** Whether nothing was added to or taken from the documents between two looks. */
export function sameSources(a: Sources, b: Sources): boolean {
  return sameRecord(a.desired, b.desired) && sameRecord(a.observed, b.observed)
}

function sameRecord(a: DocumentRecord | undefined, b: DocumentRecord | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return equalBytes(a.digest, b.digest)
}

/** Rows can be lost or damaged at any time: what cannot be read is not there. */
function parse(bytes: Uint8Array): Row | undefined {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as Row
  } catch {
    return undefined
  }
}

/**
 * About the order in which a storage gives keys, that of their UTF-8 bytes. Where the two differ, in
 * characters past U+FFFF, a row is passed over and made again.
 */
function isBefore(a: string, b: string): boolean {
  return a < b
}
