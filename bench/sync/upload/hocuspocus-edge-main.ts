// A client of Hocuspocus that has documents and uploads them over one socket to a server that has none.

import { HocuspocusProvider } from '@hocuspocus/provider'
import * as Y from 'yjs'

import { samplePod } from '../../pod.ts'
import { attachAll, socketTo } from '../clouds/hocuspocus-edge.ts'
import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'
import { WireBytes } from '../harness/wire-bytes.ts'
import { fillYDoc } from '../load/y-value.ts'

const docs: Y.Doc[] = []

serveCommands({
  prepare: ({ documents }: { readonly documents: number }) => {
    for (let index = 0; index < documents; index += 1) {
      const doc = new Y.Doc()
      fillYDoc(doc, samplePod(index))
      docs.push(doc)
    }
  },
  /** Connects and waits until the server has said of every document that it has it. */
  upload: async ({ address }: { readonly address: string }) => {
    const wire = new WireBytes()
    const [beginMs, beginCpuMs] = [nowMs(), cpuNowMs()]
    const socket = socketTo(address)
    await attachAll(
      docs.map((document, index) => {
        const name = `web-${index}`
        return new HocuspocusProvider({ name, document, websocketProvider: socket })
      }),
    )
    return {
      beginMs,
      endMs: nowMs(),
      cpuMs: cpuNowMs() - beginCpuMs,
      bytesUp: wire.up,
      bytesDown: wire.down,
    }
  },
})
