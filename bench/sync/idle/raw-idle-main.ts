// Many bare WebSocket clients that do nothing.

import { once } from 'node:events'
import { WebSocket } from 'ws'

import { setUp } from '../fan-out/subscribers.ts'
import { serveCommands } from '../harness/serve-commands.ts'

serveCommands({
  connect: ({ address, peers }: { readonly address: string; readonly peers: number }) =>
    setUp(peers, async () => {
      await once(new WebSocket(address, { perMessageDeflate: false }), 'open')
    }),
})
