import { createHash } from 'node:crypto'
import type { CollectionId, Epoch, Position, ReplicaId } from '../../src/core/ids.ts'
import type { PeerState, Reject, WireEntry } from '../../src/core/sync/io.ts'

interface Stored {
  readonly entry: WireEntry
  readonly from: ReplicaId | undefined
}

/**
 * A replica of the simplest kind: a log in an array, and what it remembers of its peers.
 *
 * Its events are any bytes; an event that it has already is not stored twice.
 */
export class TinyReplica {
  readonly name: ReplicaId
  epoch: Epoch
  log: Stored[] = []
  readonly known: Set<string> = new Set()
  readonly peers: Map<ReplicaId, PeerState> = new Map()
  /** Collections that this replica shares when asked. */
  shares: Set<CollectionId>
  /** Events of ours that a peer refused: they count for nothing. */
  readonly refused: Set<string> = new Set()
  /** Entries whose bytes start with this byte are refused. */
  refuses: number | undefined

  constructor(name: ReplicaId, shares: readonly CollectionId[]) {
    this.name = name
    this.epoch = createHash('sha256').update(name).digest('hex').slice(0, 16)
    this.shares = new Set(shares)
  }

  get head(): Position {
    return this.log.length
  }

  write(collection: CollectionId, document: string, text: string | Uint8Array): void {
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text
    this.store({ kind: 'event', document, collection, generation: 0, bytes }, undefined)
  }

  store(entry: WireEntry, from: ReplicaId | undefined): Reject | undefined {
    if (this.refuses !== undefined && from !== undefined && entry.bytes[0] === this.refuses) {
      const why = { code: 'ACCESS_DENIED', message: 'no' } as const
      return { document: entry.document, kind: 'event', hash: hashOf(entry), ...why }
    }
    const key = hashOf(entry)
    if (this.known.has(key)) return undefined
    this.known.add(key)
    this.log.push({ entry, from })
    return undefined
  }

  /** Every event of the collections, as text, sorted: what two replicas must have in common. */
  content(collections: readonly CollectionId[]): string[] {
    return this.log
      .filter(
        ({ entry }) => collections.includes(entry.collection) && !this.refused.has(hashOf(entry)),
      )
      .map(({ entry }) => `${entry.collection} ${entry.document} ${hashOf(entry)}`)
      .sort()
  }

  /** Those of the collections in which there is something. */
  held(collections: readonly CollectionId[]): CollectionId[] {
    return collections.filter((name) => this.log.some(({ entry }) => entry.collection === name))
  }

  digest(collections: readonly CollectionId[]): Uint8Array {
    return createHash('sha256')
      .update(this.content(collections).join('\n'))
      .digest()
      .subarray(0, 16)
  }

  /** Forgets the newest entries, as a restored backup does. */
  loseTail(count: number, epoch?: Epoch): void {
    for (const { entry } of this.log.splice(this.log.length - count))
      this.known.delete(hashOf(entry))
    if (epoch !== undefined) this.epoch = epoch
  }
}

const hashes = new WeakMap<WireEntry, string>()

export function hashOf(entry: WireEntry): string {
  const known = hashes.get(entry)
  if (known !== undefined) return known
  const hash = createHash('sha256')
    .update(entry.document)
    .update(entry.kind)
    .update(entry.bytes)
    .digest('hex')
  hashes.set(entry, hash)
  return hash
}
