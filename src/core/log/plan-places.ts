import { fromHex } from '../bytes.ts'
import type { ActorId, DocumentId, EventHash } from '../ids.ts'
import type { Put } from '../interfaces/storage.ts'
import { sequenceKey } from './keys.ts'
import type { PlaceChanges } from './known-places.ts'
import { BLOCK_PLACES, blockKey, blockStart, putBlock } from './place-blocks.ts'
import type { PlanView } from './plan-view.ts'
import type { CheckedEvent } from './submission.ts'

/** `undefined` as a value: what stands at this place is forgotten. */
type Written = Map<number, EventHash | undefined>

/** Which places one plan takes and frees, and how they come to stand in the storage. */
export class PlanPlaces implements PlaceChanges {
  readonly #written = new Map<DocumentId, Map<ActorId, Written>>()
  readonly #taken = new Map<DocumentId, CheckedEvent[]>()
  readonly #forgotten = new Set<DocumentId>()
  readonly #view: Pick<PlanView, 'place'>

  constructor(view: Pick<PlanView, 'place'>) {
    this.#view = view
  }

  get taken(): ReadonlyMap<DocumentId, readonly CheckedEvent[]> {
    return this.#taken
  }

  get forgotten(): ReadonlySet<DocumentId> {
    return this.#forgotten
  }

  /** What stands at a place by now. */
  at(document: DocumentId, actor: ActorId, sequence: number): EventHash | undefined {
    const written = this.#written.get(document)?.get(actor)
    if (written?.has(sequence) === true) return written.get(sequence)
    return this.#view.place(document, actor, sequence)
  }

  take(document: DocumentId, event: CheckedEvent): void {
    const { actor, sequence, hash } = event.header
    this.#writtenBy(document, actor).set(sequence, hash)
    const taken = this.#taken.get(document)
    if (taken === undefined) this.#taken.set(document, [event])
    else taken.push(event)
  }

  forget(document: DocumentId, { header }: CheckedEvent): void {
    this.#forgotten.add(document)
    this.#writtenBy(document, header.actor).set(header.sequence, undefined)
  }

  /** What this plan added to a document is among what was kept of it, or counts no more. */
  dropTaken(document: DocumentId): void {
    this.#taken.delete(document)
  }

  /**
   * What is written of them. A block is written where all of its places are taken at once, so that a place never stands
   * under two keys; it comes apart when one of its places is free again.
   *
   * @param eventsOf - the events that count in a document where places are free again.
   */
  puts(eventsOf: (document: DocumentId) => readonly CheckedEvent[]): readonly Put[] {
    const puts: Put[] = []
    for (const [document, actors] of this.#written) {
      const isApart = this.#forgotten.has(document)
      if (isApart) this.#takeApart(document, eventsOf(document), puts)
      for (const [actor, written] of actors) {
        const blocks = isApart ? NO_BLOCKS : fullBlocks(written)
        for (const [sequence, hash] of written) {
          const start = blockStart(sequence)
          const block = blocks.get(start)
          if (block === undefined) puts.push(putPlace(document, actor, sequence, hash))
          else if (sequence === start) puts.push(putBlock(document, actor, start, block))
        }
      }
    }
    return puts
  }

  /** The blocks of places that are free again are no more: what is left of them stands alone. */
  #takeApart(document: DocumentId, left: readonly CheckedEvent[], puts: Put[]): void {
    const broken = new Set<string>()
    for (const [actor, written] of this.#written.get(document) ?? []) {
      for (const sequence of written.keys()) broken.add(blockKey(document, actor, sequence))
    }
    for (const key of broken) puts.push({ key, value: undefined })
    for (const { header } of left) {
      const { actor, sequence, hash } = header
      if (broken.has(blockKey(document, actor, sequence)))
        puts.push(putPlace(document, actor, sequence, hash))
    }
  }

  #writtenBy(document: DocumentId, actor: ActorId): Written {
    let actors = this.#written.get(document)
    if (actors === undefined) {
      actors = new Map()
      this.#written.set(document, actors)
    }
    let written = actors.get(actor)
    if (written === undefined) {
      written = new Map()
      actors.set(actor, written)
    }
    return written
  }
}

type Blocks = ReadonlyMap<number, readonly EventHash[]>

const NO_BLOCKS: Blocks = new Map()

/** The blocks of which all places are written, by their first place. */
function fullBlocks(written: Written): Blocks {
  if (written.size < BLOCK_PLACES) return NO_BLOCKS
  const counts = new Map<number, number>()
  for (const sequence of written.keys()) {
    const start = blockStart(sequence)
    counts.set(start, (counts.get(start) ?? 0) + 1)
  }
  const blocks = new Map<number, readonly EventHash[]>()
  for (const [start, count] of counts) {
    if (count < BLOCK_PLACES) continue
    blocks.set(
      start,
      Array.from({ length: BLOCK_PLACES }, (_, index) => written.get(start + index) ?? ''),
    )
  }
  return blocks
}

function putPlace(
  document: DocumentId,
  actor: ActorId,
  sequence: number,
  hash: EventHash | undefined,
): Put {
  const key = sequenceKey(document, actor, sequence)
  return { key, value: hash === undefined ? undefined : fromHex(hash) }
}
