// One client of Hocuspocus that edits while it is connected. Its server answers from memory.

import { HocuspocusProvider } from '@hocuspocus/provider'
import * as Y from 'yjs'

import { attachAll, settled, socketTo } from '../clouds/hocuspocus-edge.ts'
import { serveCommands } from '../harness/serve-commands.ts'
import { nowMs } from '../harness/usage.ts'

let provider: HocuspocusProvider

serveCommands({
  prepare: async ({ address }: { readonly address: string }) => {
    provider = new HocuspocusProvider({
      name: 'live',
      document: new Y.Doc(),
      websocketProvider: socketTo(address),
    })
    await attachAll([provider])
  },
  measure: async ({ edits }: { readonly edits: number }) => {
    const samples: number[] = []
    for (let count = 0; count < edits; count += 1) {
      const begin = nowMs()
      provider.document.getMap('root').set('count', count)
      await settled(provider)
      samples.push(nowMs() - begin)
    }
    return samples
  },
})
