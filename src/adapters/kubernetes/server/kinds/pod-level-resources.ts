import { podResources, resourcesAt } from '../../objects/pod-resources.ts'
import { compareQuantities } from '../../objects/quantity.ts'
import type { JsonObject } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt } from '../json.ts'
import { type Cause, checkResources, forbiddenField, invalidValue, notSupported } from './checks.ts'
import type { Fill } from './filling.ts'

// Resources that are said of all of a pod, beside those of its containers (spec.resources).

const OF_PODS = ['cpu', 'hugepages-', 'memory'] as const

function isOfPods(name: string): boolean {
  return OF_PODS.some((known) => (known.endsWith('-') ? name.startsWith(known) : name === known))
}

/** What the containers of a pod ask for together, whatever is said of the whole. */
function askedByContainers(spec: JsonObject): Readonly<Record<string, string>> {
  const { resources: _, ...rest } = spec
  return podResources(rest, 'requests')
}

/** A pod that is limited as a whole asks for what its containers ask for, or else for the limit. */
export const podLevelDefaults: Fill = (spec) => {
  const resources = spec['resources']
  const limits = resourcesAt(resources, 'limits')
  if (!isObject(resources) || Object.keys(limits).length === 0) return spec
  const asked = Object.entries(askedByContainers(spec)).filter(
    ([name]) => name === 'cpu' || name === 'memory',
  )
  const limited = Object.entries(limits).filter(([name]) => isOfPods(name))
  const requests = {
    ...Object.fromEntries(limited),
    ...Object.fromEntries(asked),
    ...objectAt(resources, 'requests'),
  }
  return { ...spec, resources: { ...resources, requests } }
}

/** What is wrong with the resources of all of a pod. */
export function podLevelCauses(field: string, spec: JsonObject): readonly Cause[] {
  const resources = spec['resources']
  if (!isObject(resources)) return []
  const place = `${field}.resources`
  const claims =
    resources['claims'] === undefined
      ? []
      : [forbiddenField(`${place}.claims`, 'claims may not be set for Resources at pod-level')]
  const names = (['limits', 'requests'] as const).flatMap((kind) =>
    Object.keys(objectAt(resources, kind))
      .filter((name) => !isOfPods(name))
      .map((name) => notSupported(`${place}.${kind}[${name}]`, name, OF_PODS)),
  )
  return [
    ...claims,
    ...names,
    ...checkResources(place, resources),
    ...requestCauses(place, spec),
    ...limitCauses(place, spec),
  ]
}

/** The whole asks for at least as much as its containers. */
function requestCauses(place: string, spec: JsonObject): readonly Cause[] {
  const whole = resourcesAt(spec, 'resources', 'requests')
  return Object.entries(askedByContainers(spec)).flatMap(([name, amount]) => {
    const given = whole[name]
    if (given === undefined || compareQuantities(amount, given) <= 0) return []
    const text = `must be greater than or equal to aggregate container requests of ${amount}`
    return [invalidValue(`${place}.requests[${name}]`, given, text)]
  })
}

/** No container may use more than the whole. */
function limitCauses(place: string, spec: JsonObject): readonly Cause[] {
  const whole = resourcesAt(spec, 'resources', 'limits')
  return listAt(spec, 'containers').flatMap((container, index) =>
    Object.entries(resourcesAt(at(container, 'resources'), 'limits')).flatMap(([name, amount]) => {
      const limit = whole[name]
      if (limit === undefined || compareQuantities(amount, limit) <= 0) return []
      const text = `must be less than or equal to pod limits of ${limit}`
      return [invalidValue(`${place}.containers[${index}][${name}].limits`, amount, text)]
    }),
  )
}
