import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import type { Program } from '../cel/program.ts'
import { BOOL, type CelType, STRING } from '../cel/types.ts'
import type { CelError } from '../cel/values.ts'
import { at, isObject, listAt, objectAt, textAt } from '../json.ts'
import { compiledOrWhy } from '../webhooks/admission-expression.ts'
import {
  conditionOf,
  ruleOf,
  type WebhookCondition,
  type WebhookRule,
} from '../webhooks/webhook.ts'
import { type PolicyVariable, policyScope } from './policy-scope.ts'

/** Which requests a rule of a policy means (NamedRuleWithOperations). */
export interface PolicyRule extends WebhookRule {
  /** Of objects; empty for any. */
  readonly names: readonly string[]
}

/** Which requests are meant (MatchResources). */
export interface PolicyMatch {
  /** Empty for all, in a binding. */
  readonly rules: readonly PolicyRule[]
  readonly excluded: readonly PolicyRule[]
  readonly isExact: boolean
  readonly namespaceSelector: JsonObject
  readonly objectSelector: JsonObject
}

/** What parameters of a policy are of. */
export interface ParamKind {
  readonly apiVersion: string
  readonly kind: string
}

/** What all policies have. */
export interface Policy {
  readonly name: string
  /** Undefined where it says none: it cannot be used then. */
  readonly match: PolicyMatch | undefined
  readonly conditions: readonly WebhookCondition[]
  readonly variables: readonly PolicyVariable[]
  readonly paramKind: ParamKind | undefined
  /** Whether a request goes on when an expression fails (failurePolicy). */
  readonly ignoresFailure: boolean
}

/** An expression that has to be true of a request. */
export interface Validation {
  readonly expression: string
  readonly program: Program | CelError
  /** What is said where it is not; empty for nothing special. */
  readonly message: string
  /** Makes the message; undefined where nothing does. */
  readonly messageProgram: Program | CelError | undefined
  readonly reason: ValidationReason
}

/** Why a request is refused, which decides the status of the answer. */
export type ValidationReason = 'Forbidden' | 'Invalid' | 'RequestEntityTooLarge'

/** An expression that makes a note for the audit. */
export interface AuditAnnotation {
  readonly key: string
  readonly expression: string
  readonly program: Program | CelError
}

/** A ValidatingAdmissionPolicy, ready to be used. */
export interface ValidatingPolicy extends Policy {
  readonly validations: readonly Validation[]
  readonly annotations: readonly AuditAnnotation[]
}

/** Which parameters a binding gives to its policy. */
export interface ParamRef {
  /** Empty where a selector says which. */
  readonly name: string
  readonly namespace: string
  readonly selector: JsonObject | undefined
  /** Whether a request is refused where there are none. */
  readonly needsParams: boolean
}

/** A binding of a policy of either kind, ready to be used. */
export interface PolicyBinding {
  readonly name: string
  readonly policy: string
  /** Undefined where it narrows nothing. */
  readonly match: PolicyMatch | undefined
  readonly paramRef: ParamRef | undefined
  /** Of policies that validate: Deny, Warn, Audit. */
  readonly actions: readonly string[]
}

const REASONS: ReadonlySet<string> = new Set(['Forbidden', 'Invalid', 'RequestEntityTooLarge'])

function isReason(text: string): text is ValidationReason {
  return REASONS.has(text)
}

/** Reads a ValidatingAdmissionPolicy. What is wrong with its expressions shows where they are used. */
export function validatingPolicyOf(object: KubeObject): ValidatingPolicy {
  const spec = at(object, 'spec')
  const { variables, types, messageTypes } = policyScope(spec)
  return {
    ...policyOf(object, variables, types),
    validations: listAt(spec, 'validations').map((item): Validation => {
      const expression = textAt(item, 'expression')
      const messageExpression = textAt(item, 'messageExpression')
      const reason = textAt(item, 'reason')
      return {
        expression,
        program: compiledOrWhy(expression, types, [BOOL]),
        message: textAt(item, 'message').trim(),
        messageProgram:
          messageExpression === ''
            ? undefined
            : compiledOrWhy(messageExpression, messageTypes, [STRING]),
        reason: isReason(reason) ? reason : 'Invalid',
      }
    }),
    annotations: listAt(spec, 'auditAnnotations').map((item) => {
      const expression = textAt(item, 'valueExpression')
      const program = compiledOrWhy(expression, types, [STRING, { kind: 'null' }])
      return { key: textAt(item, 'key'), expression, program }
    }),
  }
}

/** Reads what policies of both kinds have. */
function policyOf(
  object: KubeObject,
  variables: readonly PolicyVariable[],
  types: Readonly<Record<string, CelType>>,
): Policy {
  const spec = at(object, 'spec')
  const paramKind = at(spec, 'paramKind')
  const constraints = at(spec, 'matchConstraints')
  return {
    name: object.metadata.name,
    match: constraints === undefined ? undefined : matchOf(constraints),
    conditions: listAt(spec, 'matchConditions').map((item) => conditionOf(item, types)),
    variables,
    paramKind:
      paramKind === undefined
        ? undefined
        : { apiVersion: textAt(paramKind, 'apiVersion'), kind: textAt(paramKind, 'kind') },
    ignoresFailure: textAt(spec, 'failurePolicy') === 'Ignore',
  }
}

function matchOf(match: Json): PolicyMatch {
  const rulesAt = (key: string): readonly PolicyRule[] =>
    listAt(match, key).map((rule) => ({
      ...ruleOf(rule),
      names: listAt(rule, 'resourceNames').map(String),
    }))
  return {
    rules: rulesAt('resourceRules'),
    excluded: rulesAt('excludeResourceRules'),
    isExact: textAt(match, 'matchPolicy') === 'Exact',
    namespaceSelector: objectAt(match, 'namespaceSelector'),
    objectSelector: objectAt(match, 'objectSelector'),
  }
}

/** Reads a binding of a policy of either kind. */
export function policyBindingOf(object: KubeObject): PolicyBinding {
  const spec = at(object, 'spec')
  const match = at(spec, 'matchResources')
  const reference = at(spec, 'paramRef')
  const selector = at(reference, 'selector')
  return {
    name: object.metadata.name,
    policy: textAt(spec, 'policyName'),
    match: match === undefined ? undefined : matchOf(match),
    paramRef:
      reference === undefined
        ? undefined
        : {
            name: textAt(reference, 'name'),
            namespace: textAt(reference, 'namespace'),
            selector: isObject(selector) ? selector : undefined,
            needsParams: textAt(reference, 'parameterNotFoundAction') === 'Deny',
          },
    actions: listAt(spec, 'validationActions').map(String),
  }
}
