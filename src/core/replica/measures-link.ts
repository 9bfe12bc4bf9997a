import type { Position } from '../ids.ts'

/** What one connection has carried, and how fast it answers. Plain numbers: it is on the way of every message. */
export class LinkMeter {
  receivedBytes = 0
  receivedMessages = 0
  sentBytes = 0
  sentMessages = 0
  /** When both sides knew each other; undefined before. */
  establishedMs: number | undefined
  /** Until the peer has acknowledged this, it is catching up; undefined once it has. */
  #goal: Position | undefined

  received(message: Uint8Array): void {
    this.receivedBytes += message.length
    this.receivedMessages += 1
  }

  sent(message: Uint8Array): void {
    this.sentBytes += message.length
    this.sentMessages += 1
  }

  /** Both sides know each other, and our log goes up to `head`. Only the first call counts. */
  established(head: Position, nowMs: number): void {
    if (this.establishedMs !== undefined) return
    this.establishedMs = nowMs
    this.#goal = head
  }

  /** @returns how long the peer took to catch up, in seconds, when this is the moment. */
  acknowledged(durable: Position, nowMs: number): number | undefined {
    if (this.#goal === undefined || this.establishedMs === undefined) return undefined
    if (durable < this.#goal) return undefined
    this.#goal = undefined
    return (nowMs - this.establishedMs) / 1000
  }

  /** Whether the peer has had everything once that was here when it connected. */
  get caughtUp(): boolean {
    return this.establishedMs !== undefined && this.#goal === undefined
  }
}
