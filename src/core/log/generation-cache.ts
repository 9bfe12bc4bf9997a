import { InvariantError } from '../errors.ts'
import type { CollectionId, DocumentId } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Put, Storage } from '../interfaces/storage.ts'
import type { StoredEntry } from './entry.ts'
import { readEvent } from './event.ts'
import type { Beginning, Rewriter } from './generation.ts'
import { readBeginning } from './generation-beginning.ts'
import type { GenerationView, LateEvent } from './generation-plan.ts'
import { latePrefix } from './keys.ts'
import { type LateLimits, LateRoom } from './late-room.ts'
import { baseOf } from './lineage.ts'
import { decodeRecord, type LateRecord } from './records.ts'

/** What planning may have to know of the generation of one document. */
interface Known {
  readonly beginning: Beginning | undefined
  readonly late: readonly LateEvent[]
  readonly formerHomes: readonly CollectionId[]
}

/** What was fetched of generations for one plan. */
export class GenerationCache implements GenerationView {
  readonly rewriter: Rewriter | undefined
  readonly #known = new Map<DocumentId, Known>()
  readonly #limits: LateLimits | undefined
  /** Counted when it is first asked for. */
  #room: LateRoom | undefined

  constructor(rewriter: Rewriter | undefined, limits?: LateLimits) {
    this.rewriter = rewriter
    this.#limits = limits
  }

  get room(): LateRoom {
    return this.#room ?? new LateRoom(this.#limits)
  }

  /** Counts what is kept aside, unless that is known. */
  async measure(storage: Storage): Promise<void> {
    this.#room ??= await LateRoom.load(storage, this.#limits)
  }

  /** Takes over what was written of late events. */
  wrote(puts: readonly Put[]): void {
    this.#room?.apply(puts)
  }

  /** Another opener may have kept more aside, or less. */
  forget(): void {
    this.#room = undefined
  }

  clear(): void {
    this.#known.clear()
  }

  set(document: DocumentId, known: Known): void {
    this.#known.set(document, known)
  }

  beginning(document: DocumentId): Beginning | undefined {
    return this.#of(document).beginning
  }

  late(document: DocumentId): readonly LateEvent[] {
    return this.#of(document).late
  }

  formerHomes(document: DocumentId): readonly CollectionId[] {
    return this.#of(document).formerHomes
  }

  #of(document: DocumentId): Known {
    return this.#known.get(document) ?? NOTHING
  }
}

const NOTHING: Known = { beginning: undefined, late: [], formerHomes: [] }

/** Reads it from the entries of a document that count, and from what is kept aside. */
export async function fetchGeneration(
  storage: Storage,
  document: DocumentId,
  entries: readonly StoredEntry[],
  sha256: Sha256,
): Promise<Known> {
  const late: LateEvent[] = []
  for await (const { key, value } of storage.scan(latePrefix(document))) {
    const record = decodeRecord<LateRecord>(value, 'generation')
    const { bytes } = record
    late.push({ key, record, event: { bytes, header: readEvent(bytes, sha256) } })
  }
  const homes = entries.filter(({ kind }) => kind === 'leave').map(({ collection }) => collection)
  return {
    beginning: beginningOf(document, entries, sha256),
    late,
    formerHomes: [...new Set(homes)],
  }
}

/** What the generation of a document begins with, from entries of it that count. */
export function beginningOf(
  document: DocumentId,
  entries: readonly StoredEntry[],
  sha256: Sha256,
): Beginning | undefined {
  const bytes = baseOf(entries)
  if (bytes === undefined) return undefined
  const entry = entries.findLast(({ kind }) => kind === 'base' || kind === 'join')
  if (entry === undefined) throw new InvariantError('a base stands in an entry')
  return readBeginning(document, entry.generation, bytes, sha256)
}
