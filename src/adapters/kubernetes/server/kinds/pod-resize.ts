import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt, sameJson, textAt } from '../json.ts'
import { type Cause, forbiddenField, invalidValue } from './checks.ts'
import { isMirror } from './ephemeral-containers.ts'
import { qosClass } from './pod-defaults.ts'
import { RESIZED } from './resize-policy.ts'
import type { UpdateCheck } from './rules.ts'

// Resources of a pod that runs (pods/resize): cpu and memory of its containers, and of all of it, may
// change and nothing else may.

const LISTS = ['containers', 'initContainers'] as const
const AMOUNTS = ['requests', 'limits'] as const

const ONLY_THESE = 'only cpu and memory resources are mutable'
const ONLY_THESE_INIT = 'only cpu and memory resources for init or sidecar containers are mutable'

/**
 * The pod as it was, with the resources of `given`. A pod whose containers are others is left as it is
 * given, for the check to refuse it.
 */
export function withResources(before: KubeObject, given: KubeObject): KubeObject {
  const isOther = LISTS.some((list) => {
    const names = (pod: KubeObject): readonly string[] =>
      listAt(pod, 'spec', list).map((item) => textAt(item, 'name'))
    return !sameJson(names(before), names(given))
  })
  if (isOther) return given
  const spec: Record<string, Json | undefined> = {
    ...objectAt(before, 'spec'),
    resources: at(given, 'spec', 'resources'),
  }
  for (const list of LISTS) {
    const now = listAt(given, 'spec', list)
    if (now.length === 0) continue
    spec[list] = listAt(before, 'spec', list).map((item, index) => ({
      ...objectAt(item),
      resources: at(now[index], 'resources'),
      resizePolicy: at(now[index], 'resizePolicy'),
    }))
  }
  return { ...before, spec: spec as JsonObject }
}

/** What a resize changes that it may not. */
export const resizeUpdate: UpdateCheck = (before, after) => {
  if (isMirror(before)) return [forbiddenField('[]', 'static pods cannot be resized')]
  if (textAt(before, 'spec', 'os', 'name') === 'windows')
    return [forbiddenField('[]', 'windows pods cannot be resized')]
  const moved = LISTS.flatMap((list) => orderCauses(list, before, after))
  const causes = [...podCauses(before, after), ...moved]
  if (moved.length > 0) return causes
  const contained = [
    ...(['initContainers', 'containers'] as const).flatMap((list) =>
      eachContainer(list, before, after, lostCauses),
    ),
    ...LISTS.flatMap((list) => eachContainer(list, before, after, fixedCauses)),
  ]
  return [...causes, ...contained]
}

function podCauses(before: JsonObject, after: JsonObject): readonly Cause[] {
  const was = textAt(before, 'status', 'qosClass') || qosClass(before)
  const text = 'Pod QOS Class may not change as a result of resizing'
  return [
    ...(was === qosClass(after) ? [] : [invalidValue('spec', was, text)]),
    ...(isResizable(before)
      ? []
      : [forbiddenField('spec', 'Pod running on node without support for resize')]),
    ...wholeCauses(at(before, 'spec', 'resources'), at(after, 'spec', 'resources')),
  ]
}

/** A node that can resize says of each container that runs what it has. */
function isResizable(pod: JsonObject): boolean {
  const running = listAt(pod, 'status', 'containerStatuses').find(
    (status) => at(status, 'state', 'running') !== undefined,
  )
  return running === undefined || at(running, 'resources') !== undefined
}

/** Of the resources of all of a pod. */
function wholeCauses(was: Json | undefined, is: Json | undefined): readonly Cause[] {
  if (isObject(was) && is === undefined)
    return [forbiddenField('spec.resources', 'pod-level resources cannot be removed')]
  const lost = AMOUNTS.filter((kind) => isLost(at(was, kind), at(is, kind))).map((kind) =>
    forbiddenField(`spec.resources.${kind}`, `pod-level resource ${kind} cannot be removed`),
  )
  return sameJson(othersOf(was), othersOf(is))
    ? lost
    : [...lost, forbiddenField('spec', `${ONLY_THESE} at pod-level`)]
}

function isLost(was: Json | undefined, is: Json | undefined): boolean {
  return Object.keys(objectAt(was)).some((name) => at(is, name) === undefined)
}

/** Resources without the amounts that may change. */
function othersOf(resources: Json | undefined): JsonObject {
  const amounts = AMOUNTS.map((kind) => {
    const given = Object.entries(objectAt(resources, kind))
    return [kind, Object.fromEntries(given.filter(([name]) => !isResized(name)))] as const
  })
  return { ...Object.fromEntries(amounts), claims: listAt(resources, 'claims') }
}

function isResized(name: string): boolean {
  return RESIZED.some((known) => known === name)
}

function orderCauses(list: string, before: JsonObject, after: JsonObject): readonly Cause[] {
  const was = listAt(before, 'spec', list)
  const is = listAt(after, 'spec', list)
  if (was.length !== is.length)
    return [forbiddenField(`spec.${list}`, `${list} may not be added or removed on resize`)]
  return was.flatMap((item, index) =>
    textAt(item, 'name') === textAt(is[index], 'name')
      ? []
      : [
          forbiddenField(
            `spec.${list}[${index}].name`,
            `${list} may not be renamed or reordered on resize`,
          ),
        ],
  )
}

type List = (typeof LISTS)[number]
type ContainerCheck = (list: List, place: string, was: Json, is: Json) => readonly Cause[]

function eachContainer(
  list: List,
  before: JsonObject,
  after: JsonObject,
  check: ContainerCheck,
): readonly Cause[] {
  const now = listAt(after, 'spec', list)
  return listAt(before, 'spec', list).flatMap((was, index) =>
    check(list, `spec.${list}[${index}]`, was, now[index] ?? null),
  )
}

function lostCauses(_list: List, place: string, was: Json, is: Json): readonly Cause[] {
  return AMOUNTS.filter((kind) =>
    isLost(at(was, 'resources', kind), at(is, 'resources', kind)),
  ).map((kind) =>
    forbiddenField(`${place}.resources.${kind}`, `resource ${kind} cannot be removed`),
  )
}

function fixedCauses(list: List, place: string, was: Json, is: Json): readonly Cause[] {
  const fixedPart = (item: Json): JsonObject => ({
    ...objectAt(item),
    resources: othersOf(at(item, 'resources')),
  })
  const isKept = sameJson(fixedPart(was), fixedPart(is))
  if (list === 'containers') return isKept ? [] : [forbiddenField('spec', ONLY_THESE)]
  const isSidecar = textAt(is, 'restartPolicy') === 'Always'
  const restarts = listAt(is, 'resizePolicy').some(
    (policy) => textAt(policy, 'restartPolicy') === 'RestartContainer',
  )
  return [
    ...(isKept ? [] : [forbiddenField(place, ONLY_THESE_INIT)]),
    ...(isSidecar || !restarts || sameJson(was, is)
      ? []
      : [
          forbiddenField(
            place,
            'non-sidecar init containers with a resize policy of RestartContainer cannot be resized',
          ),
        ]),
  ]
}
