import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

const CHUNK_END = Buffer.from('\r\n')

/** The chunk that was framed last: everybody who watches is sent the same bytes, one after the other. */
let lastFramed: { readonly piece: Uint8Array; readonly chunk: Uint8Array } | undefined

/** A piece as a chunk of a chunked body (RFC 9112, 7.1). */
function chunkOf(piece: Uint8Array): Uint8Array {
  if (lastFramed?.piece === piece) return lastFramed.chunk
  const chunk = Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, CHUNK_END])
  lastFramed = { piece, chunk }
  return chunk
}

/**
 * Where a watch writes. Bytes go to the connection itself as soon as it belongs to the response, framed
 * once for all watches: the response would put each frame together out of four writes, for every watch
 * anew.
 */
export class WatchSink {
  readonly #response: ServerResponse
  readonly #onDrain: () => void
  /** The connection, once it was written to. */
  #socket: Socket | undefined

  /** @param onDrain called when there is room again. */
  constructor(response: ServerResponse, onDrain: () => void) {
    this.#response = response
    this.#onDrain = onDrain
    response.on('drain', onDrain)
    response.once('close', () => this.#socket?.off('drain', onDrain))
  }

  /** Whether the reader is behind: what is written now waits in memory. */
  get isFull(): boolean {
    return this.#response.writableNeedDrain || this.#socket?.writableNeedDrain === true
  }

  /** Writes behind what was written, once the headers are sent. */
  write(parts: readonly (string | Uint8Array)[]): void {
    const [first] = parts
    const socket = this.#connection()
    if (socket !== undefined && parts.length === 1 && first instanceof Uint8Array) {
      if (first.length > 0) socket.write(chunkOf(first))
      return
    }
    const bytes = parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))
    const length = bytes.reduce((sum, part) => sum + part.length, 0)
    if (length === 0) return
    if (socket === undefined) this.#response.write(Buffer.concat(bytes))
    else writeTogether(socket, [Buffer.from(`${length.toString(16)}\r\n`), ...bytes, CHUNK_END])
  }

  /** The connection, as soon as it belongs to the response and while it takes chunks. */
  #connection(): Socket | undefined {
    const { socket, chunkedEncoding } = this.#response
    // Before an earlier response of the connection is done there is none, and HTTP/1.0 has no chunks.
    if (socket?.writable !== true || !chunkedEncoding) return undefined
    if (this.#socket === undefined) {
      this.#socket = socket
      socket.on('drain', this.#onDrain)
    }
    return socket
  }
}

/** Put together by the connection where it encrypts them, and nowhere before. */
function writeTogether(socket: Socket, parts: readonly Uint8Array[]): void {
  socket.cork()
  for (const part of parts) socket.write(part)
  socket.uncork()
}
