import type { Duplex } from 'node:stream'
import { dataHeader, encodeFrame, type Frame, FrameReader, RESET, SpdyError } from './frames.ts'
import { HeaderCodec, type Headers } from './headers.ts'
import { SpdyStream, type StreamLine } from './stream.ts'

/** What a {@link SpdyConnection} needs. */
export interface SpdyOptions {
  /** Carries the frames; destroyed when the connection ends. */
  readonly socket: Duplex
  /** Which side this is. Default: `server`. */
  readonly role?: 'client' | 'server'
  /** A stream that the other side opened. False refuses it. */
  readonly accept: (stream: SpdyStream) => boolean
  /** Called whenever the other side has sent something but a ping. */
  readonly onActivity: () => void
}

/** Another side that opens more streams at once is refused the rest. */
const STREAMS_MAX = 512

/** Larger pieces are cut, so that streams take turns. */
const PIECE_BYTES_MAX = 32 * 1024

/**
 * One side of a SPDY/3.1 connection, as Kubernetes and container engines speak it.
 *
 * Flow control by windows is left out, because no program of Kubernetes takes part in it: TCP holds
 * both sides back. So a stream that nobody reads holds up the others of its connection.
 */
export class SpdyConnection {
  /** Resolves when the connection has ended. Never rejects. */
  readonly closed: Promise<void>
  readonly #options: SpdyOptions
  readonly #codec = new HeaderCodec()
  readonly #streams = new Map<number, SpdyStream>()
  /** Streams of ours that the other side has not answered yet. */
  readonly #opening = new Map<number, () => void>()
  readonly #line: StreamLine
  /** Numbers that are odd are a client's, the even ones a server's. */
  readonly #isClient: boolean
  /** The last number that the other side has used. */
  #newest = 0
  /** The last number that this side has used. */
  #last: number
  #isOver = false
  #drained: Promise<void> | undefined
  #pings = 0
  #lastOpen: Promise<void> = Promise.resolve()

