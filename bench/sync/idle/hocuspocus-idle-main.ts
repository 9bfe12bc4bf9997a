// Many connected clients of Hocuspocus that do nothing, with an empty document each.

import { HocuspocusProvider } from '@hocuspocus/provider'
import * as Y from 'yjs'

import { attachAll, socketTo } from '../clouds/hocuspocus-edge.ts'
import { setUp } from '../fan-out/subscribers.ts'
import { serveCommands } from '../harness/serve-commands.ts'

serveCommands({
  connect: ({ address, peers }: { readonly address: string; readonly peers: number }) =>
    setUp(peers, async (index) => {
      const provider = new HocuspocusProvider({
        name: `edge-${index}`,
        document: new Y.Doc(),
        websocketProvider: socketTo(address),
        awareness: null,
      })
      await attachAll([provider])
    }),
})
