import { selects } from '../objects/label-selector.ts'
import type { Json, JsonObject, KubeObject } from '../objects/types.ts'
import { keyOf, nowText, type RequestContext } from './context.ts'
import { type Deletion, deleteObject } from './delete.ts'
import { at, listAt, numberAt, objectAt, textAt } from './json.ts'
import { forbidden, notFound, StatusError } from './status.ts'

const BUDGETS = 'poddisruptionbudgets.policy'
const BUDGET_KIND = { plural: 'poddisruptionbudget', group: 'policy', kind: 'PodDisruptionBudget' }
const REFUSAL = "Cannot evict pod as it would violate the pod's disruption budget."
const SEVERAL =
  'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.'

/** How many evictions a budget notes that its controller has not confirmed (policy.MaxDisruptedPodSize). */
const NOTED_MAX = 2_000

/** How soon to ask again while nobody has counted yet, in seconds. */
const RETRY_SECONDS = 10

/**
 * Evicts a pod: deletes it when the disruption budget that covers it allows one more, and takes that from
 * the budget. Budgets are counted by the disruption controller, that of Kubernetes or our own.
 *
 * @throws StatusError: 429 when the budget does not allow it, 403 also where it is not to be taken from here, 404, 409, 500 for several budgets.
 */
export async function evictPod(
  context: RequestContext,
  name: string,
  deletion: Deletion,
): Promise<void> {
  const { store, served } = context
  const pod = store.get(keyOf(context, name))
  if (pod === undefined) throw notFound(served, name)
  if (!isOver(pod)) await takeFromBudget(context, pod, deletion.dryRun)
  if (!deletion.dryRun) await markEvicted(context, pod)
  await deleteObject(context, name, deletion)
}

/** A pod that does not run, or is on its way out, disrupts nothing any more. */
function isOver(pod: KubeObject): boolean {
  const phase = textAt(pod, 'status', 'phase')
  return phase !== 'Running' || pod.metadata.deletionTimestamp !== undefined
}

async function takeFromBudget(
  context: RequestContext,
  pod: KubeObject,
  dryRun: boolean,
): Promise<void> {
  const { store, namespace, options } = context
  const covers = (budget: KubeObject): boolean =>
    selects(at(budget, 'spec', 'selector'), pod.metadata.labels ?? {})
  const [budget, ...more] = store.list(BUDGETS, namespace).items.filter(covers)
  if (budget === undefined || isAllowedUnready(pod, budget)) return
  if (more.length > 0) throw new StatusError('InternalError', SEVERAL)
  const key = { resource: BUDGETS, namespace, name: budget.metadata.name }
  const take = (current: KubeObject): KubeObject => {
    const why = whyNot(current)
    if (why !== undefined) throw why
    const less = oneLess(current, pod.metadata.name, nowText(context.clock))
    const refused = context.mayWrite(key, less)
    if (refused !== undefined) throw forbidden(BUDGET_KIND, current.metadata.name, refused)
    return less
  }
  if (dryRun) {
    take(budget)
    return
  }
  await context.exclusive(key, () =>
    store.update(key, take, { part: 'observed', author: options.author }),
  )
}

/** Whether a pod that is not ready may go without asking the budget. */
function isAllowedUnready(pod: KubeObject, budget: KubeObject): boolean {
  const isReady = listAt(pod, 'status', 'conditions').some(
    (item) => textAt(item, 'type') === 'Ready' && textAt(item, 'status') === 'True',
  )
  if (isReady) return false
  if (textAt(budget, 'spec', 'unhealthyPodEvictionPolicy') === 'AlwaysAllow') return true
  const desired = numberAt(budget, 'status', 'desiredHealthy') ?? 0
  return desired > 0 && (numberAt(budget, 'status', 'currentHealthy') ?? 0) >= desired
}

function whyNot(budget: KubeObject): StatusError | undefined {
  const { name, generation = 0 } = budget.metadata
  const status = objectAt(budget, 'status')
  if ((numberAt(status, 'observedGeneration') ?? 0) < generation)
    return refusal(`The disruption budget ${name} is still being processed by the server.`, true)
  const allowed = numberAt(status, 'disruptionsAllowed') ?? 0
  if (allowed < 0) return forbidden(BUDGET_KIND, name, 'pdb disruptions allowed is negative')
  if (Object.keys(objectAt(status, 'disruptedPods')).length > NOTED_MAX) {
    const why = 'DisruptedPods map too big - too many evictions not confirmed by PDB controller'
    return forbidden(BUDGET_KIND, name, why)
  }
  return allowed === 0 ? refusal(`The disruption budget ${name} ${shortage(status)}`) : undefined
}

/** What a budget lacks. When its controller failed, its numbers say nothing. */
function shortage(status: JsonObject): string {
  const condition = allowedCondition(status)
  const message = textAt(condition, 'message')
  const reason = textAt(condition, 'reason')
  const isSaid = textAt(condition, 'status') === 'False' && message !== ''
  const refused = 'does not allow evicting pods currently'
  if (isSaid && reason === 'SyncFailed') return `${refused} because it failed sync: ${message}`
  const [current = 0, desired = 0] = ['currentHealthy', 'desiredHealthy'].map((field) =>
    numberAt(status, field),
  )
  if (current <= desired) return `needs ${desired} healthy pods and has ${current} currently`
  return isSaid ? `${refused} (${reason}): ${message}` : refused
}

function allowedCondition(status: JsonObject): Json | undefined {
  return listAt(status, 'conditions').find((item) => textAt(item, 'type') === 'DisruptionAllowed')
}

function refusal(message: string, isSoon = false): StatusError {
  return new StatusError('TooManyRequests', REFUSAL, {
    causes: [{ reason: 'DisruptionBudget', message }],
    ...(isSoon ? { retryAfterSeconds: RETRY_SECONDS } : {}),
  })
}

function oneLess(budget: KubeObject, pod: string, now: string): KubeObject {
  const status = objectAt(budget, 'status')
  const allowed = (numberAt(status, 'disruptionsAllowed') ?? 0) - 1
  const disruptedPods = { ...objectAt(status, 'disruptedPods'), [pod]: now }
  return { ...budget, status: { ...status, disruptionsAllowed: allowed, disruptedPods } }
}

/** Says of a pod why it goes. */
async function markEvicted(context: RequestContext, pod: KubeObject): Promise<void> {
  const { store, options } = context
  const type = 'DisruptionTarget'
  const condition = {
    type,
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastProbeTime: null,
    lastTransitionTime: nowText(context.clock),
  }
  const mark = (current: KubeObject): KubeObject => {
    const status = objectAt(current, 'status')
    const others = listAt(status, 'conditions').filter((item) => textAt(item, 'type') !== type)
    return { ...current, status: { ...status, conditions: [...others, condition] } }
  }
  const key = keyOf(context, pod.metadata.name)
  const { uid } = pod.metadata
  await context.exclusive(key, () =>
    store.update(key, mark, { part: 'observed', uid, author: options.author }),
  )
}
