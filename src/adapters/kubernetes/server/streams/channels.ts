import type { WebSocket } from 'ws'

/** The channels of a session, by their number in each message. */
export const CHANNEL: {
  readonly stdin: 0
  readonly stdout: 1
  readonly stderr: 2
  readonly error: 3
  readonly resize: 4
} = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 }

/** A message that ends a channel instead of carrying something for it. */
const CLOSE_SIGNAL = 255

/** Messages that wait for their reader before the socket is read no further, in bytes. */
const WAITING_BYTES_MAX = 128 * 1024

/** Bytes that wait to be sent before a writer has to wait. */
const UNSENT_BYTES_MAX = 256 * 1024

const ZERO = 0x30

/** How messages look in one protocol. */
export interface ChannelForm {
  /** Messages are text: a digit for the channel, then base64. */
  readonly base64: boolean
  /** A message can end a channel. */
  readonly closes: boolean
}

/** What a client sent on a channel; `bytes` is undefined when it ended the channel. */
export interface ChannelMessage {
  readonly channel: number
  readonly bytes: Uint8Array | undefined
}

/** Reads a message. @returns undefined for one that means nothing. */
export function decodeMessage(raw: Uint8Array, form: ChannelForm): ChannelMessage | undefined {
  const [first, second] = raw
  if (first === undefined) return undefined
  if (form.base64) {
    const text = Buffer.from(raw.buffer, raw.byteOffset + 1, raw.byteLength - 1).toString('latin1')
    return { channel: first - ZERO, bytes: Buffer.from(text, 'base64') }
  }
  if (form.closes && first === CLOSE_SIGNAL)
    return raw.length === 2 && second !== undefined
      ? { channel: second, bytes: undefined }
      : undefined
  return { channel: first, bytes: raw.subarray(1) }
}

/** Writes a message. */
export function encodeMessage(
  channel: number,
  bytes: Uint8Array,
  form: ChannelForm,
): Uint8Array | string {
  if (form.base64) return `${channel}${Buffer.from(bytes).toString('base64')}`
  const message = new Uint8Array(bytes.length + 1)
  message[0] = channel
  message.set(bytes, 1)
  return message
}

/**
 * A WebSocket that carries channels. Iterating gives the client's messages, for one consumer, once,
 * and ends when the socket closes, however it does.
 */
export class ChannelSocket implements AsyncIterable<ChannelMessage> {
  /** Resolves when the socket has closed. Never rejects. */
  readonly closed: Promise<void>
  readonly #socket: WebSocket
  readonly #form: ChannelForm
  readonly #waiting: ChannelMessage[] = []
  #waitingBytes = 0
  #isClosed = false
  #wake: () => void = () => undefined

  constructor(socket: WebSocket, form: ChannelForm, onActivity: () => void) {
    this.#socket = socket
    this.#form = form
    socket.binaryType = 'nodebuffer'
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#isClosed = true
        this.#wake()
        resolve()
      })
    })
    socket.on('message', (raw: Buffer) => {
      onActivity()
      this.#take(raw)
    })
  }

  /** Sends bytes on a channel; resolves when there is room for more. @throws when it has closed. */
  async send(channel: number, bytes: Uint8Array): Promise<void> {
    const message = encodeMessage(channel, bytes, this.#form)
    await new Promise<void>((resolve, reject) => {
      this.#socket.send(message, (error) => {
        if (error === undefined || error === null) resolve()
        else reject(error)
      })
      if (this.#socket.bufferedAmount <= UNSENT_BYTES_MAX && !this.#isClosed) resolve()
    })
  }

  /** Finds out whether the client is still there. */
  ping(): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.ping()
  }

  /** Closes in good order, after what was sent. */
  end(): void {
    this.#socket.close(1000)
  }

  /** Closes at once. */
  abort(): void {
    this.#socket.terminate()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ChannelMessage> {
    while (true) {
      const message = this.#waiting.shift()
      if (message !== undefined) {
        this.#waitingBytes -= message.bytes?.length ?? 0
        if (this.#waitingBytes <= WAITING_BYTES_MAX && this.#socket.isPaused) this.#socket.resume()
        yield message
        continue
      }
      if (this.#isClosed) return
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #take(raw: Buffer): void {
    const message = decodeMessage(raw, this.#form)
    if (message === undefined) return
    this.#waiting.push(message)
    this.#waitingBytes += message.bytes?.length ?? 0
    if (this.#waitingBytes > WAITING_BYTES_MAX) this.#socket.pause()
    this.#wake()
  }
}
