import type { DocumentKind, Shape } from '../../../core/index.ts'
import type { Part } from './identity.ts'
import { METADATA_LISTS, METADATA_MAPS } from './resources.ts'
import type { ListMerge, Resource } from './types.ts'

const KINDS = new WeakMap<Resource, Map<Part, DocumentKind>>()

/** The kind of document that a part of a resource is kept in. */
export function documentKind(resource: Resource, part: Part): DocumentKind {
  const known = KINDS.get(resource) ?? new Map<Part, DocumentKind>()
  KINDS.set(resource, known)
  let kind = known.get(part)
  if (kind === undefined) {
    kind = makeKind(resource, part)
    known.set(part, kind)
  }
  return kind
}

/**
 * All custom kinds begin with the same event: a replica takes their documents from peers also before it
 * has the definition, and whatever version is kept.
 */
function kindName(resource: Resource, part: Part): string {
  if (resource.custom === true) return `custom/v1/${part}`
  return `${resource.id}/${resource.version}/${part}`
}

/** What a kind is made of is found when it is first used: most programs use a few kinds only. */
function makeKind(resource: Resource, part: Part): DocumentKind {
  const wanted = (path: string): boolean =>
    (path === 'status' || path.startsWith('status.')) === (part === 'observed')
  let shape: Shape | undefined
  let skeleton: readonly string[] | undefined
  return {
    name: kindName(resource, part),
    get shape() {
      shape ??= shapeOf(resource, part, wanted)
      return shape
    },
    get skeleton() {
      // Lists too: what two replicas put into one while apart, such as finalizers, is merged.
      skeleton ??= [...resource.maps, ...listsOf(resource)].filter(wanted)
      return skeleton
    },
  }
}

function shapeOf(resource: Resource, part: Part, wanted: (path: string) => boolean): Shape {
  const root = new Node()
  for (const [path, merge] of Object.entries(resource.lists)) {
    if (wanted(path)) root.at(path.split('.')).merge = merge
  }
  if (part === 'desired') root.at(['metadata', 'generation']).counter = true
  // Who owns a status is written where the status is.
  const owners = resource.lists['metadata.managedFields']
  if (part === 'observed' && owners !== undefined) root.at(['managedFields']).merge = owners
  return root.shape()
}

/** The lists that merge and stand in a map that is there from the first event on. */
function listsOf(resource: Resource): readonly string[] {
  const parents = new Set(resource.maps)
  return Object.keys(resource.lists).filter((path) =>
    parents.has(path.slice(0, Math.max(0, path.lastIndexOf('.')))),
  )
}

/** Every kind that a replica has to know to take these resources from peers. */
export function documentKinds(resources: readonly Resource[]): readonly DocumentKind[] {
  return [...resources, ANY_CUSTOM].flatMap((resource) => [
    documentKind(resource, 'desired'),
    documentKind(resource, 'observed'),
  ])
}

/** Stands for every custom kind: what all of them have in common. */
const ANY_CUSTOM: Resource = {
  id: 'custom',
  custom: true,
  group: '',
  version: 'v1',
  kind: '',
  plural: '',
  singular: '',
  shortNames: [],
  categories: [],
  namespaced: true,
  views: [],
  parts: [],
  status: true,
  counted: true,
  scale: false,
  lists: METADATA_LISTS,
  maps: METADATA_MAPS,
  immutable: [],
}

/** One step of the paths of a resource, while they are gathered into a shape. */
class Node {
  readonly #fields = new Map<string, Node>()
  merge: ListMerge | undefined
  counter = false

  at(path: readonly string[]): Node {
    const [key, ...rest] = path
    if (key === undefined) return this
    let child = this.#fields.get(key)
    if (child === undefined) {
      child = new Node()
      this.#fields.set(key, child)
    }
    return child.at(rest)
  }

  shape(): Shape {
    if (this.counter) return { type: 'counter' }
    if (this.merge?.type === 'set') return { type: 'set' }
    if (this.merge !== undefined) {
      const item = this.#fields.get('*')?.shape()
      return { type: 'list', keys: this.merge.keys, ...(item === undefined ? {} : { item }) }
    }
    const shapes = [...this.#fields].map(([key, node]) => [key, node.shape()] as const)
    const values = shapes.find(([key]) => key === '*')?.[1]
    const fields = Object.fromEntries(shapes.filter(([key]) => key !== '*'))
    return { type: 'map', fields, ...(values === undefined ? {} : { values }) }
  }
}
