import { addQuantities, compareQuantities } from './quantity.ts'
import { mapAt, mapsAt } from './read.ts'
import type { JsonObject } from './types.ts'

/** Quantities by the name of the resource (core/v1 ResourceList). */
export type ResourceList = Readonly<Record<string, string>>

/** A list of resources as somebody wrote it; what is no quantity is left out. */
export function resourcesAt(value: unknown, ...path: readonly string[]): ResourceList {
  const found: Record<string, string> = {}
  for (const [name, amount] of Object.entries(mapAt(value, ...path) ?? {})) {
    if (typeof amount === 'string' || typeof amount === 'number') found[name] = String(amount)
  }
  return found
}

/** Both lists added up. */
export function addResources(a: ResourceList, b: ResourceList): ResourceList {
  const sum: Record<string, string> = { ...a }
  for (const [name, amount] of Object.entries(b)) {
    sum[name] = sum[name] === undefined ? amount : addQuantities(sum[name], amount)
  }
  return sum
}

/** Of each resource the greater amount. */
function maxResources(a: ResourceList, b: ResourceList): ResourceList {
  const max: Record<string, string> = { ...a }
  for (const [name, amount] of Object.entries(b)) {
    const known = max[name]
    if (known === undefined || compareQuantities(amount, known) > 0) max[name] = amount
  }
  return max
}

/** What can be said of a pod as a whole, beside its containers (`spec.resources`). */
export const POD_LEVEL: readonly string[] = ['cpu', 'memory']

/**
 * What a pod asks for, or may use at most, as a whole: its containers together with those init
 * containers that go on, or the most that an init container needs while it runs.
 */
export function podResources(spec: JsonObject, kind: 'requests' | 'limits'): ResourceList {
  let total: ResourceList = {}
  for (const container of mapsAt(spec, 'containers')) {
    total = addResources(total, resourcesAt(container, 'resources', kind))
  }
  let going: ResourceList = {}
  let first: ResourceList = {}
  for (const container of mapsAt(spec, 'initContainers')) {
    const own = resourcesAt(container, 'resources', kind)
    if (container['restartPolicy'] === 'Always') {
      total = addResources(total, own)
      going = addResources(going, own)
      first = maxResources(first, going)
    } else first = maxResources(first, addResources(own, going))
  }
  const own = Object.entries(resourcesAt(spec, 'resources', kind))
  return {
    ...maxResources(total, first),
    ...Object.fromEntries(own.filter(([name]) => POD_LEVEL.includes(name))),
  }
}
