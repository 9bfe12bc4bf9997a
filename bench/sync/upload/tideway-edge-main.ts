// An edge of Tideway that has documents and uploads them to a cloud that has none.

import type { Replica } from 'tideway'

import { samplePod } from '../../pod.ts'
import { storageIn } from '../clouds/storages.ts'
import { dialCloud, openEdge } from '../clouds/tideway-edge.ts'
import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'
import { WireBytes } from '../harness/wire-bytes.ts'
import { collectionOf } from '../replica-options.ts'

const NAME = 'edge-1'
let edge: Replica
let last: string

serveCommands({
  /** Opens the edge's log and writes the documents. */
  prepare: async (options: { readonly documents: number; readonly directory?: string }) => {
    edge = await openEdge(NAME, await storageIn(options.directory))
    for (let index = 0; index < options.documents; index += 1) {
      last = `pods/default/web-${String(index).padStart(6, '0')}/1/desired`
      await using handle = await edge.open(last, { collection: collectionOf(NAME) })
      handle.change(() => samplePod(index) as never)
      await handle.durable()
    }
    return { head: edge.head }
  },
  /** Connects and waits until the cloud has acknowledged everything as durable. */
  upload: async ({ address }: { readonly address: string }) => {
    await using handle = await edge.open(last)
    const wire = new WireBytes()
    const [beginMs, beginCpuMs] = [nowMs(), cpuNowMs()]
    dialCloud(edge, address)
    await handle.durable('cloud')
    return {
      beginMs,
      endMs: nowMs(),
      cpuMs: cpuNowMs() - beginCpuMs,
      bytesUp: wire.up,
      bytesDown: wire.down,
    }
  },
  stop: () => edge.close(),
})
