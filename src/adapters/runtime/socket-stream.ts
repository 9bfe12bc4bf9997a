import { connect, type Socket } from 'node:net'
import type { ByteStream } from '../../core/interfaces/byte-stream.ts'
import { RuntimeError } from './index.ts'
import { writeGently } from './write-gently.ts'

/** How long a connection to a port of a pod may take to come up. */
const DIAL_MS_MAX = 10_000
/** Where something in a pod may listen that nobody else sees. */
const LOOPBACKS = ['127.0.0.1', '::1'] as const

/**
 * Connects to a port of this machine: of a pod that shares its network.
 *
 * @throws RuntimeError `Unavailable` when nobody listens, in the words of Go's dialer.
 */
export async function connectPort(port: number): Promise<ByteStream> {
  let first: unknown
  for (const host of LOOPBACKS) {
    try {
      return new SocketStream(await dial(host, port))
    } catch (error) {
      first ??= error
    }
  }
  const why = first instanceof Error && 'code' in first ? String(first.code) : 'unknown'
  const text = why === 'ECONNREFUSED' ? 'connection refused' : why
  throw new RuntimeError(
    'Unavailable',
    `failed to connect to localhost:${port} inside the pod, IPv4: dial tcp4 127.0.0.1:${port}: connect: ${text}`,
    { cause: first },
  )
}

function dial(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true })
    const fail = (error: Error): void => {
      socket.destroy()
      reject(error)
    }
    socket.once('error', fail)
    socket.setTimeout(DIAL_MS_MAX, () => fail(new Error('i/o timeout')))
    socket.once('connect', () => {
      socket.off('error', fail)
      socket.setTimeout(0)
      resolve(socket)
    })
  })
}

/** A TCP connection as a {@link ByteStream}. */
export class SocketStream implements ByteStream {
  readonly closed: Promise<void>
  readonly #socket: Socket

  constructor(socket: Socket) {
    this.#socket = socket
    // Whoever reads or writes is told; the event itself must not end the process.
    socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => {
      socket.once('close', () => resolve())
    })
  }

  async write(bytes: Uint8Array): Promise<void> {
    const socket = this.#socket
    if (socket.destroyed || socket.writableEnded) throw new Error('the connection is closed')
    await writeGently(socket, bytes)
    if (socket.destroyed) throw new Error('the connection is closed')
  }

  end(): void {
    this.#socket.end()
  }

  reset(): void {
    this.#socket.destroy()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    let isWhole = false
    try {
      // Not the end of the socket: the other direction stays open after the last byte.
      for await (const bytes of this.#socket.iterator({ destroyOnReturn: false })) {
        yield bytes as Buffer
      }
      isWhole = true
    } finally {
      if (!isWhole) this.#socket.destroy()
    }
  }
}
