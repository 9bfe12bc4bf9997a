import {
  addResources,
  POD_LEVEL,
  podResources,
  resourcesAt,
} from '../kubernetes/objects/pod-resources.ts'
import { parseMillis, parseWhole } from '../kubernetes/objects/quantity.ts'
import type { JsonObject } from '../kubernetes/objects/types.ts'
import type { Limits, PodLimits } from '../runtime/index.ts'
import { containerLimits } from './container-limits.ts'
import { asObject } from './json.ts'
import { type ContainerView, ownContainers, type PodView } from './pod-view.ts'

/** The resources of a pod as a whole; undefined when nothing is said of them. */
export function wholeResources(pod: Pick<PodView, 'spec'>): JsonObject | undefined {
  const resources = asObject(pod.spec['resources'])
  const isAny = ['requests', 'limits'].some((kind) =>
    POD_LEVEL.some((name) => asObject(resources[kind])[name] !== undefined),
  )
  return isAny ? resources : undefined
}

/** A container that says nothing of its limits may have what its pod may. */
export function limitsIn(pod: PodView, container: ContainerView): Limits {
  const whole = asObject(wholeResources(pod)?.['limits'])
  const missing = POD_LEVEL.filter((name) => container.limits[name] === undefined)
  const given = missing.flatMap((name) => (whole[name] === undefined ? [] : [[name, whole[name]]]))
  return containerLimits({
    requests: container.requests,
    limits: { ...container.limits, ...Object.fromEntries(given) },
  })
}

/**
 * The limits of a pod's cgroup: what is said of the whole, a share of CPU for all that is asked for, and
 * how many processes a pod of this node may have.
 */
export function podLimits(pod: PodView, processesMax: number | undefined): PodLimits {
  const { memoryBytes, cpuMillis } = containerLimits({
    requests: {},
    limits: asObject(wholeResources(pod)?.['limits']),
  })
  const asked = addResources(podResources(pod.spec, 'requests'), resourcesAt(pod.spec, 'overhead'))
  return {
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(cpuMillis === undefined ? {} : { cpuMillis }),
    cpuRequestMillis: parseMillis(asked['cpu']) ?? 0,
    ...(processesMax === undefined ? {} : { processes: processesMax }),
  }
}

/**
 * What a container gets of the memory that its pod asks for beyond its containers, in bytes: all get the
 * same.
 */
export function memoryBeyond(pod: PodView): number {
  const whole = parseWhole(asObject(wholeResources(pod)?.['requests'])['memory'])
  if (whole === undefined) return 0
  const lasting = ownContainers(pod).filter(({ kind }) => kind !== 'init')
  const own = parseWhole(podResources({ ...pod.spec, resources: {} }, 'requests')['memory']) ?? 0
  return lasting.length === 0 ? 0 : Math.max(Math.trunc((whole - own) / lasting.length), 0)
}

/** What a container may have that says nothing of it, in the words of the API. */
export function wholeLimits(pod: PodView): Readonly<Record<string, string>> {
  const limits = asObject(wholeResources(pod)?.['limits'])
  return Object.fromEntries(
    Object.entries(resourcesAt(limits)).filter(([name]) => POD_LEVEL.includes(name)),
  )
}
