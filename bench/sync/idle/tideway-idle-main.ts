// Many connected replicas of Tideway that do nothing.

import { memoryStorage } from 'tideway/adapters/storage/memory'

import { connected, dialCloud, openEdge } from '../clouds/tideway-edge.ts'
import { setUp } from '../fan-out/subscribers.ts'
import { serveCommands } from '../harness/serve-commands.ts'

serveCommands({
  connect: ({ address, peers }: { readonly address: string; readonly peers: number }) =>
    setUp(peers, async (index) => {
      const edge = await openEdge(`edge-${index}`, memoryStorage())
      await connected(dialCloud(edge, address))
    }),
})
