import { join } from 'node:path'
import { consoleLogger, systemClock, systemRandom } from 'tideway'
import { createEdged, type Edged, type EdgedOptions } from 'tideway/adapters/edged'
import type { OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import type { PodRuntime } from 'tideway/adapters/runtime'
import { criRuntime } from 'tideway/adapters/runtime/cri'
import { type Containerd, startContainerd } from '../containers/containerd.ts'
import type { Image } from '../containers/image.ts'
import { shellImage } from '../containers/images.ts'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/fleet.ts'
import type { PodStatus } from './edged-place.ts'

const WAIT_MS = 60_000

/** A node on containerd, with a Kubernetes API for kubectl. */
export interface ContainedPlace {
  readonly api: TestApiServer
  readonly store: OpenObjectStore
  readonly runtime: PodRuntime
  readonly containerd: Containerd
  /** The status of a pod, once it fits. */
  podWhere(name: string, fits: (status: PodStatus) => boolean): Promise<PodStatus>
  close(): Promise<void>
}

/** Starts one; everything goes with `close`. */
export async function openContainedPlace(
  options: Partial<EdgedOptions> = {},
  images: readonly Image[] = [],
): Promise<ContainedPlace> {
  const containerd = await startContainerd([shellImage(), ...images])
  const common = { clock: systemClock, logger: consoleLogger('silent') }
  const { socket: socketPath, cgroupRoot, folder } = containerd
  const runtime = await criRuntime({ ...common, socketPath, cgroupRoot })
  let edged: Edged | undefined
  const api = await startTestApiServer(async (store) => {
    edged = createEdged({
      ...common,
      node: 'edge-1',
      store,
      runtime,
      directory: join(folder, 'node'),
      random: systemRandom,
      version: 'v1.36.3',
      addresses: ['127.0.0.1'],
      ...options,
    })
    await edged.ready
    return { logs: edged.logs, streams: edged.streams }
  })
  const { store } = api
  const statusOf = (name: string): PodStatus | undefined =>
    // Only read by tests, which fail if it is anything else.
    store.get({ resource: 'pods', namespace: 'default', name })?.['status'] as PodStatus | undefined
  return {
    api,
    store,
    runtime,
    containerd,
    podWhere: async (name, fits) => {
      try {
        return await eventually(() => {
          const status = statusOf(name)
          return status !== undefined && fits(status) ? status : undefined
        }, WAIT_MS)
      } catch {
        throw new Error(`pod ${name} is not so: ${JSON.stringify(statusOf(name))}`)
      }
    },
    close: async () => {
      await edged?.close()
      for (const { id } of (await runtime.list()).sandboxes) await runtime.removeSandbox(id)
      await runtime.close()
      await api.close()
      await containerd.close()
    },
  }
}
