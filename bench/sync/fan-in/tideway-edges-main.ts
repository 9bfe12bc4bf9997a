// Many edges of Tideway that bring what they wrote while they were away, all at once.

import type { Replica } from 'tideway'
import { MemoryMedium, memoryStorage } from 'tideway/adapters/storage/memory'

import { dialCloud, openEdge } from '../clouds/tideway-edge.ts'
import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'
import { WireBytes } from '../harness/wire-bytes.ts'
import { actorOf, statusEvents } from '../load/events.ts'
import { fillLog, type LoadedDocument } from '../load/fill-log.ts'
import { collectionOf } from '../replica-options.ts'
import { edgeName, type FanIn } from './scenario.ts'

const edges: Replica[] = []
const lastDocuments: string[] = []

serveCommands({
  prepare: async (scenario: FanIn) => {
    for (let index = 0; index < scenario.connections; index += 1) {
      const name = edgeName(index)
      const documents = documentsOf(name, index, scenario)
      const medium = new MemoryMedium()
      await fillLog(memoryStorage({ medium }), name, documents)
      edges.push(await openEdge(name, memoryStorage({ medium })))
      lastDocuments.push(documents.at(-1)?.id ?? '')
    }
  },
  /** Connects all, and waits until the cloud has acknowledged everything of every edge as durable. */
  upload: async ({ address }: { readonly address: string }) => {
    const handles = await Promise.all(
      edges.map((edge, index) => edge.open(lastDocuments[index] ?? '')),
    )
    const wire = new WireBytes()
    const [beginMs, beginCpuMs] = [nowMs(), cpuNowMs()]
    for (const edge of edges) dialCloud(edge, address)
    await Promise.all(handles.map((handle) => handle.durable('cloud')))
    return { beginMs, endMs: nowMs(), cpuMs: cpuNowMs() - beginCpuMs, bytesUp: wire.up }
  },
})

function documentsOf(name: string, index: number, scenario: FanIn): readonly LoadedDocument[] {
  return Array.from({ length: scenario.documents }, (_, number) => ({
    id: `status/${name}/${number}`,
    collection: collectionOf(name),
    events: statusEvents(actorOf(index * scenario.documents + number), scenario.eventsPerDocument),
  }))
}
