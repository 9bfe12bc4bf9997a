// Many bare WebSocket clients that get one message each at every broadcast.

import { once } from 'node:events'
import { WebSocket } from 'ws'

import { serveCommands } from '../harness/serve-commands.ts'
import { nowMs } from '../harness/usage.ts'
import { Editions, setUp } from './subscribers.ts'

let editions: Editions

serveCommands({
  prepare: async (options: { readonly address: string; readonly subscribers: number }) => {
    editions = new Editions(options.subscribers)
    await setUp(options.subscribers, async () => {
      const socket = new WebSocket(options.address, { perMessageDeflate: false })
      await once(socket, 'open')
      let received = 0
      socket.on('message', () => {
        received += 1
        editions.has(received, nowMs())
      })
    })
  },
  edition: ({ edition }: { readonly edition: number }) => editions.wait(edition),
})
