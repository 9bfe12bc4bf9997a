import type { JsonObject } from '../../kubernetes/objects/types.ts'
import { asObject } from '../json.ts'
import type { ContainerView, PodView } from '../pod-view.ts'

/** The types of the conditions that tell of a resize. */
export const RESIZE_CONDITIONS = ['PodResizePending', 'PodResizeInProgress'] as const

/** What an event says of a resize: a sentence, and what the pod is to have as JSON, as kubelet does. */
export function resizeMessage(what: string, pod: PodView, problem = ''): string {
  const generation = pod.object.metadata['generation']
  const summary = {
    ...(pod.initContainers.length === 0
      ? {}
      : { initContainers: pod.initContainers.map(summaryOf) }),
    ...(pod.containers.length === 0 ? {} : { containers: pod.containers.map(summaryOf) }),
    generation: typeof generation === 'number' ? generation : 0,
    ...(problem === '' ? {} : { error: problem }),
  }
  return `${what}: ${JSON.stringify(summary)}`
}

function summaryOf({ name, json }: ContainerView): JsonObject {
  const { limits, requests } = asObject(json['resources'])
  return {
    name,
    resources: {
      ...(limits === undefined ? {} : { limits: sorted(asObject(limits)) }),
      ...(requests === undefined ? {} : { requests: sorted(asObject(requests)) }),
    },
  }
}

function sorted(list: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(list).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Why the memory of containers cannot be taken from them. */
export function belowUse(
  found: readonly { readonly name: string; readonly limit: number; readonly used: number }[],
): string {
  const each = found.map(
    ({ name, limit, used }) =>
      `attempting to set container "${name}" memory limit (${limit}) below current usage (${used})`,
  )
  const all = each.length === 1 ? each.join('') : `[${each.join(', ')}]`
  return `cannot decrease memory limits: ${all}`
}
