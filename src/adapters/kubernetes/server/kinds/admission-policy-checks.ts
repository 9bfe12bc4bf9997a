import type { Json } from '../../objects/types.ts'
import { BOOL, type CelType, STRING } from '../cel/types.ts'
import { CelError } from '../cel/values.ts'
import { at, isObject, listAt, textAt } from '../json.ts'
import { isVariableName, POLICY_PARTS_MAX, policyScope } from '../policies/policy-scope.ts'
import { admissionVariables } from '../webhooks/condition-types.ts'
import {
  type Cause,
  duplicate,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  tooMany,
} from './checks.ts'
import { checkQualifiedName, nameProblems } from './names.ts'
import { all, type Check, each, field, given, needed, neededOneOf, oneOf } from './rules.ts'
import { selectorCheck } from './selector-checks.ts'
import { conditionsCheck, expressionCauses, ruleCheck } from './webhook-checks.ts'

// What policies of admission and their bindings have to look like.

const ANNOTATIONS_MAX = 20
const ANNOTATION_BYTES_MAX = 5 * 1024
const REASONS = ['Forbidden', 'Invalid', 'RequestEntityTooLarge']
const ACTIONS = ['Audit', 'Deny', 'Warn']

const pathNames: Check = (path, value) =>
  nameProblems(String(value), 'path').map((text) => invalidValue(path, value, text))

const namedRuleCheck: Check = all((path, rule) => {
  const names = listAt(rule, 'resourceNames').map(String)
  return names.flatMap((name, index) => {
    const item = `${path}.resourceNames[${index}]`
    const causes = pathNames(item, name)
    return names.indexOf(name) < index ? [...causes, duplicate(item, name)] : causes
  })
}, ruleCheck)

/** What is wrong with which requests are meant (MatchResources). */
const matchCheck: Check = all(
  field('matchPolicy', oneOf('Equivalent', 'Exact')),
  given('namespaceSelector', selectorCheck),
  given('objectSelector', selectorCheck),
  each('resourceRules', namedRuleCheck),
  each('excludeResourceRules', namedRuleCheck),
)

function versionCauses(path: string, apiVersion: string): readonly Cause[] {
  if (apiVersion === '') return [required(path)]
  const parts = apiVersion.split('/')
  if (parts.length > 2)
    return [invalidValue(path, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)]
  const [group, version] = parts.length === 1 ? ['', apiVersion] : [parts[0] ?? '', parts[1] ?? '']
  const ofGroup = group === '' ? [] : nameProblems(group, 'subdomain')
  const ofVersion = version === '' ? [] : nameProblems(version, 'dns1035')
  return [
    ...(ofGroup.length === 0 ? [] : [invalidValue(path, group, ofGroup.join(','))]),
    ...(version === '' ? [invalidValue(path, apiVersion, 'version must be specified')] : []),
    ...(ofVersion.length === 0 ? [] : [invalidValue(path, version, ofVersion.join(','))]),
  ]
}

const paramKindCheck: Check = (path, value) => {
  if (value === undefined) return []
  const kind = textAt(value, 'kind')
  const problems = nameProblems(kind.toLowerCase(), 'dns1035')
  const text = `may have mixed case, but should otherwise match: ${problems.join(',')}`
  return [
    ...versionCauses(`${path}.apiVersion`, textAt(value, 'apiVersion')),
    ...(kind === '' ? [required(`${path}.kind`)] : []),
    ...(kind === '' || problems.length === 0 ? [] : [invalidValue(`${path}.kind`, kind, text)]),
  ]
}

/** What policies say, up to their variables. */
const policyHead: Check = (path, spec) => {
  const params = at(spec, 'paramKind') !== undefined
  const constraints = at(spec, 'matchConstraints')
  const field0 = `${path}.matchConstraints`
  return [
    ...neededOneOf('Fail', 'Ignore')(`${path}.failurePolicy`, at(spec, 'failurePolicy')),
    ...paramKindCheck(`${path}.paramKind`, at(spec, 'paramKind')),
    ...(constraints === undefined ? [required(field0)] : matchCheck(field0, constraints)),
    ...(constraints !== undefined && listAt(constraints, 'resourceRules').length === 0
      ? [required(`${field0}.resourceRules`)]
      : []),
    ...conditionsCheck(admissionVariables({ params, authorizer: true }))(path, spec),
  ]
}

