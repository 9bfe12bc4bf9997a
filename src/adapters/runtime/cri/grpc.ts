import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import { connect as connectSocket } from 'node:net'

import {
  callHeaders,
  FRAME_HEAD_BYTES,
  frame,
  GRPC,
  type GrpcStatus,
  statusIn,
} from '../../grpc/wire.ts'

/** What the other side answered instead of a message, or that it could not be reached. */
export class GrpcError extends Error {
  /** One of the codes of gRPC. */
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.name = 'GrpcError'
    this.code = code
  }
}

/** One call. */
export interface GrpcCall {
  /** Such as `/runtime.v1.RuntimeService/Version`. */
  readonly path: string
  readonly request: Uint8Array
  /** Given up after this, in milliseconds. Undefined: never. */
  readonly timeoutMs?: number | undefined
  /** Called with each message of the answer. */
  readonly onMessage: (message: Uint8Array) => void
  /** Ends the call early, which then fails with `cancelled`. */
  readonly signal?: AbortSignal | undefined
}

/** What one answer may take: kubelet's own limit. */
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024
/** The other side is told the deadline; it gets this long to say so itself. */
const DEADLINE_SLACK_MS = 500

/**
 * Calls of gRPC over a unix socket, with Node's own HTTP/2: one connection, made at the first call and
 * again after it broke. Compression and client streams are left out, as no container runtime needs them.
 */
export class GrpcChannel {
  readonly #socketPath: string
  #session: ClientHttp2Session | undefined
  #isClosed = false
  /** Calls that somebody waits for. */
  #waiting = 0

  constructor(socketPath: string) {
    this.#socketPath = socketPath
  }

  /**
   * Resolves when the answer is complete.
   *
   * @throws GrpcError with the code of the other side; `unavailable` when nobody answers there.
   */
  async call(call: GrpcCall): Promise<void> {
    if (this.#isClosed) throw new GrpcError(GRPC.unavailable, 'the channel is closed')
    const { path, request, timeoutMs, signal } = call
    // Before there is a stream: one that fails while nobody listens to it ends the process.
    if (timeoutMs !== undefined && !Number.isFinite(timeoutMs))
      throw new GrpcError(GRPC.invalidArgument, 'the time for a call has to be a number')
    const session = this.#open()
    const stream = session.request(callHeaders(path, timeoutMs))
    const cancel = (): void => stream.close(constants.NGHTTP2_CANCEL)
    signal?.addEventListener('abort', cancel, { once: true })
    if (signal?.aborted === true) cancel()
    if (timeoutMs !== undefined) stream.setTimeout(timeoutMs + DEADLINE_SLACK_MS, cancel)
    const isAwaited = timeoutMs !== undefined
    if (isAwaited) this.#wait(session, 1)
    try {
      stream.end(frame(request))
      await answerOf(stream, call)
    } finally {
      if (isAwaited) this.#wait(session, -1)
      signal?.removeEventListener('abort', cancel)
    }
  }

  /** Ends the connection, and every call on it. */
  close(): void {
    this.#isClosed = true
    this.#session?.destroy()
  }

  /** A connection keeps a program from ending while an answer is awaited, and only then. */
  #wait(session: ClientHttp2Session, change: 1 | -1): void {
    if (session !== this.#session) return
    this.#waiting += change
    if (this.#waiting > 0) session.ref()
    else session.unref()
  }

  #open(): ClientHttp2Session {
    const session = this.#session
    if (session !== undefined && !session.closed && !session.destroyed) return session
    const next = connect('http://localhost', {
      createConnection: () => connectSocket(this.#socketPath),
    })
    // Every call on it is told; the event itself must not end the process.
    next.on('error', () => undefined)
    next.unref()
    this.#waiting = 0
    this.#session = next
    return next
  }
}

function answerOf(stream: ClientHttp2Stream, { path, onMessage }: GrpcCall): Promise<void> {
  return new Promise((resolve, reject) => {
    let pending: Buffer = Buffer.alloc(0)
    let status: GrpcStatus | undefined
    let failure: string | undefined
    const readStatus = (headers: object): void => {
      status = statusIn(headers) ?? status
    }
    stream.on('response', readStatus)
    stream.on('trailers', readStatus)
    stream.on('data', (chunk: Buffer) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
      while (pending.length >= FRAME_HEAD_BYTES) {
        const length = pending.readUInt32BE(1)
        if (length > MESSAGE_BYTES_MAX || pending[0] !== 0) {
          failure = 'the answer is too large or compressed'
          stream.close(constants.NGHTTP2_CANCEL)
          return
        }
        const end = FRAME_HEAD_BYTES + length
        if (pending.length < end) return
        onMessage(pending.subarray(FRAME_HEAD_BYTES, end))
        pending = pending.subarray(end)
      }
    })
    stream.on('error', (error) => {
      failure ??= error.message
    })
    stream.on('close', () => {
      if (status?.code === GRPC.ok && failure === undefined) return resolve()
      const code = status?.code ?? GRPC.unavailable
      const why = failure ?? status?.message ?? 'the connection ended'
      reject(new GrpcError(code === GRPC.ok ? GRPC.unknown : code, `${path}: ${why}`))
    })
  })
}
