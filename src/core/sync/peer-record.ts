import type { CollectionId, Epoch, Position, ReplicaId } from '../ids.ts'
import { SparseMap, SparseSet } from '../sparse-collections.ts'
import type { PeerState } from './io.ts'
import type { LogSender } from './log-sender.ts'

interface Fill {
  /** Our history of the collection is durable at the peer. */
  out: boolean
  /** The peer's history of the collection is durable here. */
  in: boolean
}

/**
 * What we know of the peer, in the form in which it is remembered.
 *
 * A collection is complete when the history before both cursors was exchanged in both directions.
 * That is recorded only at the end; a crash in the middle starts the backfill again.
 */
export class PeerRecord {
  readonly replica: ReplicaId
  readonly epoch: Epoch
  readonly #complete: Set<CollectionId>
  readonly #fills: SparseMap<CollectionId, Fill> = new SparseMap()
  /** Collections in which the two sides look for what differs. */
  readonly #reconciling: SparseSet<CollectionId> = new SparseSet()
  acked: Position
  /** The compressions that the peer can undo. */
  packings: readonly number[] | undefined
  /** See {@link PeerState}. */
  doubted: Position | undefined

  constructor(
    replica: ReplicaId,
    epoch: Epoch,
    acked: Position,
    complete: readonly CollectionId[],
  ) {
    this.replica = replica
    this.epoch = epoch
    this.acked = acked
    this.#complete = new Set(complete)
  }

  /** Starts the exchange of a collection's history in the directions that need it. */
  fill(collection: CollectionId, outNeeded: boolean, inNeeded: boolean): void {
    this.#complete.delete(collection)
    this.#fills.set(collection, { out: !outNeeded, in: !inNeeded })
    this.#settle(collection)
  }

  /** Instead of its history, what differs in this collection is exchanged. */
  reconcile(collection: CollectionId): void {
    this.#complete.delete(collection)
    this.#reconciling.add(collection)
  }

  /** What counts as complete, or was brought up to a position of our log, does so only when nothing is known to differ. */
  doubt(head: Position): void {
    this.doubted = head
    for (const collection of [...this.#complete]) this.reconcile(collection)
  }

  /**
   * What holds nothing for the peer, and was told so, it need not acknowledge when it has all before.
   *
   * @returns whether that moved how far it is believed to be.
   */
  pass({ lastEntry, told }: Pick<LogSender, 'lastEntry' | 'told'>): boolean {
    const isPast = this.acked >= lastEntry && told > this.acked
    if (isPast) this.acked = told
    return isPast
  }

  /** Nothing differs any more: returns what is complete by that. */
  reconciled(): readonly CollectionId[] {
    const collections = [...this.#reconciling]
    for (const collection of collections) this.#complete.add(collection)
    this.#reconciling.clear()
    return collections
  }

  /** Whether this collection's history is under way from the peer. */
  awaits(collection: CollectionId): boolean {
    return this.#fills.get(collection)?.in === false
  }

  get filling(): boolean {
    return this.#fills.size > 0
  }

  filledOut(collections: readonly CollectionId[]): boolean {
    return this.#mark(collections, 'out')
  }

  filledIn(collections: readonly CollectionId[]): boolean {
    return this.#mark(collections, 'in')
  }

  /** What to remember when `cursor` is durable, and with it the history of `filled` from the peer. */
  state(cursor: Position, filled: readonly CollectionId[] = []): PeerState {
    const complete = [...this.#complete]
    for (const collection of filled) {
      if (this.#fills.get(collection)?.out === true) complete.push(collection)
    }
    complete.sort()
    const { replica, epoch, acked, packings, doubted } = this
    return { replica, epoch, cursor, acked, complete, packings, doubted }
  }

  #mark(collections: readonly CollectionId[], direction: 'in' | 'out'): boolean {
    let changed = false
    for (const collection of collections) {
      if (direction === 'out' && this.#reconciling.delete(collection)) {
        this.#complete.add(collection)
        changed = true
      }
      const fill = this.#fills.get(collection)
      if (fill === undefined || fill[direction]) continue
      fill[direction] = true
      changed = this.#settle(collection) || changed
    }
    return changed
  }

  #settle(collection: CollectionId): boolean {
    const fill = this.#fills.get(collection)
    if (fill === undefined || !fill.in || !fill.out) return false
    this.#fills.delete(collection)
    this.#complete.add(collection)
    return true
  }
}
