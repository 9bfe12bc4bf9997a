import { isObject, mapAt, mapsAt, textAt } from './read.ts'
import type { Json, JsonObject, KubeObject, ListMerge, Resource, ResourcePart } from './types.ts'

/** The id of the kind that defines other kinds. */
export const DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io'

/** The finalizer of a definition that is being deleted: it goes when its objects are gone. */
export const DEFINITION_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io'

/** How deep the lists of a schema are looked for. */
const DEPTH_MAX = 32

/** Lists and maps of metadata, which custom objects have like all others. */
interface Metadata {
  readonly lists: Readonly<Record<string, ListMerge>>
  readonly maps: readonly string[]
}

/**
 * The kind that a definition defines, once it is established; undefined before, and for a definition that
 * does not say enough.
 *
 * @param metadata what merges in the metadata of every object.
 */
export function customResource(definition: KubeObject, metadata: Metadata): Resource | undefined {
  if (!isEstablished(definition)) return undefined
  const group = textAt(definition, 'spec', 'group')
  const names = namesOf(definition)
  const versions = mapsAt(definition, 'spec', 'versions')
  const storage = versions.find((version) => version['storage'] === true)
  const version = textAt(storage, 'name')
  const { plural, kind } = names
  if (group === undefined || plural === undefined || kind === undefined || version === undefined)
    return undefined
  // The name of a definition is what its objects are stored under: nobody else's.
  if (definition.metadata.name !== `${plural}.${group}`) return undefined
  const parts = versions.map((item) => partsOf(item, group, kind))
  const schema = mapAt(storage, 'schema', 'openAPIV3Schema')
  return {
    id: definition.metadata.name,
    custom: true,
    group,
    version,
    kind,
    listKind: names.listKind ?? `${kind}List`,
    plural,
    singular: names.singular ?? kind.toLowerCase(),
    shortNames: names.shortNames,
    categories: names.categories,
    namespaced: textAt(definition, 'spec', 'scope') === 'Namespaced',
    views: versions.flatMap((item) => {
      const name = textAt(item, 'name')
      return name === undefined || name === version || item['served'] !== true
        ? []
        : [{ group, version: name }]
    }),
    writtenIn: versions.map((item) => `${group}/${textAt(item, 'name') ?? ''}`),
    parts: parts[versions.indexOf(storage ?? {})] ?? [],
    status: parts.some((list) => list.some(({ name }) => name === 'status')),
    counted: true,
    scale: parts.some((list) => list.some(({ name }) => name === 'scale')),
    lists: { ...metadata.lists, ...listsOf(schema) },
    maps: metadata.maps,
    immutable: [],
  }
}

/** Whether the kind of a definition is served. */
export function isEstablished(definition: KubeObject): boolean {
  return mapsAt(definition, 'status', 'conditions').some(
    (condition) => condition['type'] === 'Established' && condition['status'] === 'True',
  )
}

/** What of a definition its kind depends on, as text: the same text is the same kind. */
export function definitionText(definition: KubeObject): string {
  const { uid } = definition.metadata
  const { spec, status } = definition as { readonly spec?: Json; readonly status?: Json }
  const names = isObject(status) ? status['acceptedNames'] : undefined
  return JSON.stringify([uid, isEstablished(definition), spec, names])
}

interface Names {
  readonly plural: string | undefined
  readonly singular: string | undefined
  readonly kind: string | undefined
  readonly listKind: string | undefined
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
}

/** The names that were accepted, which may be older than those that are wanted. */
function namesOf(definition: KubeObject): Names {
  const names = mapAt(definition, 'status', 'acceptedNames') ?? mapAt(definition, 'spec', 'names')
  const texts = (key: string): readonly string[] => {
    const list = names?.[key]
    return Array.isArray(list) ? list.filter((item) => typeof item === 'string') : []
  }
  return {
    plural: textAt(names, 'plural'),
    singular: textAt(names, 'singular'),
    kind: textAt(names, 'kind'),
    listKind: textAt(names, 'listKind'),
    shortNames: texts('shortNames'),
    categories: texts('categories'),
  }
}

const PART_VERBS = ['get', 'patch', 'update'] as const

/** The parts that objects have in one version of a definition. */
export function partsOf(
  definedVersion: JsonObject,
  group: string,
  kind: string,
): readonly ResourcePart[] {
  const version = textAt(definedVersion, 'name') ?? ''
  const parts: ResourcePart[] = []
  if (mapAt(definedVersion, 'subresources', 'status') !== undefined)
    parts.push({ name: 'status', group, version, kind, verbs: PART_VERBS })
  if (mapAt(definedVersion, 'subresources', 'scale') !== undefined)
    parts.push({
      name: 'scale',
      group: 'autoscaling',
      version: 'v1',
      kind: 'Scale',
      verbs: PART_VERBS,
    })
  return parts
}

/**
 * The lists of a schema that merge by keys, by path. Sets are one value: Kubernetes keeps their order,
 * which a set that merges would lose.
 */
function listsOf(schema: JsonObject | undefined): Readonly<Record<string, ListMerge>> {
  const found: Record<string, ListMerge> = {}
  addLists(schema, '', found, 0)
  return found
}

function addLists(
  schema: JsonObject | undefined,
  path: string,
  found: Record<string, ListMerge>,
  depth: number,
): void {
  if (schema === undefined || depth > DEPTH_MAX) return
  const below = (name: string): string => (path === '' ? name : `${path}.${name}`)
  for (const [name, inner] of Object.entries(mapAt(schema, 'properties') ?? {})) {
    // The metadata is the same for all; a path cannot name a field with a dot.
    const isLeftOut = (path === '' && name === 'metadata') || name.includes('.') || name === '*'
    if (isObject(inner) && !isLeftOut) addLists(inner, below(name), found, depth + 1)
  }
  addLists(mapAt(schema, 'additionalProperties'), below('*'), found, depth + 1)
  if (schema['x-kubernetes-list-type'] !== 'map' || path === '') return
  const keys = schema['x-kubernetes-list-map-keys']
  if (!Array.isArray(keys) || keys.length === 0) return
  found[path] = { type: 'map', keys: keys.map(String) }
  addLists(mapAt(schema, 'items'), below('*'), found, depth + 1)
}
