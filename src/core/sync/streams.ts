import { UsageError } from '../errors.ts'
import { SparseMap } from '../sparse-collections.ts'
import { ReceiveCredit, SendCredit } from './credit.ts'
import type { Violation } from './field-reader.ts'
import type { SessionOutput } from './io.ts'
import {
  NAME_BYTES_MAX,
  type SessionLimits,
  STREAM_CREDIT_BYTES,
  STREAM_HEAD_BYTES_MAX,
  STREAM_PIECE_BYTES,
} from './limits.ts'
import type { StreamFrame } from './message.ts'

interface Stream {
  readonly id: number
  readonly send: SendCredit
  readonly receive: ReceiveCredit
  /** OPEN first, then bytes. */
  open: StreamFrame | undefined
  readonly queue: Uint8Array[]
  queuedBytes: number
  /** The writer was told to wait. */
  waiting: boolean
  localEnded: boolean
  endSent: boolean
  remoteEnded: boolean
}

/**
 * Ordered byte pipes inside a session: each with its own credit, closed one direction at a time.
 *
 * The dialer's streams have odd numbers and the accepter's even ones, each counting up, so that an
 * old number is known without remembering it. Pieces of all writable streams take turns.
 */
export class Streams {
  readonly #limits: SessionLimits
  readonly #emit: (output: SessionOutput) => void
  readonly #streams: SparseMap<number, Stream> = new SparseMap()
  readonly #resets: StreamFrame[] = []
  #nextId: number
  #newestOfPeer: number
  #turn = 0

  constructor(
    role: 'dialer' | 'accepter',
    limits: SessionLimits,
    emit: (output: SessionOutput) => void,
  ) {
    this.#limits = limits
    this.#emit = emit
    this.#nextId = role === 'dialer' ? 1 : 2
    this.#newestOfPeer = role === 'dialer' ? 0 : -1
  }

