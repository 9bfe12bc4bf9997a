import { createReplica, grants, type Replica, type Transport } from 'tideway'
import { memoryStorage } from 'tideway/adapters/storage/memory'
import { nodeWebSocket, webSocketServer } from 'tideway/transports/websocket/server'

import { Counter, measure, type Reconnect } from '../counting.ts'
import { samplePod } from '../pod.ts'
import { replicaOptions } from '../sync/replica-options.ts'
import { countedTransport } from './counted-transport.ts'
import { changedDocuments, edited, type Scenario } from './scenario.ts'

const COLLECTION = 'node/edge-1'
const GRANT = { read: [COLLECTION], write: [COLLECTION] }

/** Tideway over WebSocket on loopback, both replicas in this process, logs in memory. */
export async function reconnectTideway(scenario: Scenario): Promise<Reconnect> {
  const counter = new Counter()
  const cloud = await open('cloud', { edge: GRANT })
  const edge = await open('edge', { cloud: GRANT })
  const listener = await webSocketServer({ authenticate: () => 'edge' })
  cloud.serve(listener)
  const [address = ''] = listener.addresses
  const dial = (transport: Transport) =>
    edge.connect({ transport, address, collections: [COLLECTION] })
  const equal = async () => (await cloud.digest([COLLECTION])) === (await edge.digest([COLLECTION]))
  try {
    const first = dial(nodeWebSocket())
    for (let index = 0; index < scenario.documents; index += 1) await create(cloud, index)
    while (!(await equal())) await new Promise((resolve) => setTimeout(resolve, 20))
    await first.close()
    const changed = changedDocuments(scenario)
    for (const index of changed.cloud) await edit(cloud, index)
    for (const index of changed.edge) await edit(edge, index)
    return await measure(counter, async () => {
      dial(countedTransport(nodeWebSocket(), counter))
      return await counter.settled(equal, 300)
    })
  } finally {
    await edge.close()
    await cloud.close()
  }
}

function open(name: string, table: Parameters<typeof grants>[0]): Promise<Replica> {
  const storage = memoryStorage()
  return createReplica({ ...replicaOptions(), name, storage, policy: grants(table) })
}

async function create(replica: Replica, index: number): Promise<void> {
  await using handle = await replica.open(idOf(index), { collection: COLLECTION })
  handle.change(() => samplePod(index) as never)
  await handle.durable()
}

async function edit(replica: Replica, index: number): Promise<void> {
  await using handle = await replica.open<{ metadata: { annotations: Record<string, string> } }>(
    idOf(index),
  )
  handle.change((pod) => {
    pod.metadata.annotations['example.com/image'] = edited(index)
  })
  await handle.durable()
}

function idOf(index: number): string {
  return `pods/default/web-${String(index).padStart(4, '0')}/1/desired`
}
