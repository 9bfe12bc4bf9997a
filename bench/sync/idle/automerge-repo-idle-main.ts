// Many connected repositories of automerge-repo that do nothing and hold nothing.

import { type PeerId, Repo } from '@automerge/automerge-repo'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'

import { setUp } from '../fan-out/subscribers.ts'
import { serveCommands } from '../harness/serve-commands.ts'

serveCommands({
  connect: ({ address, peers }: { readonly address: string; readonly peers: number }) =>
    setUp(peers, async (index) => {
      const network = [new WebSocketClientAdapter(address)]
      await new Repo({ network, peerId: `edge-${index}` as PeerId }).networkSubsystem.whenReady()
    }),
})
