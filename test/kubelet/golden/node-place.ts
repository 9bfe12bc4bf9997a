import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { withContainerd } from '../../containers/containerd.ts'
import type { Image } from '../../containers/image.ts'
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

/** Who gets images of the registry that asks. */
const LOGIN = { username: 'puller', password: 'let me in' }

/** Runs something with a server and an engine for one agent. */
export function withPlace<T>(use: (place: NodePlace) => Promise<T>): Promise<T> {
  return withContainerd([shellImage(), appImage()], async (containerd) => {
    // Other images than the one that is there, or both would go by either name.
    const image = shellImage('pulled', { WorkingDir: '/tmp' })
    const registry = await startRegistry()
    registry.publish('shell', 'always', image)
    const digested = shellImage('digested', { WorkingDir: '/run' })
    registry.publish('digested', 'once', digested)
    const locked = await startRegistry(LOGIN)
    locked.publish('shell', 'always', shellImage('locked', { WorkingDir: '/var' }))
    const folder = join(containerd.folder, 'host')
    const manifests = join(containerd.folder, 'manifests')
    for (const each of [folder, manifests]) await mkdir(each)
    const server = await startIdentityServer()
    const told = new Map<string, number>()
    const stop = server.store.watch('events', {}, ({ type, object }) => {
      if (type === 'ADDED') told.set(object.metadata.name, told.size)
    })
    const { digest } = digested
    const places = { registry: registry.address, locked: locked.address, digest, folder }
    try {
      return await use({ server, store: server.store, containerd, places, manifests, told })
    } finally {
      stop()
      await server.close()
      await registry.close()
      await locked.close()
    }
  })
}

/** An image that says more than the usual one: who, where, how it is stopped. */
function appImage(): Image {
  return shellImage('localhost/app:1', {
    User: 'app',
    StopSignal: 'SIGUSR1',
    WorkingDir: '/run',
    Entrypoint: ['/bin/sh'],
    Env: ['PATH=/bin:/usr/bin:/sbin', 'WORD=a word'],
    Volumes: { '/var': {} },
  })
}
