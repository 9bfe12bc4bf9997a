import { addResources, type ResourceList, resourcesAt } from '../../objects/pod-resources.ts'
import { canonicalQuantity, compareQuantities, subtractQuantities } from '../../objects/quantity.ts'
import { isCounted, limitedNames, quotaUsage, usedOf } from '../../objects/quota-usage.ts'
import { mapsAt, textAt } from '../../objects/read.ts'
import type { KubeObject, ObjectStore } from '../../objects/types.ts'

// The admission of Kubernetes that keeps what is made in a namespace within its quotas
// (apiserver/pkg/admission/plugin/resourcequota). What is used is counted from the objects that are there,
// so it holds without a controller; what other replicas make meanwhile is counted when it arrives.

/** What is admitted and not stored yet, by quota: two requests at once do not get the same place. */
export class QuotaReservations {
  readonly #pending = new Map<string, Set<ResourceList>>()

  /** What is reserved of a quota. */
  of(quota: string): ResourceList {
    return [...(this.#pending.get(quota) ?? [])].reduce(addResources, {})
  }

  /** Reserves until it is released by the function that this gives back. */
  add(quota: string, amounts: ResourceList): () => void {
    const all = this.#pending.get(quota) ?? new Set<ResourceList>()
    this.#pending.set(quota, all)
    const own = { ...amounts }
    all.add(own)
    return () => {
      all.delete(own)
      if (all.size === 0 && this.#pending.get(quota) === all) this.#pending.delete(quota)
    }
  }
}

/** A write that may need room in quotas. */
export interface QuotaAsk {
  readonly store: Pick<ObjectStore, 'list' | 'resource'>
  readonly reservations: QuotaReservations
  readonly resource: string
  readonly object: KubeObject
  /** What the object was; undefined for a new one. */
  readonly before: KubeObject | undefined
  /** Whether an update may change what a pod uses. */
  readonly isResize: boolean
  readonly nowMs: number
}

/** The room that a write has, or why it has none. */
export type QuotaAnswer =
  | { readonly problem: string }
  /** To be called when the write is done or has failed. */
  | { readonly release: () => void }

/** What has to be said of each container of a pod, where a quota limits it. */
const SAID = ['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory']

/** Kinds whose updates may need more room than before. */
const GROWING: ReadonlySet<string> = new Set(['services', 'persistentvolumeclaims'])

/** Looks for room for a write in every quota of its namespace, and reserves it. */
export function askQuotas(ask: QuotaAsk): QuotaAnswer {
  const { store, reservations, resource, object, before, isResize, nowMs } = ask
  const { namespace } = object.metadata
  const mayGrow = before === undefined || GROWING.has(resource) || isResize
  const isFree = namespace === undefined || !mayGrow
  const quotas = isFree ? [] : store.list('resourcequotas', namespace).items
  if (quotas.length === 0) return { release: () => undefined }
  const usage = quotaUsage(resource, object, nowMs)
  const needs: { readonly id: string; readonly amounts: ResourceList }[] = []
  for (const quota of quotas) {
    const hard = resourcesAt(quota, 'spec', 'hard')
    const limited = limitedNames(resource, Object.keys(hard))
    if (limited.length === 0 || !isCounted(quota, resource, object)) continue
    const { name, uid = '' } = quota.metadata
    const unsaid = resource === 'pods' ? unsaidOf(object, limited) : ''
    if (unsaid !== '') return { problem: `failed quota: ${name}: must specify ${unsaid}` }
    const was = before !== undefined && isCounted(quota, resource, before) ? before : undefined
    const amounts = neededOf(usage, was === undefined ? {} : quotaUsage(resource, was, nowMs), hard)
    if (Object.keys(amounts).length === 0) continue
    const used = addResources(usedOf(store, quota, nowMs), reservations.of(uid))
    const full = Object.keys(amounts).filter(
      (key) => compareQuantities(addOne(used, amounts, key), hard[key] ?? '0') > 0,
    )
    if (full.length > 0) {
      const [asked, known, limit] = [amounts, used, hard].map((list) => textOf(list, full))
      return {
        problem: `exceeded quota: ${name}, requested: ${asked}, used: ${known}, limited: ${limit}`,
      }
    }
    needs.push({ id: uid, amounts })
  }
  const releases = needs.map(({ id, amounts }) => reservations.add(id, amounts))
  return {
    release: () => {
      for (const release of releases) release()
    },
  }
}

/** What a write needs beside what the object had before, of what a quota limits. */
function neededOf(usage: ResourceList, before: ResourceList, hard: ResourceList): ResourceList {
  const needed: Record<string, string> = {}
  for (const [name, amount] of Object.entries(usage)) {
    if (hard[name] === undefined) continue
    const more = subtractQuantities(amount, before[name] ?? '0')
    if (compareQuantities(more, '0') > 0) needed[name] = more
  }
  return needed
}

function addOne(used: ResourceList, amounts: ResourceList, name: string): string {
  return addResources({ [name]: used[name] ?? '0' }, { [name]: amounts[name] ?? '0' })[name] ?? '0'
}

function textOf(list: ResourceList, names: readonly string[]): string {
  return [...names]
    .sort()
    .filter((name) => list[name] !== undefined)
    .map((name) => `${name}=${canonicalQuantity(list[name] ?? '0') ?? '0'}`)
    .join(',')
}

/** What containers do not say although a quota limits it, such as `cpu for: a,b; memory for: b`. */
function unsaidOf(pod: KubeObject, limited: readonly string[]): string {
  const spec = pod['spec']
  const whole = Object.keys({
    ...resourcesAt(spec, 'resources', 'requests'),
    ...resourcesAt(spec, 'resources', 'limits'),
  })
  if (whole.length > 0) return ''
  const containers = [...mapsAt(spec, 'containers'), ...mapsAt(spec, 'initContainers')]
  return SAID.filter((name) => limited.includes(name))
    .sort()
    .flatMap((name) => {
      const isLimit = name.startsWith('limits.')
      const key = name.slice(name.lastIndexOf('.') + 1)
      const missing = containers.filter(
        (container) =>
          resourcesAt(container, 'resources', isLimit ? 'limits' : 'requests')[key] === undefined,
      )
      const names = [...new Set(missing.map((container) => textAt(container, 'name') ?? ''))].sort()
      return names.length === 0 ? [] : [`${name} for: ${names.join(',')}`]
    })
    .join('; ')
}
