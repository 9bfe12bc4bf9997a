import type { SessionLimits } from './limits.ts'

/** What time has brought about. */
export type Alarm = 'handshake' | 'idle' | 'ping' | 'answer'

/** The deadlines of a session, apart from those of its exchange. */
export class Watch {
  readonly #limits: SessionLimits
  #handshakeDueMs: number | undefined
  #answerDueMs: number | undefined
  #heardMs: number | undefined
  #pinged = false
  #established = false

  constructor(limits: SessionLimits) {
    this.#limits = limits
  }

  get dueMs(): number | undefined {
    const handshake = this.#handshakeDueMs ?? Number.POSITIVE_INFINITY
    const answer = this.#answerDueMs ?? Number.POSITIVE_INFINITY
    const silence = this.#silenceDueMs ?? Number.POSITIVE_INFINITY
    const due = Math.min(handshake, answer, silence)
    return due === Number.POSITIVE_INFINITY ? undefined : due
  }

  get #silenceDueMs(): number | undefined {
    if (!this.#established || this.#heardMs === undefined) return undefined
    return this.#heardMs + (this.#pinged ? this.#limits.idleMs : this.#limits.keepAliveMs)
  }

  /** The answer of an accepter is being held back. */
  get holding(): boolean {
    return this.#answerDueMs !== undefined
  }

  expectHandshake(nowMs: number): void {
    if (!this.#established) this.#handshakeDueMs ??= nowMs + this.#limits.handshakeMs
  }

  established(): void {
    this.#established = true
    this.#handshakeDueMs = undefined
  }

  holdAnswer(nowMs: number): void {
    this.#answerDueMs = nowMs + this.#limits.answerHoldMs
  }

  releaseAnswer(): void {
    this.#answerDueMs = undefined
  }

  heard(nowMs: number): void {
    this.#heardMs = nowMs
    this.#pinged = false
  }

  /** What is due. However late it is, each alarm is given once. */
  alarms(nowMs: number): readonly Alarm[] {
    if (this.#handshakeDueMs !== undefined && nowMs >= this.#handshakeDueMs) return ['handshake']
    const alarms: Alarm[] = []
    if (this.#established && this.#heardMs !== undefined) {
      const silentMs = nowMs - this.#heardMs
      // After a sleep of the machine both are past at once: the peer is asked before it is given up.
      if (silentMs >= this.#limits.idleMs && this.#pinged) return ['idle']
      if (silentMs >= this.#limits.keepAliveMs && !this.#pinged) {
        this.#pinged = true
        alarms.push('ping')
        if (silentMs >= this.#limits.idleMs) this.#heardMs = nowMs - this.#limits.keepAliveMs
      }
    }
    if (this.#answerDueMs !== undefined && nowMs >= this.#answerDueMs) {
      this.#answerDueMs = undefined
      alarms.push('answer')
    }
    return alarms
  }
}
