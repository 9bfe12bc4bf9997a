import {
  createReplica,
  type Replica,
  type ReplicaOptions,
  type Storage,
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
  return edge.connect({
    transport: nodeWebSocket({ credentials: { headers: { 'x-edge': edge.name } } }),
    address,
    collections: [collectionOf(edge.name), ...others],
  })
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
