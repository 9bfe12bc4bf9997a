import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import type { ByteStream } from '../../../core/interfaces/byte-stream.ts'
import type { Cancel, Clock } from '../../../core/interfaces/clock.ts'
import { RuntimeError } from '../index.ts'
import { SocketStream } from '../socket-stream.ts'

/** Nobody may need it again. */
const IDLE_MS = 10_000
/** How long a connection may take to come up, the start of the helper included. */
const CONNECT_MS = 30_000

/**
 * What runs in the network of a pod: it connects and hands the connection over. Without reading: the
 * first bytes may be there before it is handed over.
 */
const HELPER = `
const { connect } = require('node:net')
process.on('disconnect', () => process.exit())
process.on('message', ({ id, port }) => {
  const attempt = (hosts) => {
    const [host, ...others] = hosts
    const socket = connect({ host, port, noDelay: true, allowHalfOpen: true })
    socket.pause()
    socket.once('error', (error) => {
      if (others.length > 0) attempt(others)
      else process.send({ id, error: error.code || error.message })
    })
    socket.once('connect', () => process.send({ id }, socket, { keepOpen: false }))
  }
  attempt(['127.0.0.1', '::1'])
})
`

interface Answer {
  readonly id: number
  readonly error?: string
}

interface Waiting {
  readonly port: number
  readonly resolve: (socket: Socket) => void
  readonly reject: (error: Error) => void
}

/**
 * The way into the network of one pod: a process that joined it, which connects to its ports and hands
 * the connections over. It is started for the first connection, and ends when it was not needed for a
 * while; connections stay.
 */
export class NetworkDoor {
  /** Resolves when the helper is gone. */
  readonly closed: Promise<void>
  readonly #clock: Clock
  readonly #child: ChildProcess
  readonly #onClosed: () => void
  readonly #waiting = new Map<number, Waiting>()
  #last = 0
  #cancel: Cancel | undefined

  /**
   * @param pid a process in the network of the pod.
   * @param onClosed called when it ends: it cannot be used any more.
   */
  constructor(pid: number, clock: Clock, onClosed: () => void) {
    this.#clock = clock
    this.#onClosed = onClosed
    const words = [`--net=/proc/${pid}/ns/net`, '--', process.execPath, '-e', HELPER]
    this.#child = spawn('nsenter', words, {
      env: { PATH: process.env['PATH'] ?? '' },
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    this.closed = new Promise((resolve) => {
      const end = (why: string): void => {
        this.#cancel?.()
        for (const { reject } of this.#waiting.values()) reject(new Error(why))
        this.#waiting.clear()
        onClosed()
        resolve()
      }
      this.#child.once('error', (error) => end(error.message))
      this.#child.once('exit', () => end('the way into the network of the pod is closed'))
    })
    this.#child.on('message', (answer, handle) => this.#take(answer as Answer, handle as Socket))
  }

  /** Connects to a port of the pod. @throws RuntimeError `Unavailable` when nobody listens there. */
  async connect(port: number): Promise<ByteStream> {
    this.#cancel?.()
    this.#last += 1
    const id = this.#last
    const cancel = this.#clock.schedule(CONNECT_MS, () => {
      this.#waiting.get(id)?.reject(new Error('i/o timeout'))
      this.#waiting.delete(id)
    })
    try {
      const socket = await new Promise<Socket>((resolve, reject) => {
        this.#waiting.set(id, { port, resolve, reject })
        this.#child.send({ id, port }, (error) => {
          if (error !== null) reject(error)
        })
      })
      socket.allowHalfOpen = true
      return new SocketStream(socket)
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      const text = why === 'ECONNREFUSED' ? 'connection refused' : why
      const message = `failed to connect to localhost:${port} inside the pod, IPv4: dial tcp4 127.0.0.1:${port}: connect: ${text}`
      throw new RuntimeError('Unavailable', message, { cause })
    } finally {
      cancel()
      this.#waiting.delete(id)
      this.#rest()
    }
  }

  /** Ends the helper. Resolves when it is gone. */
  async close(): Promise<void> {
    this.#cancel?.()
    if (this.#child.connected) this.#child.disconnect()
    else this.#child.kill('SIGKILL')
    await this.closed
  }

  #rest(): void {
    this.#cancel?.()
    if (this.#waiting.size > 0) return
    this.#cancel = this.#clock.schedule(IDLE_MS, () => {
      this.#onClosed()
      void this.close()
    })
  }

  #take({ id, error }: Answer, socket: Socket | undefined): void {
    const waiting = this.#waiting.get(id)
    this.#waiting.delete(id)
    if (waiting === undefined || socket === undefined) {
      socket?.destroy()
      waiting?.reject(new Error(error ?? 'it was not handed over'))
      return
    }
    waiting.resolve(socket)
  }
}
