import { DEFINITIONS } from '../../objects/custom-resources.ts'
import type { Json, KubeObject, Resource } from '../../objects/types.ts'
import { DEFINITION_CHECK, DEFINITION_UPDATE } from '../custom/definition-checks.ts'
import { at, objectAt, sameJson, textAt } from '../json.ts'
import { ADMISSION_POLICY_CHECKS, policyStatusCheck } from './admission-policy-checks.ts'
import { AUTOSCALER_CHECK } from './autoscaler-checks.ts'
import { type Cause, invalidValue } from './checks.ts'
import { CONTENT_CHECKS, CONTENT_UPDATES } from './content-checks.ts'
import { DEVICE_CHECKS, DEVICE_UPDATES } from './device-checks.ts'
import { checkEphemeralContainers } from './ephemeral-containers.ts'
import { JOB_CHECKS, JOB_UPDATES } from './job-checks.ts'
import { checkMetadata } from './metadata-checks.ts'
import { NETWORK_CHECKS, NETWORK_UPDATES } from './network-checks.ts'
import { NODE_CHECK, NODE_UPDATE } from './node-checks.ts'
import { checkPodSpec, checkPodUpdate } from './pod-validate.ts'
import { POLICY_CHECKS, POLICY_UPDATES } from './policy-checks.ts'
import { QUOTA_CHECKS, QUOTA_UPDATES } from './quota-checks.ts'
import type { Check, UpdateCheck } from './rules.ts'
import { SERVICE_CHECK, SERVICE_UPDATE } from './service-checks.ts'
import { VOLUME_CHECKS, VOLUME_UPDATES } from './volume-checks.ts'
import { WEBHOOK_CHECKS } from './webhook-checks.ts'
import { WORKLOAD_CHECKS, WORKLOAD_UPDATES } from './workload-checks.ts'

/** Everything that is wrong with an object, on its own. */
export function checkObject(resource: Resource, object: KubeObject): readonly Cause[] {
  return [...checkMetadata(resource, object), ...(CHECKS[resource.id]?.('', object) ?? [])]
}

/** Everything that is wrong with a status that is reported of an object. */
export function checkStatus(resource: Resource, object: KubeObject): readonly Cause[] {
  return resource.id === POLICIES ? policyStatusCheck('status', object['status']) : []
}

const POLICIES = 'validatingadmissionpolicies.admissionregistration.k8s.io'

/** Everything that an update changes and may not. */
export function checkUpdate(
  resource: Resource,
  before: KubeObject,
  after: KubeObject,
): readonly Cause[] {
  const fixed = ['uid', 'creationTimestamp'].flatMap((key): Cause[] => {
    const was = at(before, 'metadata', key)
    const is = at(after, 'metadata', key)
    return was === undefined || is === undefined || sameJson(was, is)
      ? []
      : [invalidValue(`metadata.${key}`, is, 'field is immutable')]
  })
  const frozen = UPDATES[resource.id]?.flatMap((check) => check(before, after))
  const listed = resource.immutable.flatMap((path): Cause[] => {
    const was = valuesAt(before, path.split('.'))
    const is = valuesAt(after, path.split('.'))
    return was === undefined || sameJson(was, is)
      ? []
      : [invalidValue(path, is, 'field is immutable')]
  })
  return [...fixed, ...(frozen ?? listed)]
}

/** The value at a path in which `*` means every item; undefined where the path ends early. */
function valuesAt(value: Json | undefined, path: readonly string[]): Json | undefined {
  const [key, ...rest] = path
  if (key === undefined) return value
  if (key === '*')
    return Array.isArray(value)
      ? value.map((item: Json) => valuesAt(item, rest) ?? null)
      : undefined
  return valuesAt(at(value, key), rest)
}

function checkEvent(object: KubeObject): readonly Cause[] {
  const namespace = textAt(object, 'involvedObject', 'namespace')
  const own = object.metadata.namespace ?? ''
  const isApart = namespace === '' ? own !== '' && own !== 'default' : namespace !== own
  return isApart
    ? [invalidValue('involvedObject.namespace', namespace, 'does not match event.namespace')]
    : []
}

/** What each kind has to look like, by resource id. */
const CHECKS: Readonly<Record<string, Check>> = {
  ...ADMISSION_POLICY_CHECKS,
  ...CONTENT_CHECKS,
  ...DEVICE_CHECKS,
  ...JOB_CHECKS,
  ...NETWORK_CHECKS,
  ...POLICY_CHECKS,
  ...QUOTA_CHECKS,
  ...VOLUME_CHECKS,
  ...WEBHOOK_CHECKS,
  ...WORKLOAD_CHECKS,
  events: (_path, object) => checkEvent(object as KubeObject),
  'horizontalpodautoscalers.autoscaling': AUTOSCALER_CHECK,
  [DEFINITIONS]: DEFINITION_CHECK,
  nodes: NODE_CHECK,
  pods: (_path, pod) => [
    ...checkPodSpec('spec', objectAt(pod, 'spec')),
    ...checkEphemeralContainers(objectAt(pod, 'spec')),
  ],
  services: SERVICE_CHECK,
}

/** What updates of each kind may not change, by resource id; stands instead of a list of paths. */
const UPDATES: Readonly<Record<string, readonly UpdateCheck[]>> = {
  ...CONTENT_UPDATES,
  ...DEVICE_UPDATES,
  ...JOB_UPDATES,
  ...NETWORK_UPDATES,
  ...POLICY_UPDATES,
  ...QUOTA_UPDATES,
  ...VOLUME_UPDATES,
  ...WORKLOAD_UPDATES,
  [DEFINITIONS]: [DEFINITION_UPDATE],
  nodes: [NODE_UPDATE],
  pods: [checkPodUpdate],
  services: [SERVICE_UPDATE],
}
