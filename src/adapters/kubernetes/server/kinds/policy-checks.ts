import { quantityNano } from '../../objects/quantity.ts'
import type { Json } from '../../objects/types.ts'
import { at, listAt, objectAt, textAt } from '../json.ts'
import { type Cause, forbiddenField, invalidValue, required } from './checks.ts'
import { checkLabels } from './names.ts'
import { checkToleration } from './pod-validate.ts'
import {
  all,
  type Check,
  each,
  field,
  fixed,
  given,
  min,
  named,
  needed,
  neededName,
  oneOf,
  sameValue,
  type UpdateCheck,
} from './rules.ts'
import { selectorCheck } from './selector-checks.ts'
import { atMostAll, countOrPercent } from './workload-checks.ts'

// What the kinds that say who may do what, and in which order, have to look like.

const RBAC_GROUP = 'rbac.authorization.k8s.io'

function ruleCheck(isNamespaced: boolean): Check {
  return (path, rule) => {
    const urls = listAt(rule, 'nonResourceURLs')
    const verbs = field('verbs', needed('verbs must contain at least one value'))(path, rule)
    const refused = (text: string): Cause => invalidValue(`${path}.nonResourceURLs`, urls, text)
    const isMixed = ['apiGroups', 'resources', 'resourceNames'].some(
      (key) => listAt(rule, key).length > 0,
    )
    if (urls.length > 0) {
      return [
        ...verbs,
        ...(isNamespaced ? [refused('namespaced rules cannot apply to non-resource URLs')] : []),
        ...(isMixed
          ? [refused('rules cannot apply to both regular resources and non-resource URLs')]
          : []),
      ]
    }
    return [
      ...verbs,
      ...field('apiGroups', needed('resource rules must supply at least one api group'))(
        path,
        rule,
      ),
      ...field('resources', needed('resource rules must supply at least one resource'))(path, rule),
    ]
  }
}

const aggregation: Check = given(
  'aggregationRule',
  field(
    'clusterRoleSelectors',
    needed('at least one clusterRoleSelector required if aggregationRule is non-nil'),
  ),
  each('clusterRoleSelectors', selectorCheck),
)

function subjectCheck(isNamespaced: boolean): Check {
  return (path, subject) => {
    const kind = textAt(subject, 'kind')
    const group = textAt(subject, 'apiGroup')
    const name = field('name', needed())(path, subject)
    if (kind === 'User' || kind === 'Group')
      return [...name, ...oneOf(RBAC_GROUP)(`${path}.apiGroup`, group)]
    if (kind !== 'ServiceAccount')
      return [...name, ...oneOf('ServiceAccount', 'User', 'Group')(`${path}.kind`, kind)]
    return [
      ...name,
      ...given('name', named('subdomain'))(path, subject),
      ...oneOf('')(`${path}.apiGroup`, group),
      ...(isNamespaced || textAt(subject, 'namespace') !== ''
        ? []
        : [required(`${path}.namespace`)]),
    ]
  }
}

function bindingCheck(isNamespaced: boolean): Check {
  const kinds = isNamespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
  return all(
    field(
      'roleRef',
      field('apiGroup', oneOf(RBAC_GROUP)),
      (path, reference) => oneOf(...kinds)(`${path}.kind`, at(reference, 'kind') ?? ''),
      field('name', needed()),
      given('name', named('path')),
    ),
    each('subjects', subjectCheck(isNamespaced)),
  )
}

const roleKept: UpdateCheck = (before, after) => {
  const reference = at(after, 'roleRef')
  const shown = {
    APIGroup: textAt(reference, 'apiGroup'),
    Kind: textAt(reference, 'kind'),
    Name: textAt(reference, 'name'),
  }
  return sameValue(at(before, 'roleRef'), reference)
    ? []
    : [invalidValue('roleRef', shown, 'cannot change roleRef')]
}

