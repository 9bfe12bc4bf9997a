import type { Compression } from '../interfaces/compression.ts'
import type { Connection } from '../interfaces/transport.ts'
import { MessagePacking, type Unpacked } from './message-packing.ts'

/** The code of a message in a compression that the other side does not have. */
export const UNPACKABLE = 'PROTOCOL_COMPRESSION_UNSUPPORTED'

/** What a channel tells who sends through it. */
export interface ChannelEvents {
  /** Whether another message is taken now. */
  writable(isWritable: boolean): void
  /** A message was not sent: the connection is ending. */
  failed(error: unknown): void
}

/** A connection whose messages are packed on their way out and unpacked on their way in, in order. */
export class PackedChannel {
  readonly #connection: Connection
  readonly #packing: MessagePacking
  readonly #events: ChannelEvents
  /** Set while a message is being packed that could not be at once. Never rejects. */
  #sending: Promise<void> | undefined

  constructor(connection: Connection, compression: Compression | undefined, events: ChannelEvents) {
    this.#connection = connection
    this.#packing = new MessagePacking(compression)
    this.#events = events
  }

  /** The numbers of the compressions that can be undone here. */
  get packings(): readonly number[] | undefined {
    return this.#packing.numbers
  }

  unpack(message: Uint8Array): Unpacked | Promise<Unpacked> {
    return this.#packing.unpack(message)
  }

  /** Sends one message, after all before it. `packings` are what the peer can undo. */
  send(message: Uint8Array, packings: readonly number[]): void {
    const bytes = this.#packing.pack(message, packings)
    if (this.#sending === undefined && !(bytes instanceof Promise)) {
      if (!this.#give(bytes)) this.#hold(this.#connection.drained())
      return
    }
    const waited = this.#sending ?? Promise.resolve()
    if (this.#sending === undefined) this.#events.writable(false)
    const sending = waited
      // What cannot be packed goes out as it is.
      .then(() => Promise.resolve(bytes).catch(() => message))
      .then((packed) => (this.#give(packed) ? undefined : this.#connection.drained()))
      .catch(() => undefined)
      .then(() => {
        if (this.#sending !== sending) return
        this.#sending = undefined
        this.#events.writable(true)
      })
    this.#sending = sending
  }

  /** Closes the connection after what was sent. */
  close(): void {
    if (this.#sending === undefined) void this.#connection.close()
    else void this.#sending.then(() => this.#connection.close())
  }

  #hold(drained: Promise<void>): void {
    this.#events.writable(false)
    drained.then(
      () => this.#events.writable(true),
      () => undefined,
    )
  }

  /** False when the connection asks to wait. */
  #give(bytes: Uint8Array): boolean {
    try {
      return this.#connection.send(bytes)
    } catch (error) {
      this.#events.failed(error)
      return true
    }
  }
}
