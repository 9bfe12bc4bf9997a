import type { CollectionId, DocumentId } from '../ids.ts'
import { packEvents } from '../log/entry.ts'
import { homeOf } from '../log/homes.ts'
import type { WireEntry } from '../sync/io.ts'
import { ENTRY_BYTES_MAX } from '../sync/limits.ts'
import type { Delivery, DeliveryAnswer, DeliveryCursor } from '../sync/reconcile-steps.ts'
import type { LinkView } from './link-digest.ts'
import { type NamedEntry, namedEntries, splitNames } from './reconcile-entries.ts'

/** How much of {@link ENTRY_BYTES_MAX} the events of a join may take, with the heads between them. */
const JOIN_BYTES_MAX = ENTRY_BYTES_MAX - (1 << 16)

/** Reads the entries that a peer lacks, page by page. */
export class DeliveryReader {
  /** What the last page left of its document. */
  #last: { readonly delivery: Delivery; readonly entries: readonly WireEntry[] } | undefined

  async read(
    view: LinkView,
    deliveries: readonly Delivery[],
    after: DeliveryCursor,
    bytesMax: number,
  ): Promise<DeliveryAnswer> {
    const page: WireEntry[] = []
    let bytes = 0
    let { index, entries: done } = after
    for (; index < deliveries.length; index += 1) {
      const delivery = deliveries[index]
      if (delivery === undefined) break
      const entries = await this.#entries(view, delivery)
      for (; done < entries.length; done += 1) {
        const entry = entries[done]
        if (entry === undefined) break
        if (page.length > 0 && bytes >= bytesMax)
          return { entries: page, next: { index, entries: done } }
        bytes += entry.bytes.length
        page.push(entry)
      }
      done = 0
    }
    this.#last = undefined
    return { entries: page, next: undefined }
  }

  async #entries(view: LinkView, delivery: Delivery): Promise<readonly WireEntry[]> {
    if (this.#last?.delivery === delivery) return this.#last.entries
    const entries = await wireEntries(view, delivery)
    this.#last = { delivery, entries }
    return entries
  }
}

async function wireEntries(view: LinkView, delivery: Delivery): Promise<readonly WireEntry[]> {
  const { document, collection, whole } = delivery
  const record = await view.log.record(document)
  const home = homeOf(record)
  if (record === undefined) return []
  const { generation, moves = 0 } = record
  const bytes = new Uint8Array(0)
  const leave = { kind: 'leave', document, collection, generation, bytes, moves } as const
  if (home === undefined) return whole ? [leave] : []
  if (home !== collection && !(whole && view.granted.includes(home))) {
    return whole ? [leave] : []
  }
  const named = await namedEntries(view, document, record)
  const wanted = delivery.names === undefined ? undefined : splitNames(delivery.names)
  const chosen = wanted === undefined ? named : named.filter(({ name }) => wanted.has(name))
  const place = { document, collection: home, generation, moves }
  return whole ? joined(place, chosen) : chosen.map((entry) => wire(place, entry))
}

interface Place {
  readonly document: DocumentId
  readonly collection: CollectionId
  readonly generation: number
  readonly moves: number
}

function wire({ moves, ...place }: Place, { kind, bytes }: NamedEntry): WireEntry {
  return kind === 'base' ? { kind, ...place, bytes, moves } : { kind, ...place, bytes }
}

/** A join with the base and as many events as fit, then the rest one by one. */
function joined(place: Place, named: readonly NamedEntry[]): readonly WireEntry[] {
  const base = named.find(({ kind }) => kind === 'base')
  const packed: Uint8Array[] = base === undefined ? [] : [base.bytes]
  const rest: NamedEntry[] = []
  let bytes = base?.bytes.length ?? 0
  for (const entry of named) {
    if (entry === base) continue
    bytes += entry.bytes.length + 8
    if (entry.kind === 'event' && bytes <= JOIN_BYTES_MAX) packed.push(entry.bytes)
    else rest.push(entry)
  }
  const join: WireEntry = { kind: 'join', ...place, bytes: packEvents(packed) }
  return [join, ...rest.map((entry) => wire(place, entry))]
}
