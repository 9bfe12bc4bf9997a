import { join } from 'node:path'
import { consoleLogger, systemClock, systemRandom } from 'tideway'
import { createEdged, type PodApi } from 'tideway/adapters/edged'
import { podTokenIssuer } from 'tideway/adapters/kubernetes/identity'
import { readPodManifest } from 'tideway/adapters/kubernetes/server'
import { criRuntime } from 'tideway/adapters/runtime/cri'
import { CLUSTER_DNS, type NodePlace, withPlace } from './node-place.ts'
import { NODE, type NodeSide } from './node-side.ts'

/** Runs something on a node whose pods edged runs. */
export function withEdgedSide<T>(use: (side: NodeSide) => Promise<T>): Promise<T> {
  return withPlace(async (place) => {
    const { socket: socketPath, cgroupRoot, folder } = place.containerd
    const common = { clock: systemClock, logger: consoleLogger('silent') }
    const runtime = await criRuntime({ ...common, socketPath, cgroupRoot })
    const directory = join(folder, 'node')
    const edged = createEdged({
      ...common,
      node: NODE,
      store: place.store,
      runtime,
      directory,
      random: systemRandom,
      version: 'v1.34.4',
      clusterDns: CLUSTER_DNS,
      api: apiOf(place),
      // As often as the other side is told to.
      eviction: { diskPeriodMs: 2_000 },
      manifests: { directory: place.manifests, read: readPodManifest },
    })
    try {
      await edged.ready
      return await use({ ...place, podLogs: join(directory, 'logs') })
    } finally {
      await edged.close()
      for (const sandbox of (await runtime.list()).sandboxes)
        await runtime.removeSandbox(sandbox.id)
      await runtime.close()
    }
  })
}

function apiOf({ server, store }: NodePlace): PodApi {
  const { caPem, server: api } = server.api
  const issue = podTokenIssuer({ store, accounts: server.accounts, clock: systemClock })
  return { host: '127.0.0.1', port: api.port, caPem, issue }
}
