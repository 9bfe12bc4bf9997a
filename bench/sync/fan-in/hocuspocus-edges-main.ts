// Many clients of Hocuspocus that bring what they wrote while they were away, all at once.

import { HocuspocusProvider } from '@hocuspocus/provider'
import * as Y from 'yjs'

import { attachAll, socketTo } from '../clouds/hocuspocus-edge.ts'
import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'
import { WireBytes } from '../harness/wire-bytes.ts'
import { edgeName, type FanIn } from './scenario.ts'

const edges: { readonly name: string; readonly doc: Y.Doc }[][] = []

serveCommands({
  prepare: (scenario: FanIn) => {
    for (let index = 0; index < scenario.connections; index += 1) {
      const documents = Array.from({ length: scenario.documents }, (_, number) => ({
        name: `${edgeName(index)}/${number}`,
        doc: statusDoc(`${index}-${number}`, scenario.eventsPerDocument),
      }))
      edges.push(documents)
    }
  },
  /** Connects all, and waits until the server has said of every document that it has it. */
  upload: async ({ address }: { readonly address: string }) => {
    const wire = new WireBytes()
    const [beginMs, beginCpuMs] = [nowMs(), cpuNowMs()]
    await Promise.all(
      edges.map((documents) => {
        const websocketProvider = socketTo(address)
        return attachAll(
          documents.map(
            ({ name, doc }) => new HocuspocusProvider({ name, document: doc, websocketProvider }),
          ),
        )
      }),
    )
    return { beginMs, endMs: nowMs(), cpuMs: cpuNowMs() - beginCpuMs, bytesUp: wire.up }
  },
})

/** The same edits as the events of the others, one transaction each. */
function statusDoc(name: string, edits: number): Y.Doc {
  const doc = new Y.Doc()
  const root = doc.getMap('root')
  for (let count = 0; count < edits; count += 1) {
    doc.transact(() => {
      if (count === 0) root.set('phase', 'Running')
      root.set('message', `probe ${count} of ${name} passed`)
      root.set('count', count)
    })
  }
  return doc
}
