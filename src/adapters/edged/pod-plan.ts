import type { ContainerStatus, SandboxStatus } from '../runtime/index.ts'
import { nextRun, type RestartBackoff } from './backoff.ts'
import { surplusRuns } from './collection/dead-containers.ts'
import { deadlineMs } from './deadline.ts'
import { stopOrder } from './hooks/stop-order.ts'
import { asNumber, asObject, asText } from './json.ts'
import { fromLabels, specHash } from './labels.ts'
import { allContainers, type ContainerView, type PodView, toldOf } from './pod-view.ts'
import { PLAIN_HEALTH, type RunHealth } from './probes/probe-state.ts'
import { isRestartable, restarts } from './restart-policy.ts'
import { isInSandbox, lostSandbox } from './sandbox-plan.ts'

/** A container to stop, and why. */
export interface StopStep {
  readonly container: ContainerStatus
  readonly graceMs: number
  readonly why:
    | 'deleted'
    | 'changed'
    | 'resized'
    | 'finished'
    | 'sandbox'
    | 'unknown'
    | NonNullable<RunHealth['failed']>
  /** The ids of containers that end first, as long as the grace lasts. Default: none. */
  readonly after?: readonly string[] | undefined
}

/** A container to start. */
export interface StartStep {
  readonly container: ContainerView
  readonly attempt: number
  readonly hash: string
  /** The wait after this run ends. */
  readonly backoffMs: number
}

/** A container that waits because it keeps ending. */
export interface BackoffWait {
  readonly untilMs: number
  readonly delayMs: number
}

/** What to do next for one pod. */
export interface PodPlan {
  readonly stops: readonly StopStep[]
  readonly starts: readonly StartStep[]
  /** Ended runs that nobody needs any more. */
  readonly removes: readonly ContainerStatus[]
  readonly backoffs: ReadonlyMap<string, BackoffWait>
  /** Look again then, even if nothing happens. */
  readonly wakeAtMs: number | undefined
  readonly initDone: boolean
  /** Nothing runs, and nothing will be started any more. */
  readonly isEnded: boolean
  /** It ends because its time is up. Default: it does not. */
  readonly isOverdue?: boolean | undefined
}

/** Whether a pod is as it should be and nothing is under way: it waits for what may happen to it. */
export function isAtRest(plan: PodPlan): boolean {
  const { isEnded, initDone, backoffs, starts, stops, removes } = plan
  if (isEnded || !initDone || backoffs.size > 0) return false
  return [starts, stops, removes].every(({ length }) => length === 0)
}

/** What {@link planPod} decides on. */
export interface PlanInput {
  readonly pod: PodView
  /** Every container of this pod that the runtime holds. */
  readonly observed: readonly ContainerStatus[]
  /** Every sandbox of this pod, the newest first. */
  readonly sandboxes: readonly SandboxStatus[]
  readonly backoff: RestartBackoff
  readonly nowMs: number
  /** What is known of runs with probes or hooks, by id. */
  readonly health: ReadonlyMap<string, RunHealth>
  /** The ids of runs that have to start anew for another size. Default: none. */
  readonly resized?: ReadonlySet<string> | undefined
  /** The node ends it: nothing is started any more. Default: it does not. */
  readonly isEvicted?: boolean | undefined
}

/** Times of files and of the clock differ by a little. */
const CLOCK_SLACK_MS = 1_000

/** What one container needs. */
type Need =
  | { readonly type: 'running'; readonly isStarted: boolean }
  | { readonly type: 'succeeded' }
  | { readonly type: 'failed' }
  | { readonly type: 'start'; readonly step: StartStep }
  | { readonly type: 'wait'; readonly wait: BackoffWait }

/** The runs of one container, oldest first. */
export function runsOf(
  observed: readonly ContainerStatus[],
  name: string,
): readonly ContainerStatus[] {
  return observed.filter((run) => run.name === name).sort((a, b) => a.attempt - b.attempt)
}

/**
 * Decides what to do next, from what is desired and what is there. Looks at nothing else and keeps
 * nothing, so asking again after any crash gives the right answer.
 */
export function planPod(input: PlanInput): PodPlan {
  const { pod, nowMs } = input
  const phase = asText(pod.status['phase'])
  const hasEnded = phase === 'Succeeded' || phase === 'Failed' || input.isEvicted === true
  const isOver = pod.isDeleted || hasEnded
  if (isOver) return endPlan(input, pod.isDeleted ? 'deleted' : 'finished')
  const plan = planLife(input)
  const dueMs = deadlineMs(pod, nowMs)
  if (dueMs === undefined || endedBefore(dueMs, plan, input)) return plan
  if (dueMs <= nowMs) return { ...endPlan(input, 'finished'), isOverdue: true }
  return { ...plan, wakeAtMs: Math.min(plan.wakeAtMs ?? dueMs, dueMs) }
}

