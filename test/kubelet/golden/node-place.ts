import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { withContainerd } from '../../containers/containerd.ts'
import { shellImage } from '../../containers/images.ts'
import { startRegistry } from '../../containers/registry.ts'
import { startIdentityServer } from '../../support/identity-server.ts'
import type { NodeSide } from './node-side.ts'

/** What both agents are told of the names of a cluster. */
export const CLUSTER_DNS: { readonly servers: readonly string[]; readonly domain: string } = {
  servers: ['10.96.0.10'],
  domain: 'cluster.local',
}

/** What a node is put on. */
export type NodePlace = Omit<NodeSide, 'podLogs'>

/** Runs something with a server and an engine for one agent. */
export function withPlace<T>(use: (place: NodePlace) => Promise<T>): Promise<T> {
  return withContainerd([shellImage()], async (containerd) => {
    const registry = await startRegistry()
    // Another image than the one that is there, or both would go by either name.
    registry.publish('shell', 'always', shellImage('pulled', { WorkingDir: '/tmp' }))
    const folder = join(containerd.folder, 'host')
    const manifests = join(containerd.folder, 'manifests')
    for (const each of [folder, manifests]) await mkdir(each)
    const server = await startIdentityServer()
    const told = new Map<string, number>()
    const stop = server.store.watch('events', {}, ({ type, object }) => {
      if (type === 'ADDED') told.set(object.metadata.name, told.size)
    })
    const places = { registry: registry.address, folder }
    try {
      return await use({ server, store: server.store, containerd, places, manifests, told })
    } finally {
      stop()
      await server.close()
      await registry.close()
    }
  })
}
