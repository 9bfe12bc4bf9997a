import type { Cancel, Clock } from '../interfaces/clock.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { EventLog } from '../log/event-log.ts'
import type { PeerState } from '../sync/io.ts'

/** How long a peer's acknowledgement may stay in memory before it is written down. */
const REMEMBER_MS = 500

/**
 * Writes down what a peer has acknowledged, not at each acknowledgement but soon after: what a crash
 * loses of it is sent again, and known by its hash.
 */
export class PeerMemory {
  readonly #log: EventLog
  readonly #clock: Clock
  readonly #logger: () => Logger
  #pending: { readonly peer: PeerState; readonly cancel: Cancel } | undefined

  constructor(log: EventLog, clock: Clock, logger: () => Logger) {
    this.#log = log
    this.#clock = clock
    this.#logger = logger
  }

  soon(peer: PeerState): void {
    this.forget()
    this.#pending = { peer, cancel: this.#clock.schedule(REMEMBER_MS, () => this.now()) }
  }

  now(): void {
    const pending = this.#pending
    if (pending === undefined) return
    this.forget()
    this.write(pending.peer)
  }

  /** Writes down a state of a peer now. */
  write(peer: PeerState): void {
    this.#log.commit({ type: 'peer', peer }).catch((error: unknown) => {
      this.#logger().warn('an acknowledgement could not be written down', { error })
    })
  }

  /** Something newer about the peer is being written already. */
  forget(): void {
    this.#pending?.cancel()
    this.#pending = undefined
  }
}