function endedBefore(dueMs: number, plan: PodPlan, { observed }: PlanInput): boolean {
  return plan.isEnded && observed.every((run) => (run.finishedAtMs ?? 0) <= dueMs)
}

/** What to do for a pod that nobody ends. */
function planLife(input: PlanInput): PodPlan {
  const { pod, observed } = input
  if (lostSandbox(input.sandboxes) !== undefined) {
    if (observed.some(isActive)) return { ...endPlan(input, 'sandbox'), isEnded: false }
    if (!startsOver(pod, observed)) return endPlan(input, 'finished')
  }
  const draft = newDraft(pod, observed)
  const initDone = planInit(input, draft)
  if (draft.hasFailed) return endPlan(input, 'finished')
  if (initDone) {
    const needs = pod.containers.map((container) => plan(input, draft, container))
    if (needs.every((need) => need.type === 'succeeded' || need.type === 'failed')) {
      return endPlan(input, 'finished')
    }
  }
  const waits = [...draft.backoffs.values()].map((wait) => wait.untilMs)
  return {
    stops: draft.stops,
    starts: [...ephemeralStarts(input), ...startable(draft.starts, input.health)],
    removes: surplus(input),
    backoffs: draft.backoffs,
    wakeAtMs: waits.length === 0 ? undefined : Math.min(...waits),
    initDone,
    isEnded: false,
  }
}

/** Containers are started in order, and each waits for the postStart hooks before it. */
function startable(
  starts: readonly StartStep[],
  health: PlanInput['health'],
): readonly StartStep[] {
  if ([...health.values()].some((each) => each.isStarting)) return []
  const hooked = starts.findIndex((step) => step.container.postStart !== undefined)
  return hooked < 0 ? starts : starts.slice(0, hooked + 1)
}

/** What was added to look at the pod: each is started once, whatever the others do. */
function ephemeralStarts({ pod, observed }: PlanInput): readonly StartStep[] {
  return pod.ephemeralContainers.flatMap((container): readonly StartStep[] => {
    const latest = runsOf(observed, container.name).at(-1)
    const isNew = latest === undefined && pastOf(pod, container.name) === undefined
    if (!isNew && latest?.state !== 'created') return []
    return [{ container, attempt: 0, hash: specHash(container), backoffMs: 0 }]
  })
}

interface Draft {
  readonly stops: StopStep[]
  readonly starts: StartStep[]
  readonly backoffs: Map<string, BackoffWait>
  hasFailed: boolean
}

function newDraft(pod: PodView, observed: readonly ContainerStatus[]): Draft {
  const known = new Set(allContainers(pod).map((container) => container.name))
  const strangers = observed.filter((run) => isActive(run) && !known.has(run.name))
  return {
    stops: strangers.map((container) => ({ container, graceMs: pod.graceMs, why: 'changed' })),
    starts: [],
    backoffs: new Map(),
    hasFailed: false,
  }
}

/** Walks the init containers in order. @returns whether the others may run. */
function planInit(input: PlanInput, draft: Draft): boolean {
  const { pod, observed } = input
  const hasRun = pod.containers.some(({ name }) => {
    const runs = runsOf(observed, name)
    if (runs.length === 0) return input.sandboxes.length === 0 && pastOf(pod, name) !== undefined
    return runs.some((run) => isInSandbox(input.sandboxes, run))
  })
  for (const container of pod.initContainers) {
    // Once the pod has got past them, plain init containers are not run again.
    if (hasRun && container.kind === 'init') continue
    const need = plan(input, draft, container)
    if (need.type === 'failed') draft.hasFailed = true
    const isPassed =
      need.type === 'succeeded' ||
      (container.kind === 'sidecar' && need.type === 'running' && need.isStarted)
    if (!isPassed && !(hasRun && container.kind === 'sidecar')) return false
  }
  return true
}

function plan(input: PlanInput, draft: Draft, container: ContainerView): Need {
  const need = needOf(input, container, draft)
  if (need.type === 'start') draft.starts.push(need.step)
  if (need.type === 'wait') draft.backoffs.set(container.name, need.wait)
  return need
}

