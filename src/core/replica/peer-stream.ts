import { ConnectionClosedError } from '../errors.ts'
import type { ReplicaId } from '../ids.ts'
import type { ByteStream } from '../interfaces/byte-stream.ts'
import { ChunkQueue } from './chunk-queue.ts'

/** How a stream reaches the connection that carries it. */
export interface StreamCarrier {
  write(stream: number, bytes: Uint8Array): boolean
  end(stream: number): void
  reset(stream: number, code: string, message: string): void
  consumed(stream: number, bytes: number): void
}

/**
 * An ordered byte pipe to one peer, inside the connection that syncs. It ends with the connection.
 *
 * Iterating yields what the peer writes, for one consumer, once; the iteration ends when the peer ends
 * its side and throws when the stream is reset or the connection is lost. What is not consumed holds the
 * peer back.
 */
export class PeerStream implements ByteStream {
  readonly peer: ReplicaId
  /** Resolves when nothing more can come or go. Never rejects. */
  readonly closed: Promise<void>
  readonly #id: number
  readonly #carrier: StreamCarrier
  readonly #chunks = new ChunkQueue()
  #readers: (() => void)[] = []
  #writers: { resolve(): void; reject(error: Error): void }[] = []
  #writable = true
  #remoteEnded = false
  #localEnded = false
  #error: Error | undefined
  #close: () => void = () => undefined

  constructor(peer: ReplicaId, id: number, carrier: StreamCarrier) {
    this.peer = peer
    this.#id = id
    this.#carrier = carrier
    this.closed = new Promise((resolve) => {
      this.#close = resolve
    })
  }

  /** Queues bytes and resolves when the peer has room for more. @throws when the stream is over. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#check()
    if (bytes.length === 0) return
    this.#writable = this.#carrier.write(this.#id, bytes)
    if (this.#writable) return
    await new Promise<void>((resolve, reject) => {
      this.#writers.push({ resolve, reject })
    })
  }

  /** Says that nothing more will be written. What the peer writes still arrives. */
  end(): void {
    if (this.#localEnded || this.#error !== undefined) return
    this.#localEnded = true
    this.#carrier.end(this.#id)
    this.#settle()
  }

  /** Ends both directions at once, telling the peer why. Harmless when the stream is over. */
  reset(code: string, message: string): void {
    if (this.#error !== undefined || (this.#localEnded && this.#remoteEnded)) return
    this.#carrier.reset(this.#id, code, message)
    this.fail(new ConnectionClosedError('the stream was reset', { fields: { code, message } }))
  }

  /** What the peer writes, piece by piece. Leaving the loop early resets the stream. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      while (true) {
        const chunk = this.#chunks.shift()
        if (chunk !== undefined) {
          this.#carrier.consumed(this.#id, chunk.length)
          yield chunk
          continue
        }
        if (this.#error !== undefined) throw this.#error
        if (this.#remoteEnded) return
        await new Promise<void>((resolve) => this.#readers.push(resolve))
      }
    } finally {
      // A reader that leaves early wants nothing more of it.
      if (!this.#remoteEnded) this.reset('CANCELLED', 'the reader left')
    }
  }

  /** For the link: bytes arrived. */
  push(bytes: Uint8Array): void {
    this.#chunks.push(bytes)
    this.#wake()
  }

  /** For the link: the peer ended its side. */
  finish(): void {
    this.#remoteEnded = true
    this.#wake()
    this.#settle()
  }

  /** For the link: the peer has room again. */
  resume(): void {
    this.#writable = true
    const writers = this.#writers
    this.#writers = []
    for (const writer of writers) writer.resolve()
  }

  /** For the link: the stream is over in both directions. */
  fail(error: Error): void {
    if (this.#error !== undefined) return
    this.#error = error
    this.#wake()
    const writers = this.#writers
    this.#writers = []
    for (const writer of writers) writer.reject(error)
    this.#close()
  }

  #check(): void {
    if (this.#error !== undefined) throw this.#error
    if (this.#localEnded) throw new ConnectionClosedError('the stream was ended')
  }

  #wake(): void {
    const readers = this.#readers
    this.#readers = []
    for (const reader of readers) reader()
  }

  #settle(): void {
    if (this.#localEnded && this.#remoteEnded) this.#close()
  }
}
