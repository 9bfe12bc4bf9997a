import { type KubeObject, ObjectError, type ObjectStore } from 'tideway/adapters/kubernetes/objects'

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

/**
 * Makes what every cluster has from the start: four namespaces, and the service account `default` in
 * each namespace, also in those that come later.
 *
 * @param onError is told of an account that could not be made.
 * @returns stops it.
 */
export async function createFirstObjects(
  store: ObjectStore,
  onError: (error: unknown) => void,
): Promise<() => void> {
  for (const name of NAMESPACES) await createOnce(store, namespaceObject(name))
  for (const { metadata } of store.list('namespaces').items) {
    if (metadata.deletionTimestamp === undefined)
      await createOnce(store, accountObject(metadata.name))
  }
  return store.watch('namespaces', {}, ({ type, object }) => {
    if (type === 'ADDED') createOnce(store, accountObject(object.metadata.name)).catch(onError)
  })
}

function namespaceObject(name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels: { 'kubernetes.io/metadata.name': name } },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  }
}

function accountObject(namespace: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace } }
}

async function createOnce(store: ObjectStore, object: KubeObject): Promise<void> {
  try {
    await store.create(object, { author: 'cloudcore' })
  } catch (error) {
    if (!(error instanceof ObjectError) || error.reason !== 'AlreadyExists') throw error
  }
}
