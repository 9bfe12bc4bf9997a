import type { ListMerge, Resource } from './types.ts'

// How lists of these kinds merge: x-kubernetes-list-map-keys and x-kubernetes-list-type of the OpenAPI
// document of Kubernetes 1.34. Lists that are not named are atomic: one value.

const CONTAINER_LISTS: Readonly<Record<string, ListMerge>> = {
  env: { type: 'map', keys: ['name'] },
  ports: { type: 'map', keys: ['containerPort', 'protocol'] },
  volumeMounts: { type: 'map', keys: ['mountPath'] },
  volumeDevices: { type: 'map', keys: ['devicePath'] },
}

const METADATA_LISTS: Readonly<Record<string, ListMerge>> = {
  'metadata.finalizers': { type: 'set' },
  'metadata.ownerReferences': { type: 'map', keys: ['uid'] },
  'metadata.managedFields': {
    type: 'map',
    keys: ['manager', 'operation', 'subresource', 'apiVersion'],
  },
}

const METADATA_MAPS = ['metadata', 'metadata.labels', 'metadata.annotations']

function podSpecLists(prefix: string): Readonly<Record<string, ListMerge>> {
  const lists: Record<string, ListMerge> = {
    [`${prefix}.volumes`]: { type: 'map', keys: ['name'] },
    [`${prefix}.imagePullSecrets`]: { type: 'map', keys: ['name'] },
    [`${prefix}.hostAliases`]: { type: 'map', keys: ['ip'] },
    [`${prefix}.topologySpreadConstraints`]: {
      type: 'map',
      keys: ['topologyKey', 'whenUnsatisfiable'],
    },
    [`${prefix}.schedulingGates`]: { type: 'map', keys: ['name'] },
    [`${prefix}.resourceClaims`]: { type: 'map', keys: ['name'] },
  }
  for (const containers of ['containers', 'initContainers', 'ephemeralContainers']) {
    lists[`${prefix}.${containers}`] = { type: 'map', keys: ['name'] }
    for (const [field, merge] of Object.entries(CONTAINER_LISTS))
      lists[`${prefix}.${containers}.*.${field}`] = merge
  }
  return lists
}

const CONDITIONS: Readonly<Record<string, ListMerge>> = {
  'status.conditions': { type: 'map', keys: ['type'] },
}

const POD_STATUS_LISTS: Readonly<Record<string, ListMerge>> = {
  ...CONDITIONS,
  'status.podIPs': { type: 'map', keys: ['ip'] },
  'status.hostIPs': { type: 'map', keys: ['ip'] },
  'status.containerStatuses': { type: 'map', keys: ['name'] },
  'status.initContainerStatuses': { type: 'map', keys: ['name'] },
  'status.ephemeralContainerStatuses': { type: 'map', keys: ['name'] },
}

interface Brief {
  readonly kind: string
  readonly plural: string
  readonly group?: string
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly namespaced?: false
  readonly status?: true
  readonly counted?: true
  readonly scale?: true
  readonly lists?: Readonly<Record<string, ListMerge>>
  readonly maps?: readonly string[]
  readonly immutable?: readonly string[]
}

function resource(brief: Brief): Resource {
  const group = brief.group ?? ''
  return {
    id: group === '' ? brief.plural : `${brief.plural}.${group}`,
    group,
    version: 'v1',
    kind: brief.kind,
    plural: brief.plural,
    singular: brief.kind.toLowerCase(),
    shortNames: brief.shortNames ?? [],
    categories: brief.categories ?? [],
    namespaced: brief.namespaced ?? true,
    status: brief.status ?? false,
    counted: brief.counted ?? false,
    scale: brief.scale ?? false,
    lists: { ...METADATA_LISTS, ...brief.lists },
    maps: [...METADATA_MAPS, ...(brief.maps ?? [])],
    immutable: brief.immutable ?? [],
  }
}

/** The built-in kinds, as Kubernetes 1.34 names them. */
export const builtinResources: readonly Resource[] = [
  resource({
    kind: 'Pod',
    plural: 'pods',
    shortNames: ['po'],
    categories: ['all'],
    status: true,
    lists: { ...podSpecLists('spec'), ...POD_STATUS_LISTS },
    maps: ['spec', 'status'],
    immutable: ['spec.nodeName'],
  }),
  resource({
    kind: 'Node',
    plural: 'nodes',
    shortNames: ['no'],
    namespaced: false,
    status: true,
    lists: {
      ...CONDITIONS,
      'status.addresses': { type: 'map', keys: ['type', 'address'] },
      'spec.podCIDRs': { type: 'set' },
    },
    maps: ['spec', 'status'],
  }),
  resource({
    kind: 'Namespace',
    plural: 'namespaces',
    shortNames: ['ns'],
    namespaced: false,
    status: true,
    lists: { ...CONDITIONS, 'spec.finalizers': { type: 'set' } },
    maps: ['spec', 'status'],
  }),
  resource({
    kind: 'ConfigMap',
    plural: 'configmaps',
    shortNames: ['cm'],
    maps: ['data', 'binaryData'],
  }),
  resource({ kind: 'Secret', plural: 'secrets', maps: ['data'], immutable: ['type'] }),
  resource({
    kind: 'Service',
    plural: 'services',
    shortNames: ['svc'],
    categories: ['all'],
    status: true,
    lists: { ...CONDITIONS, 'spec.ports': { type: 'map', keys: ['port', 'protocol'] } },
    maps: ['spec', 'spec.selector', 'status'],
  }),
  resource({
    kind: 'ServiceAccount',
    plural: 'serviceaccounts',
    shortNames: ['sa'],
    lists: {
      secrets: { type: 'map', keys: ['name'] },
      imagePullSecrets: { type: 'map', keys: ['name'] },
    },
  }),
  resource({ kind: 'Event', plural: 'events', shortNames: ['ev'] }),
  resource({ kind: 'Lease', plural: 'leases', group: 'coordination.k8s.io', maps: ['spec'] }),
  resource({
    kind: 'ReplicaSet',
    plural: 'replicasets',
    group: 'apps',
    shortNames: ['rs'],
    categories: ['all'],
    status: true,
    counted: true,
    scale: true,
    lists: { ...podSpecLists('spec.template.spec'), ...CONDITIONS },
    maps: ['spec', 'status'],
    immutable: ['spec.selector'],
  }),
]
