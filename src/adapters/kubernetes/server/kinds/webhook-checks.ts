import { BOOL, type CelType } from '../cel/types.ts'
import { CelError } from '../cel/values.ts'
import { isList, isObject, listAt, textAt } from '../json.ts'
import { compiledOrWhy } from '../webhooks/admission-expression.ts'
import { CONDITION_VARIABLES } from '../webhooks/condition-types.ts'
import {
  type Cause,
  checkUnique,
  duplicate,
  invalidValue,
  notSupported,
  required,
  tooMany,
} from './checks.ts'
import { checkUrl, checkWebhookService } from './client-config-checks.ts'
import { checkQualifiedName, nameProblems } from './names.ts'
import { all, type Check, each, field, given, needed, oneOf } from './rules.ts'
import { selectorCheck } from './selector-checks.ts'

// What the configurations of admission webhooks have to look like.

const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']
const REVIEWS = ['v1', 'v1beta1']
const TIMEOUT_SECONDS_MAX = 30
const CONDITIONS_MAX = 64
const SEGMENTS_MIN = 3

/** A list that says "all of them" says nothing else. */
function aloneCheck(key: string, what: string): Check {
  return (path, rule) => {
    const list = listAt(rule, key)
    return list.length > 1 && list.includes('*')
      ? [invalidValue(`${path}.${key}`, list, `if '*' is present, must not specify other ${what}`)]
      : []
  }
}

const versionsGiven: Check = (path, rule) =>
  listAt(rule, 'apiVersions').flatMap((version, index) =>
    version === '' ? [required(`${path}.apiVersions[${index}]`)] : [],
  )

// Such as `pods`, `pods/status`, `pods/*`, `*/status`, `*`: none may say what another says.
const resourcesCheck: Check = (path, rule) => {
  const field = `${path}.resources`
  const list = listAt(rule, 'resources').map(String)
  const wholes = new Set<string>()
  const parts = new Set<string>()
  let endsPlain = false
  const causes = list.flatMap((text, index): readonly Cause[] => {
    if (text === '') return [required(`${field}[${index}]`)]
    const slash = text.indexOf('/')
    if (slash < 0) {
      endsPlain = text !== '*'
      return []
    }
    const [resource, part] = [text.slice(0, slash), text.slice(slash + 1)]
    const twice = (found: string): Cause =>
      invalidValue(`${field}[${index}]`, text, `if '${found}' is present, must not specify ${text}`)
    const found = [
      ...(wholes.has(resource) ? [twice(`${resource}/*`)] : []),
      ...(parts.has(part) ? [twice(`*/${part}`)] : []),
    ]
    if (part === '*') wholes.add(resource)
    if (resource === '*') parts.add(part)
    return found
  })
  const more = (text: string): Cause => invalidValue(field, list, text)
  return [
    ...(list.length === 0 ? [required(field)] : []),
    ...causes,
    ...(list.length > 1 && list.includes('*/*')
      ? [more("if '*/*' is present, must not specify other resources")]
      : []),
    ...(list.includes('*') && endsPlain
      ? [more("if '*' is present, must not specify other resources without subresources")]
      : []),
  ]
}

/** Which requests are meant (RuleWithOperations). */
export const ruleCheck: Check = all(
  field('operations', needed()),
  aloneCheck('operations', 'operations'),
  each('operations', oneOf(...OPERATIONS)),
  field('apiGroups', needed()),
  aloneCheck('apiGroups', 'API groups'),
  field('apiVersions', needed()),
  aloneCheck('apiVersions', 'API versions'),
  versionsGiven,
  resourcesCheck,
  field('scope', oneOf('*', 'Cluster', 'Namespaced')),
)

const nameCheck: Check = (path, name) => {
  if (typeof name !== 'string' || name === '') return [required(path)]
  const problems = nameProblems(name, 'subdomain')
  if (problems.length > 0) return [invalidValue(path, name, problems.join(','))]
  const text = 'should be a domain with at least three segments separated by dots'
  return name.split('.').length < SEGMENTS_MIN ? [invalidValue(path, name, text)] : []
}

const timeoutCheck: Check = (path, value) => {
  const text = 'the timeout value must be between 1 and 30 seconds'
  const isFine = typeof value !== 'number' || (value >= 1 && value <= TIMEOUT_SECONDS_MAX)
  return isFine ? [] : [invalidValue(path, value, text)]
}

