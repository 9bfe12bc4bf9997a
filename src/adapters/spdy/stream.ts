import type { ByteStream } from '../../core/interfaces/byte-stream.ts'
import type { Headers } from './headers.ts'

/** How a stream reaches its connection. */
export interface StreamLine {
  /** Sends data and resolves when there is room for more. */
  send(stream: number, bytes: Uint8Array, fin: boolean): Promise<void>
  reset(stream: number): void
}

/** Bytes of one stream that wait for their reader before the connection is read no further. */
const BUFFER_BYTES_MAX = 256 * 1024

/** One stream of a SPDY connection. */
export class SpdyStream implements ByteStream {
  readonly id: number
  readonly headers: Headers
  readonly closed: Promise<void>
  readonly #line: StreamLine
  #chunks: Uint8Array[] = []
  #bytes = 0
  #isEnded = false
  #remoteEnded = false
  #error: Error | undefined
  #close: () => void = () => undefined
  #wakeReader: () => void = () => undefined
  #wakeRoom: () => void = () => undefined

  constructor(id: number, headers: Headers, line: StreamLine) {
    this.id = id
    this.headers = headers
    this.#line = line
    this.closed = new Promise((resolve) => {
      this.#close = resolve
    })
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#error !== undefined) throw this.#error
    if (this.#isEnded) throw new Error('the stream was ended')
    await this.#line.send(this.id, bytes, false)
  }

  end(): void {
    if (this.#isEnded || this.#error !== undefined) return
    this.#isEnded = true
    // Whether it arrives is seen by whoever waits for the connection.
    this.#line.send(this.id, new Uint8Array(), true).catch(() => undefined)
    this.#settle()
  }

  reset(): void {
    if (this.#error !== undefined || (this.#isEnded && this.#remoteEnded)) return
    this.#line.reset(this.id)
    this.fail(new Error('the stream was reset'))
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      while (true) {
        const chunk = this.#chunks.shift()
        if (chunk !== undefined) {
          this.#bytes -= chunk.length
          this.#wakeRoom()
          yield chunk
          continue
        }
        if (this.#remoteEnded) return
        if (this.#error !== undefined) throw this.#error
        await new Promise<void>((resolve) => {
          this.#wakeReader = resolve
        })
      }
    } finally {
      if (!this.#remoteEnded) this.reset()
    }
  }

  /** For the connection: data arrived. Resolves when there is room for more. */
  async push(bytes: Uint8Array, fin: boolean): Promise<void> {
    if (this.#remoteEnded || this.#error !== undefined) return
    if (bytes.length > 0) this.#chunks.push(bytes)
    this.#bytes += bytes.length
    this.#remoteEnded = fin
    this.#wakeReader()
    if (fin) this.#settle()
    while (this.#bytes > BUFFER_BYTES_MAX && this.#error === undefined) {
      await new Promise<void>((resolve) => {
        this.#wakeRoom = resolve
      })
    }
  }

  /** For the connection: the other side is done with it. What it has sent before is still read. */
  async finish(): Promise<void> {
    this.#isEnded = true
    await this.push(new Uint8Array(), true)
    this.#settle()
  }

  /** For the connection: nothing more can come or go. What came whole is still read. */
  fail(error: Error): void {
    if (this.#error !== undefined) return
    this.#error = error
    if (!this.#remoteEnded) {
      this.#chunks = []
      this.#bytes = 0
    }
    this.#wakeReader()
    this.#wakeRoom()
    this.#close()
  }

  #settle(): void {
    if (this.#isEnded && this.#remoteEnded) this.#close()
  }
}
