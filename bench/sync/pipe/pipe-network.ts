import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Connection, Listener, Transport } from 'tideway'

import { FrameReader, type FrameType, frameHead } from './frames.ts'
import { PipeConnection } from './pipe-connection.ts'

const MESSAGE_BYTES_MAX = 16 * 1024 * 1024
/** Above this many waiting bytes in the shared socket, connections are told to wait. */
const QUEUED_BYTES_MAX = 16 * 1024 * 1024

/**
 * Any number of connections between two processes over one socket: a network for more peers than a
 * machine has sockets to spare, whose two sides can be measured apart.
 */
class Pipe {
  readonly connections = new Map<number, PipeConnection>()
  readonly #socket: Socket
  #drain: Promise<void> | undefined

  constructor(socket: Socket, onOpen: (connection: PipeConnection) => void) {
    this.#socket = socket
    const reader = new FrameReader()
    socket.on('data', (chunk: Buffer) => {
      for (const { type, connection, bytes } of reader.read(chunk)) {
        if (type === 'open') onOpen(this.add('inbound', connection, Buffer.from(bytes).toString()))
        else if (type === 'message') this.connections.get(connection)?.arrived(bytes)
        else {
          this.connections.get(connection)?.left()
          this.connections.delete(connection)
        }
      }
    })
    socket.on('close', () => {
      for (const connection of this.connections.values()) connection.left()
      this.connections.clear()
    })
    socket.on('error', () => socket.destroy())
  }

  add(
    direction: 'inbound' | 'outbound',
    id: number,
    principal: string | undefined,
  ): PipeConnection {
    const connection = new PipeConnection(direction, principal, {
      send: (message) => this.write('message', id, message),
      drained: () => this.#drained(),
      close: () => {
        this.connections.delete(id)
        this.write('close', id, new Uint8Array(0))
      },
    })
    this.connections.set(id, connection)
    return connection
  }

  write(type: FrameType, id: number, bytes: Uint8Array): boolean {
    if (this.#socket.destroyed) return true
    this.#socket.cork()
    this.#socket.write(frameHead(type, id, bytes.length))
    if (bytes.length > 0) this.#socket.write(bytes)
    process.nextTick(() => this.#socket.uncork())
    return this.#socket.writableLength <= QUEUED_BYTES_MAX
  }

  #drained(): Promise<void> {
    if (this.#socket.writableLength <= QUEUED_BYTES_MAX) return Promise.resolve()
    this.#drain ??= once(this.#socket, 'drain').then(() => {
      this.#drain = undefined
    })
    return this.#drain
  }
}

/** The dialling side: each dial opens one more connection as the principal that is given. */
export async function pipeNetwork(path: string): Promise<(principal: string) => Transport> {
  const socket = connect(path)
  await once(socket, 'connect')
  const pipe = new Pipe(socket, () => undefined)
  let connections = 0
  return (principal) => ({
    name: 'pipe',
    supports: { listen: false, readBackpressure: false, messageBytesMax: MESSAGE_BYTES_MAX },
    dial: () => {
      connections += 1
      const connection = pipe.add('outbound', connections, undefined)
      pipe.write('open', connections, Buffer.from(principal))
      return Promise.resolve(connection)
    },
  })
}

/** The accepting side, on a socket of the file system. */
export async function pipeListener(path: string): Promise<Listener> {
  const waiting: Connection[] = []
  let wake: () => void = () => undefined
  let over = false
  const server = createServer(
    (socket) =>
      new Pipe(socket, (connection) => {
        waiting.push(connection)
        wake()
      }),
  )
  server.listen(path)
  await once(server, 'listening')
  return {
    addresses: [path],
    close: () => {
      over = true
      server.close()
      wake()
      return Promise.resolve()
    },
    async *[Symbol.asyncIterator]() {
      while (true) {
        const connection = waiting.shift()
        if (connection !== undefined) {
          yield connection
          continue
        }
        if (over) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    },
  }
}
