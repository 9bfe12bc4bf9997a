import { groupOrder } from '../objects/resources.ts'
import type { Resource, ResourcePart } from '../objects/types.ts'
import { type Conversion, conversionOf } from './convert/conversion.ts'
import type { CustomKind } from './custom/custom-kind.ts'
import { kindType, type StructType, structType } from './schema/schema.ts'

/** A part of an object with a path of its own. */
export type Subresource = ResourcePart

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
  /** The fields of its kind in the version in which it is kept. */
  readonly keptType: StructType
  /** How it looks in this version; undefined where it is kept in it. */
  readonly conversion: Conversion | undefined
  /** The kind of a list of them. Default: the kind with `List` behind it. */
  readonly listKind?: string | undefined
  /** What the kind does itself; undefined for kinds that are built in. */
  readonly custom?: CustomKind | undefined
}

/** Everything that is served. */
export interface Catalog {
  readonly all: readonly Served[]
  /** Undefined when no such resource is served. */
  find(group: string, version: string, plural: string): Served | undefined
  /** By the id that a store uses. */
  byId(id: string): Served | undefined
  /** Calls back after other kinds are served than before. Returns how to stop. */
  onChange(listener: () => void): () => void
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
/** The parts that are served, of those that Kubernetes has. */
const SERVED_PARTS: ReadonlySet<string> = new Set([
  'attach',
  'binding',
  'ephemeralcontainers',
  'eviction',
  'exec',
  'finalize',
  'log',
  'portforward',
  'proxy',
  'resize',
  'scale',
  'status',
  'token',
])

/** Only metadata is known of a kind without a table of fields. */
function metadataType(kind: string): StructType {
  const pod = structType('core.Pod')
  const metadata = pod?.fields.get('metadata')
  const fields = new Map(metadata === undefined ? [] : [['metadata', metadata]])
  return { name: `unknown.${kind}`, atomic: false, fields, wire: new Map(), numbers: [] }
}

function typeOf(group: string, kind: string, version: string): StructType {
  return kindType(group, kind, version) ?? metadataType(kind)
}

function verbsOf({ id, verbs = VERBS }: Resource): readonly string[] {
  return id === 'namespaces' ? verbs.filter((verb) => verb !== 'deletecollection') : verbs
}

/** The proxy of a node would lead to an API of kubelets, which no node here has. */
function isServed(resource: Resource, part: string): boolean {
  return SERVED_PARTS.has(part) && !(resource.id === 'nodes' && part === 'proxy')
}

function servedOf(resource: Resource, group: string, version: string): Served {
  const parts = resource.parts.filter(({ name }) => isServed(resource, name))
  const isOwn = (part: ResourcePart): boolean =>
    part.group === resource.group && part.version === resource.version
  return {
    group,
    version,
    kind: resource.kind,
    plural: resource.plural,
    singular: resource.singular,
    namespaced: resource.namespaced,
    shortNames: resource.shortNames,
    categories: resource.categories,
    verbs: verbsOf(resource),
    subresources: parts.map((part) => (isOwn(part) ? { ...part, group, version } : part)),
    resource,
    type: typeOf(group, resource.kind, version),
    keptType: typeOf(resource.group, resource.kind, resource.version),
    conversion: conversionOf(apiVersionOf({ group, version }), resource.id),
  }
}

/** A resource in its own version and in every other one. */
function servedAs(resource: Resource): readonly Served[] {
  return [resource, ...resource.views].map(({ group, version }) =>
    servedOf(resource, group, version),
  )
}

/** What is only created, and is no object afterwards. */
function reviewOf(group: string, kind: string, namespaced = false): Served {
  return {
    group,
    version: 'v1',
    kind,
    plural: `${kind.toLowerCase()}s`,
    singular: kind.toLowerCase(),
    namespaced,
    shortNames: [],
    categories: [],
    verbs: ['create'],
    subresources: [],
    resource: undefined,
    type: typeOf(group, kind, 'v1'),
    keptType: typeOf(group, kind, 'v1'),
    conversion: undefined,
  }
}

/** As Kubernetes lists groups; those that it does not have come last. Within one: as given. */
function ordered(all: readonly Served[]): readonly Served[] {
  const place = ({ group, version }: Served): number => {
    const index = groupOrder.indexOf(`${group}/${version}`)
    return index < 0 ? groupOrder.length : index
  }
  return [...all].sort((a, b) => place(a) - place(b))
}

/**
 * The catalog of the resources of a store, and of the reviews that need no store.
 *
 * @param custom the versions of kinds that definitions define, in the order to list them in.
 */
export function catalogOf(resources: readonly Resource[], custom: readonly Served[] = []): Catalog {
  const all = ordered([
    ...resources.flatMap(servedAs),
    reviewOf('', 'Binding', true),
    reviewOf('authentication.k8s.io', 'SelfSubjectReview'),
    reviewOf('authentication.k8s.io', 'TokenReview'),
    reviewOf('authorization.k8s.io', 'LocalSubjectAccessReview', true),
    reviewOf('authorization.k8s.io', 'SelfSubjectAccessReview'),
    reviewOf('authorization.k8s.io', 'SelfSubjectRulesReview'),
    reviewOf('authorization.k8s.io', 'SubjectAccessReview'),
    ...custom,
  ])
  const byPath = new Map(
    all.map((served) => [`${served.group}/${served.version}/${served.plural}`, served]),
  )
  const byId = new Map<string, Served>()
  for (const served of all) {
    // The first one is the version in which objects are kept.
    const id = served.resource?.id
    if (id !== undefined && !byId.has(id)) byId.set(id, served)
  }
  return {
    all,
    find: (group, version, plural) => byPath.get(`${group}/${version}/${plural}`),
    byId: (id) => byId.get(id),
    onChange: () => () => undefined,
  }
}

/** `v1` or `apps/v1`. */
export function apiVersionOf(served: { readonly group: string; readonly version: string }): string {
  return served.group === '' ? served.version : `${served.group}/${served.version}`
}
