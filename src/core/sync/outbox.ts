import { concatBytes } from '../bytes.ts'
import type { Exchange } from './exchange.ts'
import { MESSAGE_BYTES_TARGET, MESSAGE_ENTRIES_TARGET } from './limits.ts'
import type { Frame } from './message.ts'
import { encodeFrame } from './message-codec.ts'
import type { Signals } from './signals.ts'
import type { Streams } from './streams.ts'

/** What may go into the next message. */
export interface Sources {
  readonly exchange: Exchange | undefined
  /** undefined before both sides know each other. */
  readonly signals?: Signals
  readonly streams?: Streams
}

/**
 * Puts messages together, the most urgent first: control, events, acknowledgement, check, signals,
 * streams. Only control frames wait here as bytes, under a bound; the rest stays where it is until a
 * message has room.
 */
export class Outbox {
  readonly #control: Uint8Array[] = []
  #controlBytes = 0
  /** The message that is being put together. Empty between calls. */
  readonly #parts: Uint8Array[] = []
  #size = 0

  get controlBytes(): number {
    return this.#controlBytes
  }

  push(frame: Frame): void {
    const bytes = encodeFrame(frame)
    this.#control.push(bytes)
    this.#controlBytes += bytes.length
  }

  /** One message; undefined when there is nothing to say. */
  compose(sources: Sources): Uint8Array | undefined {
    this.#takeControl()
    const { exchange, signals, streams } = sources
    if (exchange !== undefined) this.#takeLog(exchange)
    for (let from = signals; from !== undefined && this.#hasRoom; ) {
      const frame = from.next()
      if (frame === undefined) break
      this.#add(encodeFrame(frame))
    }
    for (let from = streams; from !== undefined && this.#hasRoom; ) {
      const frame = from.next()
      if (frame === undefined) break
      this.#add(encodeFrame(frame))
    }
    return this.#take()
  }

  /** The last message: control frames that are waiting, what is durable, and the close. */
  composeLast(exchange: Exchange | undefined, close: Frame): Uint8Array {
    this.#takeControl()
    const ack = exchange?.nextAck()
    if (ack !== undefined) this.#add(encodeFrame(ack))
    this.#add(encodeFrame(close))
    return this.#take() ?? concatBytes([])
  }

  #takeLog(exchange: Exchange): void {
    let entries = 0
    while (this.#hasRoom && entries < MESSAGE_ENTRIES_TARGET) {
      const frame = exchange.sender.nextFrame()
      if (frame === undefined) break
      entries += frame.entries
      this.#add(frame.bytes)
      if (frame.entries === 0) exchange.toldEnd()
    }
    const ack = exchange.nextAck()
    if (ack !== undefined) this.#add(encodeFrame(ack))
    const check = exchange.nextCheck()
    if (check !== undefined) this.#add(encodeFrame(check))
  }

  get #hasRoom(): boolean {
    return this.#size < MESSAGE_BYTES_TARGET
  }

  #add(bytes: Uint8Array): void {
    this.#parts.push(bytes)
    this.#size += bytes.length
  }

  #take(): Uint8Array | undefined {
    const [only] = this.#parts
    if (only === undefined) return undefined
    const message = this.#parts.length === 1 ? only : concatBytes(this.#parts)
    this.#parts.length = 0
    this.#size = 0
    return message
  }

  #takeControl(): void {
    while (this.#hasRoom) {
      const bytes = this.#control.shift()
      if (bytes === undefined) return
      this.#controlBytes -= bytes.length
      this.#add(bytes)
    }
  }
}
