import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import { at, isObject, listAt, objectAt, sameJson, textAt } from '../json.ts'
import { type Cause, duplicate, forbiddenField, notFoundValue } from './checks.ts'
import { checkContainer } from './pod-validate.ts'
import type { UpdateCheck } from './rules.ts'

// Containers that are added to a pod that runs, to look into it (pods/ephemeralcontainers).

/** What containers may have and these may not, in the order in which it is told. */
const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'] as const
const NOT_THEIRS = [
  'ports',
  'resources',
  'resizePolicy',
  'restartPolicy',
  'restartPolicyRules',
  ...PROBES,
] as const
const REFUSAL = 'cannot be set for an Ephemeral Container'

/** The annotation of a pod that its node runs by itself. */
const MIRROR = 'kubernetes.io/config.mirror'

/** What is wrong with the ephemeral containers of a pod spec. */
export function checkEphemeralContainers(spec: JsonObject): readonly Cause[] {
  const volumes = new Set(listAt(spec, 'volumes').map((volume) => textAt(volume, 'name')))
  const others = [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')].map((item) =>
    textAt(item, 'name'),
  )
  const taken = new Set(others)
  return listAt(spec, 'ephemeralContainers').flatMap((item, index) => {
    const place = `spec.ephemeralContainers[${index}]`
    const name = textAt(item, 'name')
    const target = textAt(item, 'targetContainerName')
    const isTaken = taken.has(name)
    taken.add(name)
    return [
      ...checkContainer(place, withoutProbes(item), volumes),
      ...(isTaken ? [duplicate(`${place}.name`, name)] : []),
      ...(target === '' || others.includes(target)
        ? []
        : [notFoundValue(`${place}.targetContainerName`, target)]),
      ...NOT_THEIRS.filter((field) => isSet(at(item, field))).map((field) =>
        forbiddenField(`${place}.${field}`, REFUSAL),
      ),
      ...listAt(item, 'volumeMounts').flatMap((mount, at) =>
        (['subPath', 'subPathExpr'] as const)
          .filter((field) => textAt(mount, field) !== '')
          .map((field) => forbiddenField(`${place}.volumeMounts[${at}].${field}`, REFUSAL)),
      ),
    ]
  })
}

/** Probes are not looked into where there may be none. */
function withoutProbes(item: Json): JsonObject {
  const fields = Object.entries(isObject(item) ? item : {})
  return Object.fromEntries(fields.filter(([name]) => !PROBES.some((probe) => probe === name)))
}

/** Empty resources are filled in by default. */
function isSet(value: Json | undefined): boolean {
  return value !== undefined && !(isObject(value) && Object.keys(value).length === 0)
}

/** The pod as it was, with the ephemeral containers of `given`. */
export function withEphemeralContainers(before: KubeObject, given: KubeObject): KubeObject {
  const { ephemeralContainers: _, ...spec } = objectAt(before, 'spec')
  const containers = at(given, 'spec', 'ephemeralContainers')
  return {
    ...before,
    spec: containers === undefined ? spec : { ...spec, ephemeralContainers: containers },
  }
}

/** Ephemeral containers may be added; those that are there stay as they are. */
export const ephemeralContainersUpdate: UpdateCheck = (before, after) => {
  if (isMirror(before))
    return [forbiddenField('[]', 'static pods do not support ephemeral containers')]
  const known = listAt(after, 'spec', 'ephemeralContainers')
  return listAt(before, 'spec', 'ephemeralContainers').flatMap((old) => {
    const name = textAt(old, 'name')
    const now = known.find((item) => textAt(item, 'name') === name)
    if (now !== undefined && sameJson(old, now)) return []
    const what = now === undefined ? 'removed' : 'changed'
    const text = `existing ephemeral containers ${JSON.stringify(name)} may not be ${what}\n`
    return [forbiddenField('spec.ephemeralContainers', text)]
  })
}

/** Whether a pod only mirrors what its node runs by itself. */
export function isMirror(pod: JsonObject): boolean {
  return at(pod, 'metadata', 'annotations', MIRROR) !== undefined
}