function needOf(input: PlanInput, container: ContainerView, draft: Draft): Need {
  const { pod, observed, nowMs } = input
  const hash = specHash(container)
  const latest = runsOf(observed, container.name).at(-1)
  if (latest === undefined) return needOfPast(pod, container, hash, input.backoff)
  const isResized = input.resized?.has(latest.id) === true
  const isChanged = isResized || fromLabels(latest).hash !== hash
  const isOld = !isInSandbox(input.sandboxes, latest)
  if (latest.state === 'created' || (isOld && container.kind === 'init')) {
    const attempt = isOld ? latest.attempt + 1 : latest.attempt
    const { backoffMs } = fromLabels(latest)
    return { type: 'start', step: { container, attempt, hash, backoffMs } }
  }
  const health = input.health.get(latest.id) ?? PLAIN_HEALTH
  if (isActive(latest)) {
    // Nobody can say whether it runs: as long as it is there, it will not get better.
    const lost = latest.state === 'unknown' ? 'unknown' : health.failed
    const why = isResized ? 'resized' : isChanged ? 'changed' : lost
    const graceMs = isChanged ? pod.graceMs : (health.graceMs ?? pod.graceMs)
    if (why !== undefined) draft.stops.push({ container: latest, graceMs, why })
    return { type: 'running', isStarted: health.isStarted }
  }
  // One that was stopped because it failed has failed, however politely it went.
  const isSuccess = latest.exitCode === 0 && health.failed === undefined
  const { exitCode } = latest
  if (!isChanged && !restarts(pod, container, { exitCode, isSuccess })) {
    return { type: isSuccess ? 'succeeded' : 'failed' }
  }
  const next = nextRun({ ...latest, backoffMs: fromLabels(latest).backoffMs }, input.backoff)
  // The clock was set back: nobody knows how long the wait has been.
  const isInFuture = (latest.finishedAtMs ?? 0) > nowMs + CLOCK_SLACK_MS
  if (!isChanged && !isInFuture && next.notBeforeMs > nowMs) {
    return { type: 'wait', wait: { untilMs: next.notBeforeMs, delayMs: next.delayMs } }
  }
  const attempt = latest.attempt + 1
  const backoffMs = isChanged ? 0 : next.backoffMs
  return { type: 'start', step: { container, attempt, hash, backoffMs } }
}

/** A container that the runtime does not hold: new, or its runtime state was lost. */
function needOfPast(
  pod: PodView,
  container: ContainerView,
  hash: string,
  backoff: RestartBackoff,
): Need {
  const past = pastOf(pod, container.name)
  if (past === undefined) {
    return { type: 'start', step: { container, attempt: 0, hash, backoffMs: 0 } }
  }
  const { exitCode } = past
  const isSuccess = exitCode === 0
  if (exitCode !== undefined && !restarts(pod, container, { exitCode, isSuccess })) {
    return { type: isSuccess ? 'succeeded' : 'failed' }
  }
  const attempt = past.restartCount + 1
  return { type: 'start', step: { container, attempt, hash, backoffMs: backoff.firstMs } }
}

/** What the pod's own status says of a container that has run before. */
function pastOf(
  pod: PodView,
  name: string,
): { readonly restartCount: number; readonly exitCode: number | undefined } | undefined {
  const status = toldOf(pod, name)
  if (status === undefined || asText(status['containerID']) === undefined) return undefined
  if (status['containerID'] === '') return undefined
  const terminated = asObject(asObject(status['state'])['terminated'])
  return {
    restartCount: asNumber(status['restartCount']) ?? 0,
    exitCode: asNumber(terminated['exitCode']),
  }
}

/** Whether a pod whose sandbox has ended, with all that was in it, gets another one. */
function startsOver(pod: PodView, observed: readonly ContainerStatus[]): boolean {
  if (observed.length === 0) return true
  if (!pod.containers.some((container) => isRestartable(pod, container))) return false
  return pod.containers.some((container) => {
    const latest = runsOf(observed, container.name).at(-1)
    if (latest?.state !== 'exited') return true
    const { exitCode } = latest
    return restarts(pod, container, { exitCode, isSuccess: exitCode === 0 })
  })
}

function endPlan(input: PlanInput, why: 'deleted' | 'finished' | 'sandbox'): PodPlan {
  const { pod, observed } = input
  const active = observed.filter(isActive)
  return {
    stops: stopOrder(pod, active).map((step) => ({ ...step, graceMs: pod.graceMs, why })),
    starts: [],
    removes: surplus(input),
    backoffs: new Map(),
    wakeAtMs: undefined,
    initDone: pod.containers.some((each) => runsOf(observed, each.name).length > 0),
    isEnded: active.length === 0,
  }
}

function surplus({ pod, observed, nowMs }: PlanInput): readonly ContainerStatus[] {
  const names = allContainers(pod).map((container) => container.name)
  return names.flatMap((name) => surplusRuns(runsOf(observed, name), nowMs))
}

/** Whether a process may be behind a container. */
export function isActive(container: ContainerStatus): boolean {
  return container.state === 'running' || container.state === 'unknown'
}
