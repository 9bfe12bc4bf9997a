import diagnostics from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** Bytes over the TCP connections that this process opened since it was made: upgrade and framing too. */
export class WireBytes {
  readonly #sockets: Socket[] = []
  readonly #onSocket = (message: unknown): void => {
    this.#sockets.push((message as { socket: Socket }).socket)
  }

  constructor() {
    diagnostics.subscribe('net.client.socket', this.#onSocket)
  }

  /** Counts no new connections from here on. */
  stop(): void {
    diagnostics.unsubscribe('net.client.socket', this.#onSocket)
  }

  get up(): number {
    return this.#sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0)
  }

  get down(): number {
    return this.#sockets.reduce((sum, socket) => sum + socket.bytesRead, 0)
  }
}