/** What is wrong with the variables of a policy. */
function variableCauses(path: string, spec: Json | undefined): readonly Cause[] {
  const { variables } = policyScope(spec)
  return variables.flatMap(({ name, expression, program }, index): readonly Cause[] => {
    const item = `${path}.variables[${index}]`
    const text = 'must be a valid CEL identifier'
    return [
      ...(name.trim() === ''
        ? [required(`${item}.name`, 'name is not specified')]
        : isVariableName(name)
          ? []
          : [invalidValue(`${item}.name`, name, text)]),
      ...(expression.trim() === ''
        ? [required(`${item}.expression`, 'expression is not specified')]
        : program instanceof CelError
          ? [invalidValue(`${item}.expression`, expression, program.message)]
          : []),
    ]
  })
}

type Types = Readonly<Record<string, CelType>>

function validationCauses(
  path: string,
  validation: Json,
  types: Types,
  messageTypes: Types,
): readonly Cause[] {
  const expression = textAt(validation, 'expression')
  const message = textAt(validation, 'message')
  const messageExpression = textAt(validation, 'messageExpression')
  const inner = `${path}.messageExpression`
  const empty = 'must be non-empty if specified'
  return [
    ...(expression.trim() === ''
      ? [required(`${path}.expression`, 'expression is not specified')]
      : expressionCauses(`${path}.expression`, expression, types, [BOOL])),
    ...(messageExpression !== '' && messageExpression.trim() === ''
      ? [invalidValue(inner, messageExpression, empty)]
      : []),
    ...(messageExpression.trim() === ''
      ? []
      : expressionCauses(inner, messageExpression, messageTypes, [STRING])),
    ...(message !== '' && message.trim() === ''
      ? [invalidValue(`${path}.message`, message, empty)]
      : []),
    ...(/[\n\r]/.test(message.trim())
      ? [invalidValue(`${path}.message`, message, 'must not contain line breaks')]
      : []),
    ...oneOf(...REASONS)(`${path}.reason`, at(validation, 'reason')),
  ]
}

function annotationCauses(
  path: string,
  policy: string,
  annotation: Json,
  types: Types,
): readonly Cause[] {
  const key = textAt(annotation, 'key')
  const given = textAt(annotation, 'valueExpression')
  const expression = given.trim()
  const field0 = `${path}.valueExpression`
  const keyField = `${path}.key`
  return [
    ...(policy === ''
      ? [invalidValue(keyField, key, 'requires metadata.name be non-empty')]
      : checkQualifiedName(keyField, `${policy}/${key}`)),
    ...(expression === '' ? [required(field0, 'valueExpression is not specified')] : []),
    ...(expression.length > ANNOTATION_BYTES_MAX
      ? [required(field0, `must not exceed ${ANNOTATION_BYTES_MAX} bytes in length`)]
      : expression === ''
        ? []
        : expressionCauses(field0, expression, types, [STRING, { kind: 'null' }])),
  ]
}

/** A policy of too many parts is not looked at any further. */
const sizeCheck: Check = (path, spec) =>
  ['variables', 'validations'].flatMap((key) => {
    const { length } = listAt(spec, key)
    return length > POLICY_PARTS_MAX ? [tooMany(`${path}.${key}`, length, POLICY_PARTS_MAX)] : []
  })