  get open(): readonly number[] {
    return [...this.#streams.keys()]
  }

  /** @throws UsageError when the protocol's name or the head is too large. */
  openStream(protocol: string, head: Uint8Array): number {
    // A UTF-16 unit takes 3 bytes at most.
    if (
      protocol.length === 0 ||
      protocol.length * 3 > NAME_BYTES_MAX ||
      head.length > STREAM_HEAD_BYTES_MAX
    ) {
      throw new UsageError(
        'USAGE_INVALID_ARGUMENT',
        'the protocol or the head of a stream is too large',
        { protocol },
      )
    }
    const id = this.#nextId
    this.#nextId += 2
    this.#add(id, { type: 'stream-open', stream: id, protocol, head })
    return id
  }

  #add(id: number, open: StreamFrame | undefined): void {
    this.#streams.set(id, {
      id,
      send: new SendCredit(STREAM_CREDIT_BYTES),
      receive: new ReceiveCredit(STREAM_CREDIT_BYTES, STREAM_CREDIT_BYTES),
      open,
      queue: [],
      queuedBytes: 0,
      waiting: false,
      localEnded: false,
      endSent: false,
      remoteEnded: false,
    })
  }

  /**
   * Takes bytes for the peer; false when the writer has to wait for `stream-writable`.
   *
   * @throws UsageError when the writer did not wait, or had ended the stream.
   */
  write(id: number, bytes: Uint8Array): boolean {
    const stream = this.#streams.get(id)
    // It may have been reset while the writer was busy; the reset is on its way to it.
    if (stream === undefined) return false
    if (stream.localEnded)
      throw new UsageError('USAGE_CLOSED', 'the stream was ended', { stream: id })
    if (stream.queuedBytes > this.#limits.streamQueueBytes * 4) {
      throw new UsageError('USAGE_INVALID_ARGUMENT', 'the writer of a stream does not wait', {
        stream: id,
      })
    }
    if (bytes.length > 0) stream.queue.push(bytes)
    stream.queuedBytes += bytes.length
    stream.waiting = stream.queuedBytes > this.#limits.streamQueueBytes
    return !stream.waiting
  }

  end(id: number): void {
    const stream = this.#streams.get(id)
    if (stream !== undefined) stream.localEnded = true
  }

  reset(id: number, code: string, message: string): void {
    const stream = this.#streams.get(id)
    if (stream === undefined) return
    this.#streams.delete(id)
    // The peer never heard of a stream whose OPEN still waits.
    if (stream.open === undefined)
      this.#resets.push({ type: 'stream-reset', stream: id, code, message })
  }

  consumed(id: number, bytes: number): void {
    this.#streams.get(id)?.receive.release(bytes)
  }

  /** Takes a frame of the peer. */
  receive(frame: StreamFrame): Violation | undefined {
    if (frame.type === 'stream-open') return this.#receiveOpen(frame)
    const stream = this.#streams.get(frame.stream)
    if (stream === undefined) return this.#receiveUnknown(frame.stream)
    switch (frame.type) {
      case 'stream-bytes':
        return this.#receiveBytes(stream, frame.bytes)
      case 'stream-end':
        if (stream.remoteEnded) return wrong('STREAM_END: the stream was ended before')
        stream.remoteEnded = true
        this.#emit({ type: 'stream-ended', stream: stream.id })
        this.#forgetIfOver(stream)
        return undefined
      case 'stream-reset': {
        const { code, message } = frame
        this.#streams.delete(stream.id)
        this.#emit({ type: 'stream-reset', stream: stream.id, code, message })
        return undefined
      }
      case 'stream-credit':
        stream.send.grant(frame.credit)
        return undefined
    }
  }

  #receiveOpen(frame: StreamFrame & { readonly type: 'stream-open' }): Violation | undefined {
    const id = frame.stream
    if (id <= this.#newestOfPeer || id % 2 === this.#nextId % 2) {
      return wrong('STREAM_OPEN: stream is not a new number of the sender')
    }
    this.#newestOfPeer = id
    // Each stream that was refused waits here as its reset, until the peer reads.
    if (this.#resets.length > this.#limits.streamsMax) {
      return {
        code: 'PROTOCOL_LIMIT_EXCEEDED',
        message: 'STREAM_OPEN: refused streams are opened again',
      }
    }
    let ofPeer = 0
    for (const other of this.#streams.keys()) if (other % 2 === id % 2) ofPeer += 1
    if (ofPeer >= this.#limits.streamsMax) {
      const message = 'too many streams are open'
      this.#resets.push({
        type: 'stream-reset',
        stream: id,
        code: 'PROTOCOL_LIMIT_EXCEEDED',
        message,
      })
      return undefined
    }
    this.#add(id, undefined)
    this.#emit({ type: 'stream-opened', stream: id, protocol: frame.protocol, head: frame.head })
    return undefined
  }

  #receiveBytes(stream: Stream, bytes: Uint8Array): Violation | undefined {
    if (stream.remoteEnded) return wrong('STREAM_BYTES: the stream was ended before')
    if (!stream.receive.receive(bytes.length)) {
      return {
        code: 'PROTOCOL_LIMIT_EXCEEDED',
        message: 'STREAM_BYTES: more bytes than were granted',
      }
    }
    if (bytes.length > 0) this.#emit({ type: 'stream-bytes', stream: stream.id, bytes })
    return undefined
  }

  /** Frames for a stream that we closed may still be on their way; one never opened is a mistake. */
  #receiveUnknown(id: number): Violation | undefined {
    const ours = id % 2 === this.#nextId % 2
    const newest = ours ? this.#nextId - 2 : this.#newestOfPeer
    return id <= newest ? undefined : wrong('STREAM: stream was never opened')
  }

  #forgetIfOver(stream: Stream): void {
    if (stream.remoteEnded && stream.endSent) this.#streams.delete(stream.id)
  }

  /** The next frame to send: resets and credit first, then one piece of the stream whose turn it is. */
  next(): StreamFrame | undefined {
    const reset = this.#resets.shift()
    if (reset !== undefined) return reset
    const all = [...this.#streams.values()]
    for (const stream of all) {
      if (!stream.remoteEnded && stream.receive.owed) {
        return { type: 'stream-credit', stream: stream.id, credit: stream.receive.tell() }
      }
    }
    // On the wire their numbers only grow: streams are opened in order, whoever's turn it is.
    for (const stream of all) if (stream.open !== undefined) return this.#piece(stream)
    for (let i = 0; i < all.length; i += 1) {
      const index = (this.#turn + i) % all.length
      const stream = all[index]
      const frame = stream === undefined ? undefined : this.#piece(stream)
      if (frame === undefined) continue
      this.#turn = index + 1
      return frame
    }
    return undefined
  }

  #piece(stream: Stream): StreamFrame | undefined {
    if (stream.open !== undefined) {
      const open = stream.open
      stream.open = undefined
      return open
    }
    const first = stream.queue[0]
    if (first === undefined) return this.#endOf(stream)
    const length = Math.min(first.length, STREAM_PIECE_BYTES, stream.send.available)
    if (length === 0) return undefined
    if (length === first.length) stream.queue.shift()
    else stream.queue[0] = first.subarray(length)
    stream.queuedBytes -= length
    stream.send.use(length)
    if (stream.waiting && stream.queuedBytes <= this.#limits.streamQueueBytes / 2) {
      stream.waiting = false
      this.#emit({ type: 'stream-writable', stream: stream.id })
    }
    return { type: 'stream-bytes', stream: stream.id, bytes: first.subarray(0, length) }
  }

  #endOf(stream: Stream): StreamFrame | undefined {
    if (!stream.localEnded || stream.endSent) return undefined
    stream.endSent = true
    this.#forgetIfOver(stream)
    return { type: 'stream-end', stream: stream.id }
  }

  /** The session is over: whoever uses a stream has to know. */
  fail(code: string, message: string): void {
    for (const id of this.#streams.keys())
      this.#emit({ type: 'stream-reset', stream: id, code, message })
    this.#streams.clear()
  }
}

function wrong(message: string): Violation {
  return { code: 'PROTOCOL_REMOTE', message }
}
