// Many clients of Hocuspocus that share one document, each over a socket of its own.

import { HocuspocusProvider } from '@hocuspocus/provider'
import * as Y from 'yjs'

import { attachAll, socketTo } from '../clouds/hocuspocus-edge.ts'
import { serveCommands } from '../harness/serve-commands.ts'
import { nowMs } from '../harness/usage.ts'
import { Editions, setUp } from './subscribers.ts'

let editions: Editions

serveCommands({
  prepare: async (options: { readonly address: string; readonly subscribers: number }) => {
    editions = new Editions(options.subscribers)
    await setUp(options.subscribers, async () => {
      const document = new Y.Doc()
      const websocketProvider = socketTo(options.address)
      // Nobody asks who is there: with awareness each client would be told of every other.
      const provider = new HocuspocusProvider({
        name: 'shared',
        document,
        websocketProvider,
        awareness: null,
      })
      await attachAll([provider])
      const root = document.getMap<number>('root')
      document.on('update', () => editions.has(root.get('count') ?? -1, nowMs()))
    })
  },
  edition: ({ edition }: { readonly edition: number }) => editions.wait(edition),
})
