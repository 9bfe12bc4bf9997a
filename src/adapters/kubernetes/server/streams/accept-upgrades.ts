import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Upgrade } from './upgrade.ts'

/**
 * Gives requests for another protocol to `serve`, with an answer that works like any other: they may
 * be refused, or answered as if they had not asked.
 */
export function acceptUpgrades(
  server: Pick<Server, 'on'>,
  serve: (upgrade: Upgrade) => Promise<void>,
): void {
  server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // The server no longer listens to it.
    socket.on('error', () => socket.destroy())
    const response = new ServerResponse(request)
    // What follows on the socket is no request that could be understood.
    response.shouldKeepAlive = false
    response.assignSocket(socket)
    response.once('finish', () => {
      response.detachSocket(socket)
      socket.end()
      // Nobody else tells those who wait for the end of the answer, such as the audit.
      process.nextTick(() => response.emit('close'))
    })
    void serve({ request, response, socket, head }).finally(() => {
      // It failed after the socket was taken over: nobody else would close it.
      if (response.socket === null && !response.writableFinished) socket.destroy()
    })
  })
}
