import type { CollectionId, DocumentId, EventHash, ReplicaId } from '../ids.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { EventLog } from '../log/event-log.ts'
import { SparseMap } from '../sparse-collections.ts'

/** Past this many, a comparison finds that the peer lacks them, sends them again, and they are refused again. */
const KEPT_MAX = 10_000

/** Peers for which it is remembered past the end of a connection. */
const PEERS_MAX = 1_000

/** The {@link KeptEvents} of each peer. */
export class KeptByPeer {
  readonly #peers = new Map<ReplicaId, KeptEvents>()

  of(peer: ReplicaId): KeptEvents {
    const known = this.#peers.get(peer)
    if (known !== undefined) return known
    const kept = new KeptEvents()
    if (this.#peers.size < PEERS_MAX) this.#peers.set(peer, kept)
    return kept
  }
}

/**
 * Events that a peer refused and that count here all the same: it may read their document and not write
 * it, so its refusal decides for itself only. The digests that are compared with it leave them out.
 *
 * Kept in memory: after a restart the first comparison fails, they are sent again, and refused again.
 */
export class KeptEvents {
  readonly #documents = new SparseMap<DocumentId, Set<EventHash>>()
  readonly #max: number
  #count = 0

  /** @param max more are not remembered. Default: 10,000. */
  constructor(max: number = KEPT_MAX) {
    this.#max = max
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  /** @returns false when there is no room for it. */
  add(document: DocumentId, hash: EventHash): boolean {
    if (this.#count >= this.#max) return false
    const hashes = this.#documents.get(document) ?? new Set()
    this.#documents.set(document, hashes)
    if (!hashes.has(hash)) this.#count += 1
    hashes.add(hash)
    return true
  }

  get documents(): readonly DocumentId[] {
    return [...this.#documents.keys()]
  }

  /** The peer has them after all: it has them from elsewhere. */
  remove(document: DocumentId, hashes: Iterable<EventHash>): void {
    const kept = this.#documents.get(document)
    if (kept === undefined) return
    for (const hash of hashes) if (kept.delete(hash)) this.#count -= 1
    if (kept.size === 0) this.#documents.delete(document)
  }

  /** Those of one document; undefined when there are none. */
  of(document: DocumentId): ReadonlySet<EventHash> | undefined {
    return this.#documents.get(document)
  }

  /** Visits those that count in documents at home in `granted`, with their home. Called inside a barrier of the log. */
  async each(
    log: EventLog,
    granted: readonly CollectionId[],
    visit: (entry: StoredEntry, home: CollectionId) => void,
  ): Promise<void> {
    for (const [document, hashes] of this.#documents) {
      const record = await log.record(document)
      if (record === undefined || record.left || !granted.includes(record.collection)) continue
      for (const entry of await log.readDocument(document)) {
        if (entry.hash !== undefined && hashes.has(entry.hash)) visit(entry, record.collection)
      }
    }
  }
}
