import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** Stands between a node and its cloud, and counts what passes, encrypted as it is. */
export class LinkMeter {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #bytes = 0

  private constructor(port: number) {
    this.#server = createServer((near) => this.#join(near, connect({ host: '127.0.0.1', port })))
  }

  /** Passes on to a port of this machine. */
  static async open(port: number): Promise<LinkMeter> {
    const meter = new LinkMeter(port)
    meter.#server.listen(0, '127.0.0.1')
    await once(meter.#server, 'listening')
    return meter
  }

  /** Such as `127.0.0.1:43210`. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** How many bytes have passed, in both directions together. */
  get bytes(): number {
    return this.#bytes
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #join(near: Socket, far: Socket): void {
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from)
      from.setNoDelay(true)
      from.on('data', (bytes: Buffer) => {
        this.#bytes += bytes.length
        to.write(bytes)
      })
      from.on('end', () => to.end())
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.#sockets.delete(from)
        to.destroy()
      })
    }
  }
}
