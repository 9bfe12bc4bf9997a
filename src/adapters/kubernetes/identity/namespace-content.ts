import type { Clock, Logger, Random } from '../../../core/index.ts'
import { createReconciler } from '../../reconciler/index.ts'
import { textAt } from '../objects/read.ts'
import { type KubeObject, ObjectError, type ObjectKey, type ObjectStore } from '../objects/types.ts'

/** What {@link createNamespaceContent} works on. */
export interface NamespaceContentOptions {
  readonly store: ObjectStore
  /** The certificate that clients in pods check the API with, PEM. */
  readonly caPem: string
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

const ACCOUNT = 'default'
const CONFIG_MAP = 'kube-root-ca.crt'
const CA_KEY = 'ca.crt'

/**
 * Keeps in each namespace what Kubernetes puts there: the service account `default` and the config map
 * `kube-root-ca.crt`, also when somebody deletes or changes them. For where no
 * kube-controller-manager does it.
 */
export function createNamespaceContent(options: NamespaceContentOptions): {
  /** Resolves when every namespace that was there has been looked at. */
  readonly ready: Promise<void>
  /** Stops it, and waits for what is under way. */
  close(): Promise<void>
} {
  const { store } = options
  const reconciler = createReconciler({
    ...options,
    reconcile: async (namespace) => {
      await fill(options, namespace)
      return undefined
    },
  })
  const watchNamed = (resource: string, name: string): (() => void) =>
    store.watch(resource, {}, ({ object: { metadata } }) => {
      if (metadata.name === name) reconciler.hint(metadata.namespace ?? '')
    })
  const cancels = [
    store.watch('namespaces', {}, ({ type, object }) => {
      if (type !== 'DELETED') reconciler.hint(object.metadata.name)
    }),
    watchNamed('serviceaccounts', ACCOUNT),
    watchNamed('configmaps', CONFIG_MAP),
  ]
  for (const { metadata } of store.list('namespaces').items) reconciler.hint(metadata.name)
  return {
    ready: reconciler.idle(),
    close: async () => {
      for (const cancel of cancels) cancel()
      await reconciler.close()
    },
  }
}

async function fill({ store, caPem }: NamespaceContentOptions, namespace: string): Promise<void> {
  const home = store.get({ resource: 'namespaces', name: namespace })
  if (home === undefined || home.metadata.deletionTimestamp !== undefined) return
  const account: ObjectKey = { resource: 'serviceaccounts', namespace, name: ACCOUNT }
  if (store.get(account) === undefined) {
    await make(store, 'serviceaccount-controller', {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: ACCOUNT, namespace },
    })
  }
  const key: ObjectKey = { resource: 'configmaps', namespace, name: CONFIG_MAP }
  const found = store.get(key)
  const data = { [CA_KEY]: caPem }
  const author = 'root-ca-certificate-publisher'
  if (found === undefined) {
    const metadata = { name: CONFIG_MAP, namespace }
    await make(store, author, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data })
  } else if (textAt(found, 'data', CA_KEY) !== caPem) {
    await store.update(key, (current) => ({ ...current, data }), { part: 'desired', author })
  }
}

async function make(store: ObjectStore, author: string, object: KubeObject): Promise<void> {
  try {
    await store.create(object, { author })
  } catch (error) {
    // Somebody else was faster.
    if (!(error instanceof ObjectError) || error.reason !== 'AlreadyExists') throw error
  }
}
