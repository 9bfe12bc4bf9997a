import type { Resource } from '../objects/types.ts'
import { kindType, type StructType, structType } from './schema/schema.ts'

/** A part of an object with a path of its own. */
export interface Subresource {
  readonly name: string
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly verbs: readonly string[]
}

/** A resource as it is served: stored, or computed on request. */
export interface Served {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  readonly singular: string
  readonly namespaced: boolean
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly verbs: readonly string[]
  readonly subresources: readonly Subresource[]
  /** What the store knows of it; undefined for what is only computed. */
  readonly resource: Resource | undefined
  /** The fields of its kind. */
  readonly type: StructType
}

/** Everything that is served. */
export interface Catalog {
  readonly all: readonly Served[]
  /** Undefined when no such resource is served. */
  find(group: string, version: string, plural: string): Served | undefined
  /** By the id that a store uses. */
  byId(id: string): Served | undefined
}

const VERBS = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
] as const
const PART_VERBS = ['get', 'patch', 'update'] as const

function subresourcesOf(resource: Resource): readonly Subresource[] {
  const { group, version, kind } = resource
  const own = { group, version, kind }
  const parts: Subresource[] = []
  if (resource.id === 'pods') {
    parts.push(
      { ...own, name: 'binding', kind: 'Binding', verbs: ['create'] },
      { name: 'eviction', group: 'policy', version: 'v1', kind: 'Eviction', verbs: ['create'] },
      { ...own, name: 'log', verbs: ['get'] },
    )
  }
  if (resource.id === 'namespaces') parts.push({ ...own, name: 'finalize', verbs: ['update'] })
  if (resource.scale) {
    parts.push({
      name: 'scale',
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs: PART_VERBS,
    })
  }
  if (resource.status) parts.push({ ...own, name: 'status', verbs: PART_VERBS })
  return parts
}

/** Only metadata is known of a kind without a table of fields. */
function metadataType(kind: string): StructType {
  const pod = structType('core.Pod')
  const metadata = pod?.fields.get('metadata')
  const fields = new Map(metadata === undefined ? [] : [['metadata', metadata]])
  return { name: `unknown.${kind}`, atomic: false, fields, wire: new Map() }
}

function servedOf(resource: Resource): Served {
  return {
    group: resource.group,
    version: resource.version,
    kind: resource.kind,
    plural: resource.plural,
    singular: resource.singular,
    namespaced: resource.namespaced,
    shortNames: resource.shortNames,
    categories: resource.categories,
    verbs: VERBS,
    subresources: subresourcesOf(resource),
    resource,
    type: kindType(resource.group, resource.kind) ?? metadataType(resource.kind),
  }
}

function reviewOf(group: string, kind: string): Served {
  return {
    group,
    version: 'v1',
    kind,
    plural: `${kind.toLowerCase()}s`,
    singular: kind.toLowerCase(),
    namespaced: false,
    shortNames: [],
    categories: [],
    verbs: ['create'],
    subresources: [],
    resource: undefined,
    type: kindType(group, kind) ?? metadataType(kind),
  }
}

/** The catalog of the resources of a store, and of the reviews that need no store. */
export function catalogOf(resources: readonly Resource[]): Catalog {
  const all = [
    ...resources.map(servedOf),
    reviewOf('authentication.k8s.io', 'SelfSubjectReview'),
    reviewOf('authorization.k8s.io', 'SelfSubjectAccessReview'),
  ]
  const byPath = new Map(
    all.map((served) => [`${served.group}/${served.version}/${served.plural}`, served]),
  )
  const byId = new Map(
    all.flatMap((served) =>
      served.resource === undefined ? [] : [[served.resource.id, served] as const],
    ),
  )
  return {
    all,
    find: (group, version, plural) => byPath.get(`${group}/${version}/${plural}`),
    byId: (id) => byId.get(id),
  }
}

/** `v1` or `apps/v1`. */
export function apiVersionOf(served: { readonly group: string; readonly version: string }): string {
  return served.group === '' ? served.version : `${served.group}/${served.version}`
}
