import { bootstrapObjects, reconcileBootstrap } from 'tideway/adapters/kubernetes/identity'
import { type KubeObject, ObjectError, type ObjectStore } from 'tideway/adapters/kubernetes/objects'

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

const AGGREGATED = 'rbac.authorization.k8s.io/aggregate-to-'

/** Who may view a namespace may see what is used in it, as metrics-server has it. */
const METRICS_READER: KubeObject = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  metadata: {
    name: 'system:aggregated-metrics-reader',
    labels: {
      [`${AGGREGATED}admin`]: 'true',
      [`${AGGREGATED}edit`]: 'true',
      [`${AGGREGATED}view`]: 'true',
    },
  },
  rules: [
    {
      apiGroups: ['metrics.k8s.io'],
      resources: ['pods', 'nodes'],
      verbs: ['get', 'list', 'watch'],
    },
  ],
}

/**
 * Makes what every cluster has from the start: four namespaces, and the roles that clients expect. What
 * somebody added to a role that is there stays.
 */
export async function createFirstObjects(store: ObjectStore): Promise<void> {
  for (const name of NAMESPACES) await createOnce(store, namespaceObject(name))
  await reconcileBootstrap(store, [...bootstrapObjects(false), METRICS_READER])
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

async function createOnce(store: ObjectStore, object: KubeObject): Promise<void> {
  try {
    await store.create(object, { author: 'cloudcore' })
  } catch (error) {
    if (!(error instanceof ObjectError) || error.reason !== 'AlreadyExists') throw error
  }
}
