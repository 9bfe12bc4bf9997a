import table from './resources.json' with { type: 'json' }
import type { ListMerge, Resource, ResourcePart } from './types.ts'

/** A line of resources.json, which scripts/kubernetes/generate-resources.ts writes. */
interface Row {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly namespaced: boolean
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly counted?: boolean
  readonly maps: readonly string[]
  /** The struct that the lists are found from; absent where no list merges. */
  readonly type?: string
  readonly parts?: readonly (readonly string[])[]
}

const STRUCTS = table.structs as Readonly<Record<string, Readonly<Record<string, string>>>>

/** Lists that every object has. Managers are one value to Kubernetes; here two replicas add theirs. */
export const METADATA_LISTS: Readonly<Record<string, ListMerge>> = {
  'metadata.finalizers': { type: 'set' },
  'metadata.ownerReferences': { type: 'map', keys: ['uid'] },
  'metadata.managedFields': {
    type: 'map',
    keys: ['manager', 'operation', 'subresource', 'apiVersion'],
  },
}

/** Maps that every object has from the first event on. */
export const METADATA_MAPS: readonly string[] = [
  'metadata',
  'metadata.labels',
  'metadata.annotations',
]

const BY_NAME: ListMerge = { type: 'map', keys: ['name'] }

/** Lists that merge here and are one value to Kubernetes, or have a key there that is not unique. */
const LISTS: Readonly<Record<string, Readonly<Record<string, ListMerge>>>> = {
  namespaces: { 'spec.finalizers': { type: 'set' } },
  nodes: { 'status.addresses': { type: 'map', keys: ['type', 'address'] } },
  pods: {
    'status.containerStatuses': BY_NAME,
    'status.ephemeralContainerStatuses': BY_NAME,
    'status.hostIPs': { type: 'map', keys: ['ip'] },
    'status.initContainerStatuses': BY_NAME,
  },
  serviceaccounts: { imagePullSecrets: BY_NAME },
}

/** Maps below the first level that two sides may begin to fill while apart. */
const MAPS: Readonly<Record<string, readonly string[]>> = { services: ['spec.selector'] }

/** Fields that no update changes on any replica. */
const IMMUTABLE: Readonly<Record<string, readonly string[]>> = {
  pods: ['spec.nodeName'],
  secrets: ['type'],
  'replicasets.apps': ['spec.selector'],
}

function resource(row: Row): Resource {
  const id = row.group === '' ? row.plural : `${row.plural}.${row.group}`
  const parts = (row.parts ?? []).map(
    ([name = '', group = '', version = '', kind = '', verbs = '']): ResourcePart => ({
      name,
      group: version === '' ? row.group : group,
      version: version === '' ? row.version : version,
      kind,
      verbs: verbs.split(' '),
    }),
  )
  let lists: Readonly<Record<string, ListMerge>> | undefined
  return {
    id,
    group: row.group,
    version: row.version,
    kind: row.kind,
    plural: row.plural,
    singular: row.singular,
    shortNames: row.shortNames ?? [],
    categories: row.categories ?? [],
    namespaced: row.namespaced,
    views: table.views.filter(({ hub }) => hub === id),
    parts,
    status: parts.some(({ name }) => name === 'status'),
    counted: row.counted === true,
    scale: parts.some(({ name }) => name === 'scale'),
    // Made when first looked at: most programs use a few kinds only.
    get lists() {
      lists ??= { ...METADATA_LISTS, ...sorted({ ...listsOf(row.type), ...LISTS[id] }) }
      return lists
    },
    maps: [...METADATA_MAPS, ...row.maps, ...(MAPS[id] ?? [])],
    immutable: IMMUTABLE[id] ?? [],
  }
}

/** By path: the order is part of how documents begin, so it does not follow that of the sources. */
function sorted<T>(record: Readonly<Record<string, T>>): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The lists that merge in a struct, by path. */
function listsOf(type: string | undefined): Readonly<Record<string, ListMerge>> {
  const found: Record<string, ListMerge> = {}
  if (type !== undefined) addLists(type, '', found)
  return found
}

function addLists(type: string, prefix: string, found: Record<string, ListMerge>): void {
  for (const [name, value] of Object.entries(STRUCTS[type] ?? {})) {
    const [merge = '', inner] = value.split('>')
    // The fields of a struct without a name stand among those of the struct around it.
    const path = name === '' ? prefix.slice(0, -1) : `${prefix}${name}`
    if (merge === 's') found[path] = { type: 'set' }
    else if (merge !== '') found[path] = { type: 'map', keys: merge.slice(2).split(',') }
    const below = merge === '' ? path : `${path}.*`
    if (inner !== undefined) addLists(inner, below === '' ? '' : `${below}.`, found)
  }
}

/** Groups with their versions, such as `apps/v1`, in the order in which Kubernetes lists them. */
export const groupOrder: readonly string[] = table.groups

/** The built-in kinds, as Kubernetes 1.36 names them, in the order of its discovery. */
export const builtinResources: readonly Resource[] = (table.resources as readonly Row[]).map(
  resource,
)