const SIDE_EFFECTS = ['None', 'NoneOnDryRun']

/** Webhooks say how they take a dry run. */
const sideEffectsCheck: Check = (path, value) => {
  if (value === undefined) return [required(path, `must specify one of ${SIDE_EFFECTS.join(', ')}`)]
  return SIDE_EFFECTS.includes(String(value)) ? [] : [notSupported(path, value, SIDE_EFFECTS)]
}

const clientCheck: Check = (path, config) => {
  const { url, service } = isObject(config) ? config : {}
  if ((url === undefined) === (service === undefined))
    return [required(path, 'exactly one of url or service is required')]
  return url === undefined
    ? checkWebhookService(`${path}.service`, service)
    : checkUrl(`${path}.url`, String(url))
}

/** What is wrong with an expression that has to be of one of some types. */
export function expressionCauses(
  path: string,
  expression: string,
  variables: Readonly<Record<string, CelType>>,
  wanted: readonly CelType[],
): readonly Cause[] {
  const found = compiledOrWhy(expression, variables, wanted)
  return found instanceof CelError ? [invalidValue(path, expression, found.message)] : []
}

function conditionCheck(variables: Readonly<Record<string, CelType>>): Check {
  return (path, condition) => {
    const expression = textAt(condition, 'expression').trim()
    const name = textAt(condition, 'name')
    return [
      ...(expression === ''
        ? [required(`${path}.expression`)]
        : expressionCauses(`${path}.expression`, expression, variables, [BOOL])),
      ...(name === '' ? [required(`${path}.name`)] : checkQualifiedName(`${path}.name`, name)),
    ]
  }
}

/** What is wrong with the conditions (`matchConditions`) of a webhook or a policy. */
export function conditionsCheck(variables: Readonly<Record<string, CelType>>): Check {
  const check = conditionCheck(variables)
  return (path, hook) => {
    const list = listAt(hook, 'matchConditions')
    const field = `${path}.matchConditions`
    const names = list.map((item) => textAt(item, 'name') || undefined)
    return [
      ...(list.length > CONDITIONS_MAX ? [tooMany(field, list.length, CONDITIONS_MAX)] : []),
      ...list.flatMap((item, index) => {
        const isTwice = names[index] !== undefined && names.indexOf(names[index]) < index
        const name = `${field}[${index}].name`
        const causes = check(`${field}[${index}]`, item)
        return isTwice ? [...causes, duplicate(name, names[index])] : causes
      }),
    ]
  }
}

const reviewsCheck: Check = (path, value) => {
  const list = isList(value) ? value.map(String) : []
  if (list.length === 0) return [required(path, `must specify one of ${REVIEWS.join(', ')}`)]
  const causes = list.flatMap((version, index) => {
    const item = `${path}[${index}]`
    if (list.indexOf(version) < index) return [invalidValue(item, version, 'duplicate version')]
    return nameProblems(version, 'dns1035').map((text) => invalidValue(item, version, text))
  })
  const text = `must include at least one of ${REVIEWS.join(', ')}`
  const isKnown = list.some((version) => REVIEWS.includes(version))
  return isKnown ? causes : [...causes, invalidValue(path, list, text)]
}

/** Everything that a webhook has to say, in the order in which it is told. */
const HOOK: Check = all(
  field('name', nameCheck),
  each('rules', ruleCheck),
  field('failurePolicy', oneOf('Fail', 'Ignore')),
  field('matchPolicy', oneOf('Equivalent', 'Exact')),
  field('sideEffects', sideEffectsCheck),
  field('timeoutSeconds', timeoutCheck),
  given('namespaceSelector', selectorCheck),
  given('objectSelector', selectorCheck),
  field('reinvocationPolicy', oneOf('IfNeeded', 'Never')),
  field('clientConfig', clientCheck),
  conditionsCheck(CONDITION_VARIABLES),
  field('admissionReviewVersions', reviewsCheck),
)

const configuration: Check = (path, object) => [
  ...each('webhooks', HOOK)(path, object),
  ...checkUnique(
    'webhooks',
    listAt(object, 'webhooks').map((hook) => textAt(hook, 'name') || undefined),
    'name',
  ),
]

/** What configurations of webhooks have to look like, by resource id. */
export const WEBHOOK_CHECKS: Readonly<Record<string, Check>> = {
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': configuration,
  'validatingwebhookconfigurations.admissionregistration.k8s.io': configuration,
}
