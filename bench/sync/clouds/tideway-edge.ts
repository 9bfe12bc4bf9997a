import {
  createReplica,
  type Replica,
  type ReplicaOptions,
  type Storage,
  type Transport,
  type Uplink,
} from 'tideway'
import { nodeWebSocket } from 'tideway/transports/websocket/server'

import { collectionOf, EDGE_POLICY, replicaOptions } from '../replica-options.ts'

/** Opens the replica of one edge. */
export function openEdge(
  name: string,
  storage: Storage,
  options: Pick<ReplicaOptions, 'cacheBytesMax'> = {},
): Promise<Replica> {
  return createReplica({ ...replicaOptions(), ...options, name, storage, policy: EDGE_POLICY })
}

/** Connects an edge to a cloud and shares its own collection, and others. */
export function dialCloud(edge: Replica, address: string, others: readonly string[] = []): Uplink {
  const collections = [collectionOf(edge.name), ...others]
  return edge.connect({ transport: edgeTransport(edge), address, collections })
}

/** How an edge dials: it says its name in the request. */
export function edgeTransport(edge: Replica): Transport {
  return nodeWebSocket({ credentials: { headers: { 'x-edge': edge.name } } })
}

/** Resolves when an uplink is connected. */
export function connected(uplink: Uplink): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = uplink.onStatus((status) => {
      if (status.type === 'connecting') return
      if (status.type === 'connected') resolve()
      else reject(status.error ?? new Error('the uplink stopped'))
      queueMicrotask(() => cancel())
    })
  })
}
