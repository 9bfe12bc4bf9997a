// Many replicas of Tideway that share one document, each over a socket of its own.

import { memoryStorage } from 'tideway/adapters/storage/memory'

import { connected, dialCloud, openEdge } from '../clouds/tideway-edge.ts'
import { serveCommands } from '../harness/serve-commands.ts'
import { nowMs } from '../harness/usage.ts'
import { WireBytes } from '../harness/wire-bytes.ts'
import { SHARED } from '../replica-options.ts'
import { Editions, setUp } from './subscribers.ts'

let editions: Editions
let wire: WireBytes

serveCommands({
  prepare: async (options: { address: string; first: number; subscribers: number }) => {
    editions = new Editions(options.subscribers)
    wire = new WireBytes()
    await setUp(options.subscribers, async (index) => {
      const edge = await openEdge(`edge-${options.first + index}`, memoryStorage())
      // The first event is the document's creation, which is edition 0.
      edge.onAppended((_, head) => editions.has(head - 1, nowMs()))
      await connected(dialCloud(edge, options.address, [SHARED]))
    })
    wire.stop()
  },
  edition: ({ edition }: { readonly edition: number }) => editions.wait(edition),
  wire: () => wire.down,
})
