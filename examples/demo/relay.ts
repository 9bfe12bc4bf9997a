import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** What went over a relay since it was last reset. */
export interface Traffic {
  readonly bytesUp: number
  readonly bytesDown: number
  /** How often the dialling side had to wait for an answer to what it sent. */
  readonly roundTrips: number
}

/** A TCP relay in front of an address: a network link that can be cut and restored. */
export class Relay {
  readonly #server: Server
  readonly #target: { readonly host: string; readonly port: number }
  readonly #sockets = new Set<Socket>()
  #isCut = false
  #bytesUp = 0
  #bytesDown = 0
  #roundTrips = 0
  #lastUp = false

  private constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target
    this.#server = createServer((socket) => this.#relay(socket))
  }

  /** Starts a relay on a free port of this machine. */
  static async open(target: { readonly host: string; readonly port: number }): Promise<Relay> {
    const relay = new Relay(target)
    await new Promise<void>((resolve, reject) => {
      relay.#server.once('error', reject)
      relay.#server.listen(0, '127.0.0.1', resolve)
    })
    return relay
  }

  /** What is to be dialled instead, as `HOST:PORT`. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** What was carried since the last {@link reset}. */
  get traffic(): Traffic {
    return { bytesUp: this.#bytesUp, bytesDown: this.#bytesDown, roundTrips: this.#roundTrips }
  }

  reset(): void {
    this.#bytesUp = 0
    this.#bytesDown = 0
    this.#roundTrips = 0
    this.#lastUp = false
  }

  /** Ends every connection and refuses new ones. */
  cut(): void {
    this.#isCut = true
    for (const socket of this.#sockets) socket.destroy()
  }

  restore(): void {
    this.#isCut = false
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  #relay(socket: Socket): void {
    if (this.#isCut) {
      socket.destroy()
      return
    }
    const upstream = connect({ ...this.#target, noDelay: true })
    socket.setNoDelay(true)
    this.#join(socket, upstream)
    socket.on('data', (bytes: Buffer) => {
      this.#bytesUp += bytes.length
      this.#lastUp = true
    })
    upstream.on('data', (bytes: Buffer) => {
      this.#bytesDown += bytes.length
      if (this.#lastUp) this.#roundTrips += 1
      this.#lastUp = false
    })
    socket.pipe(upstream)
    upstream.pipe(socket)
  }

  #join(one: Socket, other: Socket): void {
    for (const [socket, peer] of [
      [one, other],
      [other, one],
    ] as const) {
      this.#sockets.add(socket)
      socket.on('error', () => peer.destroy())
      socket.once('close', () => {
        this.#sockets.delete(socket)
        peer.destroy()
      })
    }
  }
}