const validatingPolicy: Check = (_path, object) => {
  const spec = at(object, 'spec')
  const sizeCauses = sizeCheck('spec', spec)
  if (sizeCauses.length > 0) return sizeCauses
  const { types, messageTypes } = policyScope(spec)
  const validations = listAt(spec, 'validations')
  const annotations = listAt(spec, 'auditAnnotations')
  const name = textAt(object, 'metadata', 'name')
  const keys = annotations.map((item) => textAt(item, 'key'))
  const nothing = 'validations or auditAnnotations must contain at least one item'
  const isNothing = validations.length === 0 && annotations.length === 0
  return [
    ...policyHead('spec', spec),
    ...variableCauses('spec', spec),
    ...(isNothing
      ? [required('spec.validations', nothing), required('spec.auditAnnotations', nothing)]
      : []),
    ...validations.flatMap((item, index) =>
      validationCauses(`spec.validations[${index}]`, item, types, messageTypes),
    ),
    ...(annotations.length > ANNOTATIONS_MAX
      ? [
          invalidValue(
            'spec.auditAnnotations',
            annotations,
            `must not have more than ${ANNOTATIONS_MAX} auditAnnotations`,
          ),
        ]
      : []),
    ...annotations.flatMap((item, index) => {
      const path = `spec.auditAnnotations[${index}]`
      const causes = annotationCauses(path, name, item, types)
      const key = keys[index] ?? ''
      return keys.indexOf(key) < index ? [...causes, duplicate(`${path}.key`, key)] : causes
    }),
  ]
}

const paramRefCheck: Check = (path, reference) => {
  if (!isObject(reference)) return []
  const { name: given, selector } = reference
  const name = typeof given === 'string' ? given : ''
  const both = 'name and selector are mutually exclusive'
  const action = textAt(reference, 'parameterNotFoundAction')
  const actionField = `${path}.parameterNotFoundAction`
  const isBoth = name !== '' && selector !== undefined
  return [
    ...(name === '' ? [] : pathNames(`${path}.name`, name)),
    ...(isBoth ? [forbiddenField(`${path}.name`, both)] : []),
    ...(selector === undefined ? [] : selectorCheck(`${path}.selector`, selector)),
    ...(isBoth ? [forbiddenField(`${path}.selector`, both)] : []),
    ...(name === '' && selector === undefined
      ? [required(path, 'one of name or selector must be specified')]
      : []),
    ...(action === '' ? [required(actionField)] : []),
    ...(action === '' || action === 'Deny' || action === 'Allow'
      ? []
      : [notSupported(actionField, action, ['Deny', 'Allow'])]),
  ]
}

const policyNameCheck: Check = (path, value) =>
  typeof value !== 'string' || value === ''
    ? [required(path)]
    : nameProblems(value, 'subdomain').map((text) => invalidValue(path, value, text))

/** What bindings say, but for what they do. */
const bindingHead: Check = all(
  field('policyName', policyNameCheck),
  field('paramRef', paramRefCheck),
  field('matchResources', (path, value) => (value === undefined ? [] : matchCheck(path, value))),
)

const actionsCheck: Check = (path, value) => {
  const list = Array.isArray(value) ? value.map(String) : []
  const text =
    'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)'
  return [
    ...list.flatMap((action, index) => [
      ...(ACTIONS.includes(action) ? [] : [notSupported(`${path}[${index}]`, action, ACTIONS)]),
      ...(list.indexOf(action) < index ? [duplicate(`${path}[${index}]`, action)] : []),
    ]),
    ...(list.includes('Deny') && list.includes('Warn') ? [invalidValue(path, list, text)] : []),
    ...needed('at least one validation action is required')(path, value),
  ]
}

/** What is wrong with a status of a policy. */
export const policyStatusCheck: Check = field(
  'typeChecking',
  each('expressionWarnings', field('warning', needed()), (path, warning) =>
    textAt(warning, 'fieldRef').trim() === '' ? [required(`${path}.fieldRef`)] : [],
  ),
)

/** What policies that validate and their bindings have to look like, by resource id. */
export const ADMISSION_POLICY_CHECKS: Readonly<Record<string, Check>> = {
  'validatingadmissionpolicies.admissionregistration.k8s.io': validatingPolicy,
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': field(
    'spec',
    bindingHead,
    field('validationActions', actionsCheck),
  ),
}
