import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** A TCP relay between an edge and its cloud that can be cut and mended. */
export class FlappingLink {
  readonly #server: Server
  readonly #target: string
  readonly #sockets = new Set<Socket>()
  #isUp = true

  private constructor(server: Server, target: string) {
    this.#server = server
    this.#target = target
  }

  /** @param target where the cloud listens, as `HOST:PORT`. */
  static async open(target: string): Promise<FlappingLink> {
    const server = createServer()
    const link = new FlappingLink(server, target)
    server.on('connection', (socket) => link.#relay(socket))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return link
  }

  /** What an edge is to dial, as `HOST:PORT`. */
  get address(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('the link is closed')
    return `127.0.0.1:${address.port}`
  }

  /** Ends every connection, and takes none. */
  cut(): void {
    this.#isUp = false
    for (const socket of this.#sockets) socket.destroy()
  }

  mend(): void {
    this.#isUp = true
  }

  async close(): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #relay(near: Socket): void {
    if (!this.#isUp) {
      near.destroy()
      return
    }
    const [host = '', port] = this.#target.split(':')
    const far = connect(Number(port), host)
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(one)
      one.on('error', () => other.destroy())
      one.on('close', () => {
        this.#sockets.delete(one)
        other.destroy()
      })
    }
    near.pipe(far)
    far.pipe(near)
  }
}
