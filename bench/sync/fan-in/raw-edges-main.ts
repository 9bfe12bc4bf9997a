// Many bare WebSocket clients that send messages of given sizes, all at once.

import { once } from 'node:events'
import { WebSocket } from 'ws'

import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'

/** Bytes that wait in a socket before its next messages are held back. */
const BUFFERED_BYTES_MAX = 256 * 1024

serveCommands({
  /** Connects and sends so many messages of one size from each connection. */
  upload: async (options: {
    readonly address: string
    readonly connections: number
    readonly messages: number
    readonly bytes: number
  }) => {
    const message = new Uint8Array(options.bytes).fill(0x5a)
    const [beginMs, beginCpuMs] = [nowMs(), cpuNowMs()]
    const sendAll = async (): Promise<WebSocket> => {
      const socket = new WebSocket(options.address, { perMessageDeflate: false })
      await once(socket, 'open')
      for (let sent = 0; sent < options.messages; sent += 1) {
        if (socket.bufferedAmount < BUFFERED_BYTES_MAX) socket.send(message)
        else await new Promise<void>((resolve) => socket.send(message, () => resolve()))
      }
      return socket
    }
    await Promise.all(Array.from({ length: options.connections }, sendAll))
    return { beginMs, cpuMs: cpuNowMs() - beginCpuMs }
  },
})
