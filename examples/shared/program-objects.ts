import { type Logger, type Replica, systemClock } from 'tideway'
import {
  builtinResources,
  createObjectStore,
  type ObjectStore,
} from 'tideway/adapters/kubernetes/objects'
import { nodeSha256 } from 'tideway/node'
import type { Teardown } from './lifetime.ts'

/** The Kubernetes objects in a replica's documents. `moves` is whether this program decides about homes. */
export async function openObjects(
  options: { readonly replica: Replica; readonly fleet: string; readonly moves: boolean },
  logger: Logger,
  teardown: Teardown,
): Promise<ObjectStore> {
  const store = await createObjectStore({
    ...options,
    resources: builtinResources,
    sha256: nodeSha256(),
    wallMs: () => systemClock.wallMs(),
    onError: (error) => logger.error('an object cannot be shown', { error }),
  })
  teardown.add('objects', () => store.close())
  return store
}
