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
    const parts: Uint8Array[] = []
    let size = 0
    const add = (bytes: Uint8Array): void => {
      parts.push(bytes)
      size += bytes.length
    }
    this.#takeControl(add, () => size < MESSAGE_BYTES_TARGET)
    const { exchange, signals, streams } = sources
    if (exchange !== undefined) {
      let entries = 0
      while (size < MESSAGE_BYTES_TARGET && entries < MESSAGE_ENTRIES_TARGET) {
        const frame = exchange.sender.nextFrame()
        if (frame === undefined) break
        entries += frame.entries
        add(frame.bytes)
      }
      const ack = exchange.nextAck()
      if (ack !== undefined) add(encodeFrame(ack))
      const check = exchange.nextCheck()
      if (check !== undefined) add(encodeFrame(check))
    }
    for (const source of [signals, streams]) {
      while (source !== undefined && size < MESSAGE_BYTES_TARGET) {
        const frame = source.next()
        if (frame === undefined) break
        add(encodeFrame(frame))
      }
    }
    return parts.length === 0 ? undefined : concatBytes(parts)
  }

  /** The last message: control frames that are waiting, what is durable, and the close. */
  composeLast(exchange: Exchange | undefined, close: Frame): Uint8Array {
    const parts: Uint8Array[] = []
    let size = 0
    this.#takeControl(
      (bytes) => {
        parts.push(bytes)
        size += bytes.length
      },
      () => size < MESSAGE_BYTES_TARGET,
    )
    const ack = exchange?.nextAck()
    if (ack !== undefined) parts.push(encodeFrame(ack))
    parts.push(encodeFrame(close))
    return concatBytes(parts)
  }

  #takeControl(add: (bytes: Uint8Array) => void, room: () => boolean): void {
    while (room()) {
      const bytes = this.#control.shift()
      if (bytes === undefined) return
      this.#controlBytes -= bytes.length
      add(bytes)
    }
  }
}