  constructor(options: SpdyOptions) {
    this.#options = options
    this.#isClient = options.role === 'client'
    this.#last = this.#isClient ? -1 : 0
    this.#line = {
      send: (stream, bytes, fin) => this.#sendData(stream, bytes, fin),
      reset: (stream) => {
        this.#streams.delete(stream)
        void this.#send({ type: 'reset', stream, status: RESET.cancel })
      },
    }
    const { socket } = options
    // The read loop is told, too; the event itself must not end the process.
    socket.on('error', () => undefined)
    const gone = new Promise<void>((resolve) => {
      if (socket.destroyed) resolve()
      else socket.once('close', () => resolve())
    })
    void gone.then(() => this.#fail())
    this.closed = Promise.all([this.#read(), gone]).then(() => undefined)
  }

  /**
   * Opens a stream, and resolves when the other side has it.
   *
   * @throws Error when the other side refuses it, or the connection is over.
   */
  async open(headers: Headers): Promise<SpdyStream> {
    if (this.#isOver) throw new Error('the connection is closed')
    this.#last += 2
    const id = this.#last
    const stream = new SpdyStream(id, headers, this.#line)
    this.#streams.set(id, stream)
    void stream.closed.then(() => this.#streams.delete(id))
    let isAnswered = false
    const answered = new Promise<void>((resolve) => {
      this.#opening.set(id, () => {
        isAnswered = true
        resolve()
      })
    })
    // One after the other: blocks are compressed in the order in which they are sent.
    this.#lastOpen = this.#lastOpen.then(async () => {
      const block = await this.#codec.encode(headers)
      await this.#send({ type: 'open', stream: id, fin: false, block })
    })
    await this.#lastOpen
    await Promise.race([answered, stream.closed])
    this.#opening.delete(id)
    if (!isAnswered) throw new Error('the other side has refused the stream')
    return stream
  }

  /** Sends what was written, says goodbye and ends the connection when the other side has left. */
  end(): void {
    if (this.#isOver) return
    void this.#send({ type: 'go-away' })
    this.#options.socket.end()
  }

  /** Ends the connection at once. */
  abort(): void {
    this.#options.socket.destroy()
    this.#fail()
  }

  /** Finds out whether the other side is still there: if not, the connection ends soon after. */
  ping(): void {
    if (this.#isOver) return
    this.#pings = (this.#pings + 2) % 0x7fff_fffe
    void this.#send({ type: 'ping', id: this.#pings + (this.#isClient ? 1 : 0) })
  }

  async #read(): Promise<void> {
    const reader = new FrameReader()
    try {
      for await (const chunk of this.#options.socket as AsyncIterable<Buffer>) {
        for (const frame of reader.push(chunk)) await this.#handle(frame)
      }
    } catch (error) {
      // What the other side did wrong, or that it is gone: both end its connection, and nothing else.
      if (error instanceof SpdyError) void this.#send({ type: 'go-away' })
    }
    this.abort()
  }

  async #handle(frame: Frame): Promise<void> {
    if (frame.type !== 'ping') this.#options.onActivity()
    switch (frame.type) {
      case 'open':
        return await this.#open(frame)
      case 'data':
        await this.#streams.get(frame.stream)?.push(frame.bytes, frame.fin)
        return this.#checkStream(frame.stream)
      case 'reset':
        return await this.#reset(frame.stream)
      case 'ping':
        if (!this.#isOwn(frame.id)) await this.#send(frame)
        return
      case 'reply':
        await this.#codec.decode(frame.block)
        this.#opening.get(frame.stream)?.()
        this.#opening.delete(frame.stream)
        if (frame.fin) await this.#streams.get(frame.stream)?.push(new Uint8Array(), true)
        return
      case 'headers':
        // Of no use, but what comes later is compressed with it in mind.
        await this.#codec.decode(frame.block)
        return
      case 'go-away':
        return
    }
  }

  async #open({ stream: id, fin, block }: Frame & { readonly type: 'open' | 'reply' | 'headers' }) {
    const headers = await this.#codec.decode(block)
    if (id <= this.#newest || this.#isOwn(id))
      throw new SpdyError('the number of a stream is not a new one of the other side')
    this.#newest = id
    const stream = new SpdyStream(id, headers, this.#line)
    if (this.#streams.size >= STREAMS_MAX || this.#isOver)
      return await this.#send({ type: 'reset', stream: id, status: RESET.refused })
    this.#streams.set(id, stream)
    void stream.closed.then(() => this.#streams.delete(id))
    await this.#send({
      type: 'reply',
      stream: id,
      fin: false,
      block: await this.#codec.encode(new Map()),
    })
    if (!this.#options.accept(stream)) return stream.reset()
    if (fin) await stream.push(new Uint8Array(), true)
  }

  async #reset(id: number): Promise<void> {
    const stream = this.#streams.get(id)
    this.#streams.delete(id)
    // Servers of Kubernetes reset the streams that they are done with instead of ending them.
    const isRefused = this.#opening.has(id)
    if (this.#isClient && !isRefused) await stream?.finish()
    else stream?.fail(new Error('the other side has reset the stream'))
  }

  #isOwn(id: number): boolean {
    return (id % 2 === 1) === this.#isClient
  }

  #checkStream(id: number): void {
    if (id > (this.#isOwn(id) ? this.#last : this.#newest))
      throw new SpdyError('there are data of a stream that was never opened')
  }

  async #sendData(stream: number, bytes: Uint8Array, fin: boolean): Promise<void> {
    let at = 0
    do {
      const piece = bytes.subarray(at, at + PIECE_BYTES_MAX)
      at += piece.length
      const { socket } = this.#options
      if (this.#isOver || socket.writableEnded) throw new Error('the connection is closed')
      socket.cork()
      socket.write(dataHeader(stream, fin && at === bytes.length, piece.length))
      if (piece.length > 0) socket.write(piece)
      socket.uncork()
      if (socket.writableNeedDrain) await this.#drain()
    } while (at < bytes.length)
  }

  async #send(frame: Frame): Promise<void> {
    const { socket } = this.#options
    if (this.#isOver || socket.destroyed || socket.writableEnded) return
    if (!socket.write(encodeFrame(frame))) await this.#drain()
  }

  /** Resolves when the socket has room again, or never will. One wait for all streams. */
  #drain(): Promise<void> {
    const { socket } = this.#options
    this.#drained ??= new Promise<void>((resolve) => {
      const settle = (): void => {
        socket.off('drain', settle)
        socket.off('close', settle)
        this.#drained = undefined
        resolve()
      }
      socket.once('drain', settle)
      socket.once('close', settle)
      if (socket.destroyed) settle()
    })
    return this.#drained
  }

  #fail(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#codec.close()
    const streams = [...this.#streams.values()]
    this.#streams.clear()
    for (const stream of streams) stream.fail(new Error('the connection is closed'))
  }
}
