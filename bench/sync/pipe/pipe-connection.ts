import {
  type CloseReason,
  type Connection,
  ConnectionClosedError,
  type TidewayError,
} from 'tideway'

/** How a connection reaches the socket that it shares with all others. */
export interface PipeEnd {
  send(message: Uint8Array): boolean
  drained(): Promise<void>
  close(): void
}

/** One of many connections over one socket: what arrives is queued here until it is read. */
export class PipeConnection implements Connection {
  readonly direction: 'inbound' | 'outbound'
  readonly remoteAddress = 'pipe'
  readonly principal: string | undefined
  readonly closed: Promise<CloseReason>
  readonly #end: PipeEnd
  readonly #inbox: Uint8Array[] = []
  #wake: () => void = () => undefined
  #over: CloseReason | undefined
  #resolveClosed: (reason: CloseReason) => void = () => undefined

  constructor(direction: 'inbound' | 'outbound', principal: string | undefined, end: PipeEnd) {
    this.direction = direction
    this.principal = principal
    this.#end = end
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve
    })
  }

  send(message: Uint8Array): boolean {
    if (this.#over !== undefined) throw new ConnectionClosedError()
    return this.#end.send(message)
  }

  drained(): Promise<void> {
    return this.#end.drained()
  }

  close(): Promise<void> {
    if (this.#over === undefined) {
      this.#end.close()
      this.#finish({ type: 'local' })
    }
    return Promise.resolve()
  }

  abort(error: TidewayError): void {
    if (this.#over !== undefined) return
    this.#end.close()
    this.#finish({ type: 'failed', error })
  }

  /** The other end sent a message. */
  arrived(message: Uint8Array): void {
    this.#inbox.push(message)
    this.#wake()
  }

  /** The other end closed. */
  left(): void {
    if (this.#over === undefined) this.#finish({ type: 'remote', reason: '' })
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, undefined> {
    while (true) {
      const message = this.#inbox.shift()
      if (message !== undefined) {
        yield message
        continue
      }
      if (this.#over !== undefined) return undefined
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  #finish(reason: CloseReason): void {
    this.#over = reason
    this.#resolveClosed(reason)
    this.#wake()
  }
}
