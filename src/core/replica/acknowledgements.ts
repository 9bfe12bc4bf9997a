import { UsageError } from '../errors.ts'
import type { Position, ReplicaId } from '../ids.ts'
import type { AbortOptions } from '../interfaces/abort.ts'

type Level = 'received' | 'durable'

interface Waiter {
  readonly level: Level
  readonly position: Position
  resolve(): void
  reject(error: unknown): void
}

/** What each peer has acknowledged of our log, and who waits for it. */
export class AcknowledgementTable {
  readonly #levels = new Map<ReplicaId, Record<Level, Position>>()
  readonly #waiters = new Map<ReplicaId, Set<Waiter>>()

  /** Notes that `peer` has our log up to these positions. They only grow within one epoch of it. */
  note(peer: ReplicaId, received: Position, durable: Position): void {
    const known = this.#levels.get(peer) ?? { received: 0, durable: 0 }
    const now = {
      received: Math.max(known.received, received, durable),
      durable: Math.max(known.durable, durable),
    }
    this.#levels.set(peer, now)
    for (const waiter of this.#waiters.get(peer) ?? []) {
      if (now[waiter.level] >= waiter.position) waiter.resolve()
    }
  }

  /** How far `peer` has said that it has our log in memory. */
  received(peer: ReplicaId): Position {
    return this.#levels.get(peer)?.received ?? 0
  }

  /** Forgets what a peer had: it lost its log. */
  forget(peer: ReplicaId): void {
    this.#levels.delete(peer)
  }

  /** Resolves when `peer` has acknowledged `position`; rejects with the signal's reason. */
  wait(peer: ReplicaId, level: Level, position: Position, options: AbortOptions): Promise<void> {
    const { signal } = options
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    if (position <= (this.#levels.get(peer)?.[level] ?? 0)) return Promise.resolve()
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
        level,
        position,
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
