import type { Cancel, Clock } from '../interfaces/clock.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { EventLog } from '../log/event-log.ts'
import type { PeerState } from '../sync/io.ts'
import type { KeptEvents } from './kept-events.ts'

/** How long a peer's acknowledgement may stay in memory before it is written down. */
const REMEMBER_MS = 500

/** What a peer acknowledged and does not have. */
interface Lacking {
  /** It refused this, and nobody has written that down yet. */
  readonly refused: KeptEvents
  /** It refused this because the document was not there. */
  readonly absent: KeptEvents
}

/**
 * Writes down what a peer has acknowledged, not at each acknowledgement but soon after: what a crash
 * loses of it is sent again, and known by its hash.
 *
 * An acknowledgement covers what the peer refused as well. Until that is written down, or has found its
 * document there, the acknowledgement is not: nobody would know any more that the peer lacks it.
 */
export class PeerMemory {
  readonly #log: EventLog
  readonly #clock: Clock
  readonly #logger: () => Logger
  readonly #lacking: Lacking
  #pending: { readonly peer: PeerState; readonly cancel: Cancel } | undefined

  constructor(log: EventLog, clock: Clock, logger: () => Logger, lacking: Lacking) {
    this.#log = log
    this.#clock = clock
    this.#logger = logger
    this.#lacking = lacking
  }

  soon(peer: PeerState): void {
    this.forget()
    this.#pending = { peer, cancel: this.#clock.schedule(REMEMBER_MS, () => this.#due(peer)) }
  }

  #due(peer: PeerState): void {
    if (this.#lacking.refused.isEmpty) this.now()
    else this.soon(peer)
  }

  /** What may be written down of a peer now. */
  settled(peer: PeerState): PeerState {
    if (this.#lacking.refused.isEmpty && this.#lacking.absent.isEmpty) return peer
    return { ...peer, acked: Math.min(peer.acked, this.#log.peer(peer.replica)?.acked ?? 0) }
  }

  now(): void {
    const pending = this.#pending
    if (pending === undefined) return
    this.forget()
    this.write(pending.peer)
  }

  /** Writes down a state of a peer now. */
  write(peer: PeerState): void {
    this.#log.commit({ type: 'peer', peer: this.settled(peer) }).catch((error: unknown) => {
      this.#logger().warn('an acknowledgement could not be written down', { error })
    })
  }

  /** Something newer about the peer is being written already. */
  forget(): void {
    this.#pending?.cancel()
    this.#pending = undefined
  }
}
