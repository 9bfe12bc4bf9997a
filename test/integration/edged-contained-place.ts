import { join } from 'node:path'
import { consoleLogger, systemClock, systemRandom } from 'tideway'
import { createEdged, type Edged, type EdgedOptions } from 'tideway/adapters/edged'
import type { KubeObject, OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import type { PodRuntime } from 'tideway/adapters/runtime'
import { criRuntime } from 'tideway/adapters/runtime/cri'
import { type Containerd, startContainerd } from '../containers/containerd.ts'
import type { Image } from '../containers/image.ts'
import { shellImage } from '../containers/images.ts'
import { startTestApiServer, type TestApiServer } from '../support/api-server.ts'
import { eventually } from '../support/fleet.ts'
import type { PodStatus } from './edged-place.ts'

/** An event of a pod. */
export interface PodEvent {
  readonly reason: string
  readonly message: string
}

const WAIT_MS = 60_000

/** A node on containerd, with a Kubernetes API for kubectl. */
export interface ContainedPlace {
  readonly api: TestApiServer
  readonly store: OpenObjectStore
  readonly runtime: PodRuntime
  readonly containerd: Containerd
  /** The status of a pod as it is now. */
  statusOf(name: string): PodStatus | undefined
  /** The first status of a pod that fits, however short it lasts. */
  podWhere(name: string, fits: (status: PodStatus) => boolean): Promise<PodStatus>
  /** What was told about a pod. */
  events(name: string): readonly PodEvent[]
  /** Closes edged, and opens another in its place. */
  restart(): Promise<void>
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
  const openEdged = async (store: OpenObjectStore): Promise<Edged> => {
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
    return edged
  }
  const api = await startTestApiServer(async (store) => {
    const { logs, streams } = await openEdged(store)
    return { logs, streams }
  })
  const { store } = api
  // Only read by tests, which fail if it is anything else.
  const statusIn = (pod: KubeObject | undefined): PodStatus | undefined =>
    pod?.['status'] as unknown as PodStatus | undefined
  const statusOf = (name: string): PodStatus | undefined =>
    statusIn(store.get({ resource: 'pods', namespace: 'default', name }))
  const events = (name: string): readonly PodEvent[] =>
    store
      .list('events', 'default')
      .items.filter((event) => JSON.stringify(event['involvedObject']).includes(`"${name}"`))
      .map(({ reason, message }) => ({ reason: String(reason), message: String(message) }))
  return {
    api,
    store,
    runtime,
    containerd,
    statusOf,
    podWhere: async (name, fits) => {
      let found: PodStatus | undefined
      const look = (status: PodStatus | undefined): void => {
        if (status !== undefined && fits(status)) found ??= status
      }
      look(statusOf(name))
      const cancel = store.watch('pods', {}, ({ object }) => {
        if (object.metadata.name === name) look(statusIn(object))
      })
      try {
        return await eventually(() => found, WAIT_MS)
      } catch {
        const said = JSON.stringify([statusOf(name), events(name)], undefined, 1)
        throw new Error(`pod ${name} is not so: ${said}`)
      } finally {
        cancel()
      }
    },
    events,
    restart: async () => {
      await edged?.close()
      await openEdged(store)
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
