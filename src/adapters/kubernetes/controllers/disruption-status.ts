import { selects } from '../objects/label-selector.ts'
import { mapAt, numberAt } from '../objects/read.ts'
import type { JsonObject, KubeObject } from '../objects/types.ts'
import { setCondition } from './conditions.ts'
import { isReady } from './object-facts.ts'
import { controllerOf } from './owned-pods.ts'

// What a disruption budget allows, counted as kube-controller-manager counts it (pkg/controller/disruption).

/** How long an evicted pod may still be there before it counts as one that stays. */
export const EVICTION_MS: number = 120_000

const ALLOWED = 'DisruptionAllowed'

/** How many pods whoever controls a pod wants in all; undefined where that is not known. */
export type ScaleOf = (owner: JsonObject, namespace: string) => Scale | undefined

/** The number of pods that one controller wants. */
export interface Scale {
  /** Names the controller: several pods have the same one. */
  readonly id: string
  readonly replicas: number
}

/** Whether a budget is about a pod. */
export function isCovered(budget: KubeObject, pod: KubeObject): boolean {
  return (
    pod.metadata.namespace === budget.metadata.namespace &&
    selects(mapAt(budget, 'spec', 'selector'), pod.metadata.labels ?? {})
  )
}

/**
 * A budget with its status as its pods are now.
 *
 * @param pods those that it covers.
 */
export function withBudgetStatus(
  budget: KubeObject,
  pods: readonly KubeObject[],
  scaleOf: ScaleOf,
  nowMs: number,
): KubeObject {
  const expected = expectedOf(budget, pods, scaleOf)
  if ('problem' in expected) return failed(budget, expected.problem, nowMs)
  const disruptedPods = disruptedOf(budget, pods, nowMs)
  const currentHealthy = pods.filter(
    (pod) =>
      pod.metadata.deletionTimestamp === undefined &&
      disruptedPods[pod.metadata.name] === undefined &&
      isReady(pod),
  ).length
  const { count, desiredHealthy } = expected
  const disruptionsAllowed = count > 0 ? Math.max(0, currentHealthy - desiredHealthy) : 0
  const { generation = 1 } = budget.metadata
  const { disruptedPods: _, ...status } = mapAt(budget, 'status') ?? {}
  const counted = {
    ...budget,
    status: {
      ...status,
      ...(Object.keys(disruptedPods).length === 0 ? {} : { disruptedPods }),
      currentHealthy,
      desiredHealthy,
      expectedPods: count,
      disruptionsAllowed,
      observedGeneration: generation,
    },
  }
  const isEnough = disruptionsAllowed > 0
  const said = {
    type: ALLOWED,
    status: isEnough ? 'True' : 'False',
    reason: isEnough ? 'SufficientPods' : 'InsufficientPods',
    message: '',
  } as const
  return observed(setCondition(counted, said, nowMs), generation)
}

/** A budget that cannot be counted allows nothing. */
function failed(budget: KubeObject, message: string, nowMs: number): KubeObject {
  const stopped = { ...budget, status: { ...mapAt(budget, 'status'), disruptionsAllowed: 0 } }
  const said = { type: ALLOWED, status: 'False', reason: 'SyncFailed', message } as const
  return observed(
    setCondition(stopped, said, nowMs),
    numberAt(budget, 'status', 'observedGeneration') ?? 0,
  )
}

/** The condition says of which generation it is. */
function observed(budget: KubeObject, generation: number): KubeObject {
  const status = mapAt(budget, 'status')
  const all = Array.isArray(status?.['conditions']) ? status['conditions'] : []
  const conditions = (all as readonly JsonObject[]).map((condition) =>
    condition['type'] === ALLOWED ? { ...condition, observedGeneration: generation } : condition,
  )
  return { ...budget, status: { ...status, conditions } }
}

type Expected =
  | { readonly count: number; readonly desiredHealthy: number }
  | { readonly problem: string }

function expectedOf(budget: KubeObject, pods: readonly KubeObject[], scaleOf: ScaleOf): Expected {
  const { maxUnavailable, minAvailable } = mapAt(budget, 'spec') ?? {}
  if (maxUnavailable === undefined && typeof minAvailable === 'number')
    return { count: pods.length, desiredHealthy: minAvailable }
  const scales = new Map<string, number>()
  for (const pod of pods) {
    const owner = controllerOf(pod)
    // Pods of nobody are not counted, as nobody makes them again.
    if (owner === undefined) continue
    const scale = scaleOf(owner, pod.metadata.namespace ?? '')
    if (scale === undefined)
      return { problem: `found no controllers for pod ${JSON.stringify(pod.metadata.name)}` }
    scales.set(scale.id, scale.replicas)
  }
  const count = [...scales.values()].reduce((sum, replicas) => sum + replicas, 0)
  if (maxUnavailable !== undefined)
    return { count, desiredHealthy: Math.max(0, count - partOf(maxUnavailable, count)) }
  // A budget that demands nothing is content with nothing.
  return { count, desiredHealthy: minAvailable === undefined ? 0 : partOf(minAvailable, count) }
}

/** A number, or a percentage of `count`, rounded up. */
function partOf(value: unknown, count: number): number {
  if (typeof value === 'number') return value
  const percent = /^(\d+)%$/.exec(String(value))?.[1]
  return percent === undefined ? 0 : Math.ceil((Number(percent) * count) / 100)
}

/** The pods that were evicted and are still there, with the times of their eviction. */
function disruptedOf(
  budget: KubeObject,
  pods: readonly KubeObject[],
  nowMs: number,
): Readonly<Record<string, string>> {
  const noted = mapAt(budget, 'status', 'disruptedPods') ?? {}
  const left = pods.flatMap(({ metadata: { name, deletionTimestamp } }): [string, string][] => {
    const since = Object.hasOwn(noted, name) ? noted[name] : undefined
    if (deletionTimestamp !== undefined || typeof since !== 'string') return []
    return nowMs > Date.parse(since) + EVICTION_MS ? [] : [[name, since]]
  })
  return Object.fromEntries(left)
}
