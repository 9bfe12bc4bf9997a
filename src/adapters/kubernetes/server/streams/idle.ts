import type { Cancel, Clock } from '../../../../core/interfaces/clock.ts'

/** A connection on which nothing was sent either way for this long is closed, as kubelet does. */
export const STREAM_IDLE_MS: number = 4 * 60 * 60 * 1000

/** How often a client is asked whether it is there: one that has gone leaves processes behind. */
export const STREAM_PING_MS: number = 15_000

/** How long a client that was told everything gets to close its connection. */
export const STREAM_LINGER_MS: number = 5_000

/** Watches over one connection: asks now and then whether the client is there, ends it when idle. */
export class IdleWatch {
  readonly #clock: Clock
  readonly #idleMs: number
  readonly #line: { ping(): void; abort(): void }
  #activeMs: number
  #cancel: Cancel = () => undefined

  /** @param line the connection; `abort` is called when it was idle for `idleMs`. */
  constructor(clock: Clock, line: { ping(): void; abort(): void }, idleMs: number) {
    this.#clock = clock
    this.#idleMs = idleMs
    this.#line = line
    this.#activeMs = clock.monotonicMs()
    this.#schedule()
  }

  /** Something was sent or received. */
  touch(): void {
    this.#activeMs = this.#clock.monotonicMs()
  }

  /** The connection is over. */
  close(): void {
    this.#cancel()
    this.#cancel = () => undefined
  }

  #schedule(): void {
    this.#cancel = this.#clock.schedule(Math.min(STREAM_PING_MS, this.#idleMs), () => {
      if (this.#clock.monotonicMs() - this.#activeMs >= this.#idleMs) return this.#line.abort()
      this.#line.ping()
      this.#schedule()
    })
  }
}
