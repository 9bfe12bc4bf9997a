import { StorageCorruptError, UsageError } from '../errors.ts'
import type { CollectionId, DocumentId, Position, ReplicaId } from '../ids.ts'
import type { AbortOptions } from '../interfaces/abort.ts'

type Level = 'received' | 'durable'

/** What is waited for: a position of our log, and that the collection of what stands there is shared. */
export interface Awaited {
  readonly level: Level
  readonly document: DocumentId
  readonly position: Position
  readonly collection: CollectionId
}

interface Waiter extends Awaited {
  resolve(): void
  reject(error: unknown): void
}

/** What each peer has acknowledged of our log, and who waits for it. */
export class AcknowledgementTable {
  readonly #levels = new Map<ReplicaId, Record<Level, Position>>()
  /** By peer: collections whose history before those positions was exchanged. */
  readonly #complete = new Map<ReplicaId, readonly CollectionId[]>()
  readonly #waiters = new Map<ReplicaId, Set<Waiter>>()

  /**
   * Notes that `peer` has our log up to these positions, of the collections that are `complete` between
   * us. Positions only grow within one epoch of it.
   */
  note(
    peer: ReplicaId,
    received: Position,
    durable: Position,
    complete: readonly CollectionId[],
  ): void {
    const known = this.#levels.get(peer) ?? { received: 0, durable: 0 }
    const now = {
      received: Math.max(known.received, received, durable),
      durable: Math.max(known.durable, durable),
    }
    this.#levels.set(peer, now)
    this.#complete.set(peer, complete)
    for (const waiter of this.#waiters.get(peer) ?? []) {
      if (this.#has(peer, waiter)) waiter.resolve()
    }
  }

  /** Whether somebody waits for this peer. */
  isAwaited(peer: ReplicaId): boolean {
    return this.#waiters.has(peer)
  }

  #has(peer: ReplicaId, { level, position, collection }: Awaited): boolean {
    // Where a position is reached, what stands there went out only if its collection was shared.
    if (position === 0) return true
    if (position > (this.#levels.get(peer)?.[level] ?? 0)) return false
    return this.#complete.get(peer)?.includes(collection) === true
  }

  /** How far `peer` has said that it has our log in memory. */
  received(peer: ReplicaId): Position {
    return this.#levels.get(peer)?.received ?? 0
  }

  /** Forgets what a peer had: it lost its log. */
  forget(peer: ReplicaId): void {
    this.#levels.delete(peer)
    this.#complete.delete(peer)
  }

  /**
   * These entries of a document are damaged and were taken out: a peer that had not acknowledged them may
   * never get them, and what it acknowledges from here on says nothing about them.
   */
  lost(document: DocumentId, positions: readonly Position[]): void {
    for (const [peer, waiters] of this.#waiters) {
      for (const waiter of [...waiters]) {
        const isAwaited = (position: Position): boolean =>
          position <= waiter.position && !this.#has(peer, { ...waiter, position })
        if (waiter.document !== document || !positions.some(isAwaited)) continue
        const message = 'events were lost to damage before the peer is known to have them'
        waiter.reject(new StorageCorruptError(message, { fields: { document, peer } }))
      }
    }
  }

  /**
   * Resolves when `peer` has acknowledged what is awaited.
   *
   * @throws the signal's reason; StorageCorruptError when some of what is awaited is lost.
   */
  wait(peer: ReplicaId, awaited: Awaited, options: AbortOptions): Promise<void> {
    const { signal } = options
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    if (this.#has(peer, awaited)) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const waiters = this.#waiters.get(peer) ?? new Set()
      this.#waiters.set(peer, waiters)
      const done = (settle: () => void) => () => {
        waiters.delete(waiter)
        if (waiters.size === 0) this.#waiters.delete(peer)
        signal?.removeEventListener('abort', onAbort)
        settle()
      }
      const onAbort = (): void => waiter.reject(signal?.reason)
      const waiter: Waiter = {
        ...awaited,
        resolve: done(resolve),
        reject: (error) => done(() => reject(error as Error))(),
      }
      waiters.add(waiter)
      signal?.addEventListener('abort', onAbort)
    })
  }

  /** Rejects everyone who waits: the replica is closing. */
  close(): void {
    for (const waiters of [...this.#waiters.values()]) {
      for (const waiter of [...waiters])
        waiter.reject(new UsageError('USAGE_CLOSED', 'the replica is closed'))
    }
  }
}
