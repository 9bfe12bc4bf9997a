// One edge of Tideway with many documents that leaves and comes back, again and again, with nothing new.

import type { Replica } from 'tideway'
import { levelStorage } from 'tideway/adapters/storage/level'

import { Counter } from '../../counting.ts'
import { countedTransport } from '../../reconnect/counted-transport.ts'
import { connected, dialCloud, edgeTransport, openEdge } from '../clouds/tideway-edge.ts'
import { serveCommands } from '../harness/serve-commands.ts'
import { cpuNowMs, nowMs } from '../harness/usage.ts'
import { actorOf, firstEvents, markOf } from '../load/events.ts'
import { fillLog, type LoadedDocument } from '../load/fill-log.ts'
import { collectionOf } from '../replica-options.ts'

const NAME = 'edge-1'
/** Nothing came for so long: both sides have said everything. */
const QUIET_MS = 250

let edge: Replica
let counter: Counter
let beginCpuMs = 0
let leave: () => Promise<void> = () => Promise.resolve()

serveCommands({
  prepare: async (options: { readonly documents: number; readonly directory: string }) => {
    const { documents, directory } = options
    await fillLog(await levelStorage({ directory }), NAME, documentsOf(documents))
    edge = await openEdge(NAME, await levelStorage({ directory }))
  },
  /** The first time, with everything to say. */
  upload: async ({ address, last }: { readonly address: string; readonly last: number }) => {
    const uplink = dialCloud(edge, address)
    await using handle = await edge.open(idOf(last))
    await handle.durable('cloud')
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
    await uplink.close()
  },
  reconnect: async ({ address }: { readonly address: string }) => {
    await leave()
    counter = new Counter()
    const transport = countedTransport(edgeTransport(edge), counter)
    const beginMs = nowMs()
    beginCpuMs = cpuNowMs()
    const uplink = edge.connect({ transport, address, collections: [collectionOf(NAME)] })
    leave = () => uplink.close()
    await connected(uplink)
    return { ms: nowMs() - beginMs }
  },
  /** What the last reconnect came to, once nothing more is said. */
  settled: async () => {
    await counter.settled(() => true, QUIET_MS)
    const { bytesUp, bytesDown, roundTrips } = counter
    return { cpuMs: cpuNowMs() - beginCpuMs, bytesUp, bytesDown, roundTrips }
  },
})

function* documentsOf(count: number): Generator<LoadedDocument> {
  const event = firstEvents(actorOf(0))
  for (let index = 0; index < count; index += 1) {
    yield { id: idOf(index), collection: collectionOf(NAME), events: [event(markOf(index))] }
  }
}

function idOf(index: number): string {
  return `status/${NAME}/${String(index).padStart(6, '0')}`
}
