// A bare WebSocket server: what the socket itself can do with the same bytes.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'

import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'

const sockets = new Set<WebSocket>()
let messages = 0
let bytes = 0
let wanted = Number.POSITIVE_INFINITY
let onWanted: () => void = () => undefined

serveCommands({
  /** `echo`: every message goes back. Otherwise they are counted. */
  start: async ({ echo }: { readonly echo?: boolean }) => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false })
    await once(server, 'listening')
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.on('message', (message: Buffer) => {
        if (echo === true) return socket.send(message)
        messages += 1
        bytes += message.length
        if (bytes >= wanted) onWanted()
      })
    })
    return { address: `ws://127.0.0.1:${(server.address() as AddressInfo).port}` }
  },
  /** Answers when so many bytes of messages have come. */
  received: ({ bytes: count }: { readonly bytes: number }) =>
    new Promise((resolve) => {
      wanted = count
      onWanted = () => {
        wanted = Number.POSITIVE_INFINITY
        resolve({ atMs: nowMs(), messages })
      }
      if (bytes >= wanted) onWanted()
    }),
  /** Sends one message of this size to everybody. */
  broadcast: ({ bytes: size }: { readonly bytes: number }) => {
    const message = new Uint8Array(size).fill(0x5a)
    const beginMs = nowMs()
    for (const socket of sockets) socket.send(message)
    return { beginMs }
  },
  peers: () => sockets.size,
  cpu: () => cpuNowMs(),
})
