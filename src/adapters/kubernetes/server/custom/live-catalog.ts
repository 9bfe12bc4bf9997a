import { DEFINITIONS } from '../../objects/custom-resources.ts'
import type { KubeObject, ObjectStore, Resource } from '../../objects/types.ts'
import { type Catalog, catalogOf, type Served } from '../catalog.ts'
import { servedVersions } from './custom-served.ts'
import { byVersionPriority } from './version-order.ts'

/** A catalog that follows the definitions of a store. */
export interface LiveCatalog extends Catalog {
  /** Stops following. */
  close(): void
}

/**
 * Follows the kinds of a store: each request sees what is served when it arrives.
 *
 * @param computed kinds that no store keeps.
 */
export function liveCatalog(store: ObjectStore, computed: readonly Resource[]): LiveCatalog {
  const made = new WeakMap<Resource, readonly Served[]>()
  const listeners = new Set<() => void>()
  const builtin = [...store.resources.filter((resource) => resource.custom !== true), ...computed]

  const versionsOf = (resource: Resource): readonly Served[] => {
    const known = made.get(resource)
    if (known !== undefined) return known
    const key = { resource: DEFINITIONS, name: resource.id }
    const current = (): KubeObject | undefined => store.get(key)
    const definition = current()
    const versions = definition === undefined ? [] : servedVersions(resource, definition, current)
    made.set(resource, versions)
    return versions
  }
  const compose = (): Catalog => {
    const custom = store.resources.filter((resource) => resource.custom === true)
    const sorted = [...custom].sort((a, b) => compare(a.group, b.group) || compare(a.id, b.id))
    return catalogOf(builtin, sorted.flatMap(versionsOf).sort(byGroupAndVersion))
  }
  let current = compose()
  const stop = store.onResources(() => {
    current = compose()
    for (const listener of [...listeners]) listener()
  })
  return {
    get all() {
      return current.all
    },
    find: (group, version, plural) => current.find(group, version, plural),
    byId: (id) => current.byId(id),
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: stop,
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Kinds of one version stand together; what is equal keeps its place. */
function byGroupAndVersion(a: Served, b: Served): number {
  return compare(a.group, b.group) || byVersionPriority(a.version, b.version)
}
