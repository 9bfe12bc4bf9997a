import { consoleLogger, createReplica, type Replica, type ReplicaOptions } from 'tideway'
import {
  builtinResources,
  createObjectStore,
  documentKinds,
  type OpenObjectStore,
} from 'tideway/adapters/kubernetes/objects'
import { memoryStorage } from 'tideway/adapters/storage/memory'
import { nodeSha256 } from '../../src/node/index.ts'

/** A replica on a memory storage that knows the Kubernetes kinds. */
export function openTestReplica(options: Partial<ReplicaOptions> = {}): Promise<Replica> {
  return createReplica({
    storage: memoryStorage(),
    kinds: documentKinds(builtinResources),
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    ...options,
  })
}

/** A store on a replica; what cannot be shown fails the test. */
export function openTestStore(
  replica: Replica,
  options: { readonly moves?: boolean } = {},
): Promise<OpenObjectStore> {
  return createObjectStore({
    replica,
    resources: builtinResources,
    fleet: 'test',
    ...options,
    sha256: nodeSha256(),
    wallMs: () => Date.now(),
    onError: (error) => {
      throw error
    },
  })
}

/** Resolves when `check` gives something; looks again after each turn, up to `timeoutMs`. */
export async function eventually<T>(
  check: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 15_000,
): Promise<T> {
  const end = Date.now() + timeoutMs
  while (true) {
    const found = await check()
    if (found !== undefined && found !== false) return found
    if (Date.now() > end) throw new Error(`not so after ${timeoutMs} ms: ${String(check)}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
