// Which packages of Go hold the kinds that are served, and how they are named here.

/** A package of types: its name here, the API group and version, and where its sources are. */
interface GoPackage {
  readonly name: string
  /** Empty for the core group; undefined for a package without kinds of its own. */
  readonly group: string | undefined
  readonly version: string
  readonly module: string
  readonly folder: string
  readonly files: readonly string[]
  /** The prefix of its types in OpenAPI documents. */
  readonly openApi: string
  /** The kinds of it that a request may carry. */
  readonly roots: readonly string[]
}

function api(name: string, group: string, version: string, roots: readonly string[]): GoPackage {
  const folder = `${name.replace(/v\d+$/, '')}/${version}`
  return {
    name,
    group,
    version,
    module: 'k8s.io/api',
    folder,
    files: ['types.go'],
    openApi: `io.k8s.api.${folder.replace('/', '.')}`,
    roots,
  }
}

/** Every package, core first. */
export const PACKAGES: readonly GoPackage[] = [
  api('core', '', 'v1', [
    'Binding',
    'ConfigMap',
    'Endpoints',
    'Event',
    'LimitRange',
    'Namespace',
    'Node',
    'PersistentVolume',
    'PersistentVolumeClaim',
    'Pod',
    'PodTemplate',
    'ReplicationController',
    'ResourceQuota',
    'Secret',
    'Service',
    'ServiceAccount',
  ]),
  api('apps', 'apps', 'v1', [
    'ControllerRevision',
    'DaemonSet',
    'Deployment',
    'ReplicaSet',
    'StatefulSet',
  ]),
  api('events', 'events.k8s.io', 'v1', ['Event']),
  api('authentication', 'authentication.k8s.io', 'v1', [
    'SelfSubjectReview',
    'TokenRequest',
    'TokenReview',
  ]),
  api('authorization', 'authorization.k8s.io', 'v1', [
    'LocalSubjectAccessReview',
    'SelfSubjectAccessReview',
    'SelfSubjectRulesReview',
    'SubjectAccessReview',
  ]),
  api('autoscalingv2', 'autoscaling', 'v2', ['HorizontalPodAutoscaler']),
  api('autoscaling', 'autoscaling', 'v1', ['HorizontalPodAutoscaler', 'Scale']),
  api('batch', 'batch', 'v1', ['CronJob', 'Job']),
  api('networking', 'networking.k8s.io', 'v1', [
    'IPAddress',
    'Ingress',
    'IngressClass',
    'NetworkPolicy',
    'ServiceCIDR',
  ]),
  api('policy', 'policy', 'v1', ['Eviction', 'PodDisruptionBudget']),
  api('rbac', 'rbac.authorization.k8s.io', 'v1', [
    'ClusterRole',
    'ClusterRoleBinding',
    'Role',
    'RoleBinding',
  ]),
  api('storage', 'storage.k8s.io', 'v1', [
    'CSIDriver',
    'CSINode',
    'CSIStorageCapacity',
    'StorageClass',
    'VolumeAttachment',
    'VolumeAttributesClass',
  ]),
  api('admissionregistration', 'admissionregistration.k8s.io', 'v1', [
    'MutatingWebhookConfiguration',
    'ValidatingAdmissionPolicy',
    'ValidatingAdmissionPolicyBinding',
    'ValidatingWebhookConfiguration',
  ]),
  {
    name: 'apiextensions',
    group: 'apiextensions.k8s.io',
    version: 'v1',
    module: 'k8s.io/apiextensions-apiserver',
    folder: 'pkg/apis/apiextensions/v1',
    files: ['types.go', 'types_jsonschema.go'],
    openApi: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1',
    roots: ['CustomResourceDefinition'],
  },
  api('scheduling', 'scheduling.k8s.io', 'v1', ['PriorityClass']),
  api('coordination', 'coordination.k8s.io', 'v1', ['Lease']),
  api('node', 'node.k8s.io', 'v1', ['RuntimeClass']),
  api('discovery', 'discovery.k8s.io', 'v1', ['EndpointSlice']),
  api('resource', 'resource.k8s.io', 'v1', [
    'DeviceClass',
    'ResourceClaim',
    'ResourceClaimTemplate',
    'ResourceSlice',
  ]),
  {
    name: 'meta',
    group: undefined,
    version: 'v1',
    module: 'k8s.io/apimachinery',
    folder: 'pkg/apis/meta/v1',
    files: ['types.go'],
    openApi: 'io.k8s.apimachinery.pkg.apis.meta.v1',
    roots: ['DeleteOptions', 'PartialObjectMetadata', 'PartialObjectMetadataList', 'Status'],
  },
]

/** How the package of an import path is named here. */
export function packageOf(path: string): string | undefined {
  return PACKAGES.find(({ module, folder }) => `${module}/${folder}` === path)?.name
}
