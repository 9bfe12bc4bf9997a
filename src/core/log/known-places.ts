import type { ActorId, DocumentId, EventHash } from '../ids.ts'
import type { Storage } from '../interfaces/storage.ts'
import type { EventHeader } from './event.ts'
import { sequencePrefix } from './keys.ts'
import { placesUnder } from './place-blocks.ts'
import type { CheckedEvent } from './submission.ts'

/** Documents that are followed. The one that was looked at first makes room. */
const DOCUMENTS_MAX = 4_096

/** Writers of one document that are followed: one with more is looked up each time. */
const ACTORS_MAX = 64

/** Keys of places that are read to follow a document: one with more is looked up each time. */
const PLACES_READ_MAX = 256

/** The newest place of a writer in a document, and what stands there. */
interface Tip {
  readonly sequence: number
  readonly hash: EventHash
}

/** What a plan does to places. */
export interface PlaceChanges {
  /** Events that came to stand at places, by document. */
  readonly taken: ReadonlyMap<DocumentId, readonly CheckedEvent[]>
  /** Documents of which places are free again. */
  readonly forgotten: ReadonlySet<DocumentId>
}

/**
 * How far each writer has come in the documents that are written to now, so that a new event is known to be
 * new without a look into the storage. Of a document that is followed, all writers are known.
 */
export class KnownPlaces {
  /** `undefined` as a value: there is too much of it to be followed. */
  readonly #documents = new Map<DocumentId, Map<ActorId, Tip> | undefined>()

  /** Whether the document is followed, or never will be. */
  has(document: DocumentId): boolean {
    return this.#documents.has(document)
  }

  /** Nothing of the document is here. */
  begin(document: DocumentId): void {
    this.#follow(document, new Map())
  }

  /** Reads which places of a document are taken. Never rejects: who cannot read all of them looks each up. */
  async load(storage: Storage, document: DocumentId): Promise<void> {
    const tips = await readTips(storage, document).catch(() => undefined)
    this.#follow(document, tips)
  }

  /** What stands at a place; `free` when nothing does, and undefined when only the storage can tell. */
  at(document: DocumentId, actor: ActorId, sequence: number): EventHash | 'free' | undefined {
    const tips = this.#documents.get(document)
    if (tips === undefined) return undefined
    const tip = tips.get(actor)
    if (tip === undefined || sequence > tip.sequence) return 'free'
    return sequence === tip.sequence ? tip.hash : undefined
  }

  /** Takes over what became durable. */
  adopt({ taken, forgotten }: PlaceChanges): void {
    for (const [document, events] of taken) {
      for (const { header } of events) this.#took(document, header)
    }
    // What is left of them is read when it is asked for.
    for (const document of forgotten) this.#documents.delete(document)
  }

  /** Others may have written to the storage. */
  clear(): void {
    this.#documents.clear()
  }

  #took(document: DocumentId, { actor, sequence, hash }: EventHeader): void {
    const tips = this.#documents.get(document)
    if (tips === undefined) return
    advance(tips, actor, sequence, hash)
    if (tips.size > ACTORS_MAX) this.#documents.set(document, undefined)
  }

  #follow(document: DocumentId, tips: Map<ActorId, Tip> | undefined): void {
    this.#documents.set(document, tips)
    if (this.#documents.size <= DOCUMENTS_MAX) return
    for (const oldest of this.#documents.keys()) {
      this.#documents.delete(oldest)
      return
    }
  }
}

/** The newest place of each writer of a document; undefined when there are too many to read. */
async function readTips(
  storage: Storage,
  document: DocumentId,
): Promise<Map<ActorId, Tip> | undefined> {
  const tips = new Map<ActorId, Tip>()
  let read = 0
  for await (const { key, value } of storage.scan(sequencePrefix(document))) {
    read += 1
    const newest = placesUnder(document, key, value).at(-1)
    if (newest !== undefined) advance(tips, newest.actor, newest.sequence, newest.hash)
    if (read >= PLACES_READ_MAX || tips.size > ACTORS_MAX) return undefined
  }
  return tips
}

function advance(tips: Map<ActorId, Tip>, actor: ActorId, sequence: number, hash: EventHash): void {
  const tip = tips.get(actor)
  if (tip === undefined || sequence > tip.sequence) tips.set(actor, { sequence, hash })
}
