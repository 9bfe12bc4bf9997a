// All edges of a large fleet in one process: real replicas, their logs in memory, over one pipe.

import type { Replica, Transport, Uplink } from 'tideway'
import { MemoryMedium, memoryStorage } from 'tideway/adapters/storage/memory'

import { openEdge } from '../clouds/tideway-edge.ts'
import { edgeName } from '../fan-in/scenario.ts'
import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'
import { actorOf, firstEvents, markOf, type Status } from '../load/events.ts'
import { fillLog, type LoadedDocument } from '../load/fill-log.ts'
import { pipeNetwork } from '../pipe/pipe-network.ts'
import { collectionOf } from '../replica-options.ts'
import { type Fleet, statusId } from './fleet.ts'

/** Edges that upload at once while the fleet is set up: this is not what is measured. */
const UPLOADS_AT_ONCE = 200

let fleet: Fleet
const edges: Replica[] = []
let uplinks: Uplink[] = []
let transport: (principal: string) => Transport

serveCommands({
  /** Makes every edge with its documents. */
  prepare: async (wanted: Fleet) => {
    fleet = wanted
    for (let index = 0; index < fleet.edges; index += 1) {
      const name = edgeName(index)
      const medium = new MemoryMedium()
      await fillLog(memoryStorage({ medium }), name, documentsOf(name, index))
      edges.push(await openEdge(name, memoryStorage({ medium }), { cacheBytesMax: 0 }))
    }
  },
  /** Brings all documents to the cloud, some edges at a time. */
  upload: async ({ path }: { readonly path: string }) => {
    transport = await pipeNetwork(path)
    for (let begin = 0; begin < edges.length; begin += UPLOADS_AT_ONCE) {
      const some = edges.slice(begin, begin + UPLOADS_AT_ONCE)
      const links = some.map(dial)
      await Promise.all(some.map(uploaded))
      await Promise.all(links.map((uplink) => uplink.close()))
    }
  },
  /** Ends every connection, then edits one document on each edge. */
  partAndEdit: async ({ count }: { readonly count: number }) => {
    await Promise.all(uplinks.map((uplink) => uplink.close()))
    uplinks = []
    for (const edge of edges) {
      await using handle = await edge.open<Status>(statusId(edge.name, 1))
      handle.change((draft) => {
        draft.count = count
      })
      await handle.durable()
    }
  },
  /** Reconnects all at once; says when each had what was changed at the cloud meanwhile. */
  storm: async ({ path }: { readonly path: string }) => {
    transport = await pipeNetwork(path)
    const [beginMs, beginCpuMs] = [nowMs(), cpuNowMs()]
    const done = edges.map(async (edge) => {
      await grown(edge, edge.head + 1)
      return nowMs() - beginMs
    })
    uplinks = edges.map(dial)
    const doneMs = await Promise.all(done)
    return { beginMs, doneMs, cpuMs: cpuNowMs() - beginCpuMs }
  },
  digest: ({ index }: { readonly index: number }) =>
    edges[index]?.digest([collectionOf(edgeName(index))]),
})

function dial(edge: Replica): Uplink {
  return edge.connect({
    transport: transport(edge.name),
    address: 'pipe',
    collections: [collectionOf(edge.name)],
  })
}

/** Resolves when the cloud has acknowledged everything of an edge as durable. */
async function uploaded(edge: Replica): Promise<void> {
  await using handle = await edge.open(statusId(edge.name, fleet.documentsPerEdge - 1))
  await handle.durable('cloud')
}

function grown(edge: Replica, wanted: number): Promise<void> {
  return new Promise((resolve) => {
    const cancel = edge.onAppended((_, head) => {
      if (head < wanted) return
      cancel()
      resolve()
    })
  })
}

function* documentsOf(name: string, index: number): Generator<LoadedDocument> {
  const event = firstEvents(actorOf(index))
  for (let number = 0; number < fleet.documentsPerEdge; number += 1) {
    const mark = markOf(index * fleet.documentsPerEdge + number)
    yield {
      id: statusId(name, number),
      collection: collectionOf(name),
      events: [event(mark)],
    }
  }
}