const budget: Check = (path, spec) => {
  const [least, most] = [at(spec, 'minAvailable'), at(spec, 'maxUnavailable')]
  const shown: Json = {
    MinAvailable: least ?? null,
    Selector: at(spec, 'selector') ?? null,
    MaxUnavailable: most ?? null,
    UnhealthyPodEvictionPolicy: at(spec, 'unhealthyPodEvictionPolicy') ?? null,
  }
  return least === undefined || most === undefined
    ? []
    : [invalidValue(path, shown, 'minAvailable and maxUnavailable cannot be both set')]
}

/** The greatest priority that is not kept for the system. */
export const USER_PRIORITY_MAX = 1_000_000_000

/** The priority classes that every cluster has, and their values. */
export const SYSTEM_PRIORITIES: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
}

const priorityClass: Check = (path, value) => {
  const name = textAt(value, 'metadata', 'name')
  const number = at(value, 'value') ?? 0
  const known = Object.hasOwn(SYSTEM_PRIORITIES, name) ? SYSTEM_PRIORITIES[name] : undefined
  const policy = oneOf('PreemptLowerPriority', 'Never')(
    'preemptionPolicy',
    at(value, 'preemptionPolicy'),
  )
  if (name.startsWith('system-')) {
    const why =
      known === undefined
        ? `${name} is not a known system priority class`
        : `value of ${name} PriorityClass must be ${known}`
    const text = `priority class names with 'system-' prefix are reserved for system use only. error: ${why}`
    return known === number ? policy : [forbiddenField('metadata.name', text), ...policy]
  }
  const text = `maximum allowed value of a user defined priority is ${USER_PRIORITY_MAX}`
  return [
    ...(typeof number === 'number' && number > USER_PRIORITY_MAX
      ? [forbiddenField(path === '' ? 'value' : `${path}.value`, text)]
      : []),
    ...policy,
  ]
}

const valueKept: UpdateCheck = (before, after) =>
  (at(before, 'value') ?? 0) === (at(after, 'value') ?? 0)
    ? []
    : [forbiddenField('value', 'may not be changed in an update.')]

const overhead: Check = (path, value) =>
  Object.entries(objectAt(value, 'podFixed')).flatMap(([name, amount]) =>
    (quantityNano(String(amount)) ?? 0n) < 0n
      ? [invalidValue(`${path}.limits[${name}]`, amount, 'must be greater than or equal to 0')]
      : [],
  )

/** The checks of these kinds, by resource id. */
export const POLICY_CHECKS: Readonly<Record<string, Check>> = {
  [`roles.${RBAC_GROUP}`]: each('rules', ruleCheck(true)),
  [`clusterroles.${RBAC_GROUP}`]: all(each('rules', ruleCheck(false)), aggregation),
  [`rolebindings.${RBAC_GROUP}`]: bindingCheck(true),
  [`clusterrolebindings.${RBAC_GROUP}`]: bindingCheck(false),
  'poddisruptionbudgets.policy': field(
    'spec',
    budget,
    field('minAvailable', countOrPercent, atMostAll),
    field('maxUnavailable', countOrPercent, atMostAll),
    field('selector', selectorCheck),
    field('unhealthyPodEvictionPolicy', oneOf('AlwaysAllow', 'IfHealthyBudget')),
  ),
  'priorityclasses.scheduling.k8s.io': priorityClass,
  'runtimeclasses.node.k8s.io': all(
    field('handler', neededName('label')),
    given('overhead', overhead),
    given('scheduling', field('nodeSelector', checkLabels), each('tolerations', checkToleration)),
  ),
  'leases.coordination.k8s.io': field(
    'spec',
    field('leaseDurationSeconds', min(1, 'must be greater than 0')),
    field('leaseTransitions', min(0)),
  ),
}

/** What updates of these kinds may not change, by resource id. */
export const POLICY_UPDATES: Readonly<Record<string, readonly UpdateCheck[]>> = {
  [`rolebindings.${RBAC_GROUP}`]: [roleKept],
  [`clusterrolebindings.${RBAC_GROUP}`]: [roleKept],
  'priorityclasses.scheduling.k8s.io': [valueKept, fixed('preemptionPolicy')],
  'runtimeclasses.node.k8s.io': [fixed('handler')],
}
