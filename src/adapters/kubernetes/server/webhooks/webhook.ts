import type { Json, JsonObject, KubeObject } from '../../objects/types.ts'
import type { Program } from '../cel/program.ts'
import { BOOL, type CelType } from '../cel/types.ts'
import type { CelError } from '../cel/values.ts'
import { listAt, numberAt, objectAt, textAt } from '../json.ts'
import { compiledOrWhy } from './admission-expression.ts'
import { CONDITION_VARIABLES } from './condition-types.ts'

/** Where a webhook answers (WebhookClientConfig). */
export interface WebhookAddress {
  /** Such as `https://hooks.example.com/admit`; undefined where a service is named. */
  readonly url: string | undefined
  readonly service: WebhookService | undefined
  /** PEM of the authorities that are believed; empty for those of the system. */
  readonly caPem: string
}

/** A service that a webhook is behind. */
export interface WebhookService {
  readonly namespace: string
  readonly name: string
  /** Empty for none. */
  readonly path: string
  readonly port: number
}

/** Which requests a webhook is told of (RuleWithOperations). */
export interface WebhookRule {
  readonly operations: readonly string[]
  readonly groups: readonly string[]
  readonly versions: readonly string[]
  readonly resources: readonly string[]
  readonly scope: string
}

/** An expression that has to be true, or why it cannot be. */
export interface WebhookCondition {
  readonly expression: string
  readonly program: Program | CelError
}

/** One webhook of a configuration, ready to be used. */
export interface Webhook {
  readonly configuration: string
  readonly name: string
  readonly address: WebhookAddress
  readonly rules: readonly WebhookRule[]
  /** Whether a request goes on when nobody answers as they should (failurePolicy). */
  readonly ignoresFailure: boolean
  /** Whether only the versions that its rules name are meant (matchPolicy). */
  readonly isExact: boolean
  readonly namespaceSelector: JsonObject
  readonly objectSelector: JsonObject
  readonly timeoutMs: number
  /** Whether it may be told of requests that only try (sideEffects). */
  readonly takesDryRun: boolean
  /** Whether it is asked again when others changed the object after it (reinvocationPolicy). */
  readonly isReinvoked: boolean
  /** The form of question that it understands; undefined where it is none of ours. */
  readonly reviewVersion: 'v1' | 'v1beta1' | undefined
  readonly conditions: readonly WebhookCondition[]
}

const TIMEOUT_SECONDS = 10
const TIMEOUT_SECONDS_MAX = 30
const SERVICE_PORT = 443

/** The webhooks of a configuration, in its order. */
export function webhooksOf(configuration: KubeObject): readonly Webhook[] {
  return listAt(configuration, 'webhooks').map((hook) =>
    webhookOf(configuration.metadata.name, hook),
  )
}

function webhookOf(configuration: string, hook: Json): Webhook {
  const seconds = numberAt(hook, 'timeoutSeconds') ?? TIMEOUT_SECONDS
  const versions = listAt(hook, 'admissionReviewVersions')
  const known = versions.find((version) => version === 'v1' || version === 'v1beta1')
  return {
    configuration,
    name: textAt(hook, 'name'),
    address: addressOf(objectAt(hook, 'clientConfig')),
    rules: listAt(hook, 'rules').map(ruleOf),
    ignoresFailure: textAt(hook, 'failurePolicy') === 'Ignore',
    isExact: textAt(hook, 'matchPolicy') === 'Exact',
    namespaceSelector: objectAt(hook, 'namespaceSelector'),
    objectSelector: objectAt(hook, 'objectSelector'),
    timeoutMs: Math.min(Math.max(seconds, 1), TIMEOUT_SECONDS_MAX) * 1_000,
    takesDryRun: /^None(?:OnDryRun)?$/.test(textAt(hook, 'sideEffects')),
    isReinvoked: textAt(hook, 'reinvocationPolicy') === 'IfNeeded',
    reviewVersion: known === 'v1' || known === 'v1beta1' ? known : undefined,
    conditions: listAt(hook, 'matchConditions').map((item) =>
      conditionOf(item, CONDITION_VARIABLES),
    ),
  }
}

/** Where a webhook answers, as a configuration or a definition says it. */
export function addressOf(config: JsonObject): WebhookAddress {
  const { url, service } = config
  return {
    url: typeof url === 'string' ? url : undefined,
    service:
      service === undefined
        ? undefined
        : {
            namespace: textAt(service, 'namespace'),
            name: textAt(service, 'name'),
            path: textAt(service, 'path'),
            port: numberAt(service, 'port') ?? SERVICE_PORT,
          },
    caPem: Buffer.from(textAt(config, 'caBundle'), 'base64').toString('latin1'),
  }
}

/** Which requests a rule of a webhook or a policy means. */
export function ruleOf(rule: Json): WebhookRule {
  const texts = (key: string): readonly string[] => listAt(rule, key).map(String)
  return {
    operations: texts('operations'),
    groups: texts('apiGroups'),
    versions: texts('apiVersions'),
    resources: texts('resources'),
    scope: textAt(rule, 'scope') || '*',
  }
}

/** A condition, ready to be evaluated. */
export function conditionOf(
  condition: Json,
  variables: Readonly<Record<string, CelType>>,
): WebhookCondition {
  const expression = textAt(condition, 'expression').trim()
  return { expression, program: compiledOrWhy(expression, variables, [BOOL]) }
}
