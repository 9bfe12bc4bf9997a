import { selects } from '../../objects/label-selector.ts'
import type { JsonObject, KubeObject, ObjectStore } from '../../objects/types.ts'
import { CelError } from '../cel/values.ts'
import { isObject } from '../json.ts'
import { isEmptySelector } from '../kinds/selector-checks.ts'
import { notFound } from '../status.ts'
import { type AdmissionRun, BudgetError } from './admission-run.ts'
import type { Webhook, WebhookCondition } from './webhook.ts'

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
 * Whether the selectors of a webhook or a policy take an object.
 *
 * @throws StatusError 404 when the namespace is not there whose labels decide.
 */
export function isSelected(
  { namespaceSelector, objectSelector }: Pick<Webhook, 'namespaceSelector' | 'objectSelector'>,
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

/** What conditions say: whether a webhook is asked, or a policy counts; or why that cannot be known. */
export type Condition = boolean | { readonly problem: string }

/**
 * Evaluates the conditions of a webhook or a policy: one that is false decides, whatever fails in others.
 *
 * @param ignoresFailure whether one that fails counts as one that is false.
 */
export async function conditionsHold(
  conditions: readonly WebhookCondition[],
  ignoresFailure: boolean,
  run: AdmissionRun,
): Promise<Condition> {
  const problems: string[] = []
  try {
    for (const { expression, program } of conditions) {
      const found = program instanceof CelError ? program : await run.evaluate(program)
      if (found === false) return false
      if (!(found instanceof CelError)) continue
      problems.push(
        found === program
          ? `compilation error: ${found.message}`
          : `expression '${expression}' resulted in error: ${found.message}`,
      )
    }
  } catch (error) {
    if (!(error instanceof BudgetError)) throw error
    problems.splice(0, problems.length, error.message)
  }
  if (problems.length === 0) return true
  if (ignoresFailure) return false
  return { problem: problems.length === 1 ? String(problems[0]) : `[${problems.join(', ')}]` }
}
