import { selects } from '../../objects/label-selector.ts'
import type { Json, JsonObject, KubeObject, ObjectStore } from '../../objects/types.ts'
import type { Meter } from '../cel/scope.ts'
import { CelError, type Value } from '../cel/values.ts'
import { ruleValue } from '../custom/rule-values.ts'
import { isObject } from '../json.ts'
import { isEmptySelector } from '../kinds/selector-checks.ts'
import { notFound } from '../status.ts'
import type { Webhook } from './webhook.ts'

/** What the conditions of one webhook may cost, in steps. */
const STEPS_MAX = 250_000

/** What selectors look at. */
export interface Selected {
  readonly resource: string
  /** Of a namespace its own name; undefined for what is in none. */
  readonly namespace: string | undefined
  readonly subresource: string
  readonly isDeletion: boolean
  /** An object, or what is asked of a connection: that has no labels, and no selector takes it. */
  readonly object: KubeObject | JsonObject | undefined
  readonly old: KubeObject | JsonObject | undefined
}

/**
 * Whether the selectors of a webhook take an object.
 *
 * @throws StatusError 404 when the namespace is not there whose labels decide.
 */
export function isSelected(
  { namespaceSelector, objectSelector }: Webhook,
  about: Selected,
  store: Pick<ObjectStore, 'get'>,
): boolean {
  const { object, old } = about
  const isTaken = (candidate: JsonObject | undefined): boolean =>
    isObject(candidate?.['metadata']) && selects(objectSelector, labelsOf(candidate))
  if (!isEmptySelector(objectSelector) && !isTaken(object) && !isTaken(old)) return false
  if (isEmptySelector(namespaceSelector)) return true
  if (about.resource === 'namespaces' && about.subresource === '' && !about.isDeletion)
    return selects(namespaceSelector, labelsOf(object))
  if (about.namespace === undefined) return true
  const home = store.get({ resource: 'namespaces', name: about.namespace })
  if (home === undefined) {
    const kind = { plural: 'namespaces', group: '', kind: 'Namespace' }
    throw notFound(kind, about.namespace)
  }
  return selects(namespaceSelector, home.metadata.labels ?? {})
}

function labelsOf(object: JsonObject | undefined): Readonly<Record<string, string>> {
  const metadata = object?.['metadata'] as KubeObject['metadata'] | undefined
  return metadata?.labels ?? {}
}

/** What the conditions of a webhook say: whether it is asked, or why that cannot be known. */
export type Condition = boolean | { readonly problem: string }

/**
 * Evaluates the conditions of a webhook: one that is false decides, whatever fails in others.
 *
 * @param request the `request` of the question that the webhook would get.
 */
export function conditionsHold(webhook: Webhook, request: JsonObject): Condition {
  if (webhook.conditions.length === 0) return true
  const { object, oldObject, ...rest } = request
  const variables: Readonly<Record<string, Value>> = {
    object: celValue(object),
    oldObject: celValue(oldObject),
    request: requestValue(rest),
  }
  const meter: Meter = { left: STEPS_MAX }
  const problems: string[] = []
  for (const { expression, program } of webhook.conditions) {
    if (program instanceof CelError) {
      problems.push(`compilation failed: ${program.message}`)
      continue
    }
    try {
      if (program.run(variables, meter) === false) return false
    } catch (error) {
      if (!(error instanceof CelError)) throw error
      problems.push(`expression '${expression}' resulted in error: ${error.message}`)
    }
  }
  if (problems.length === 0) return true
  if (webhook.ignoresFailure) return false
  return { problem: problems.length === 1 ? String(problems[0]) : `[${problems.join(', ')}]` }
}

function celValue(value: Json | undefined): Value {
  return ruleValue(value ?? null, undefined, false)
}

/** The request as expressions see it, whose fields are there also where the question leaves them out. */
function requestValue(request: JsonObject): Value {
  const { userInfo, ...rest } = request
  const texts = { subResource: '', requestSubResource: '', name: '', namespace: '' }
  const user = { uid: '', groups: [], extra: {}, ...(userInfo as JsonObject) }
  return celValue({ ...texts, ...rest, userInfo: user })
}
