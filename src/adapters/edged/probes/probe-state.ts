import type { ProbeSpec, ProbeType } from './probe-spec.ts'

/** What one look at a container came to. Nothing at all follows from an `error`. */
export type ProbeOutcome = 'success' | 'failure' | 'error'

/** What a probe says of one run of a container. */
export type ProbeResult = 'unknown' | 'success' | 'failure'

/** What a probe has seen of one run of a container. */
export interface ProbeHistory {
  readonly result: ProbeResult
  /** The outcome of the last looks, and how many of them in a row had it. */
  readonly last: ProbeOutcome | undefined
  readonly runLength: number
  /** Nothing more is to be seen: the container is to be stopped, or has started. */
  readonly isOver: boolean
}

const FIRST_RESULTS: Readonly<Record<ProbeType, ProbeResult>> = {
  startup: 'unknown',
  liveness: 'success',
  readiness: 'failure',
}

/** Before the first look: alive, but neither started nor ready, unless `result` is known. */
export function newHistory(
  type: ProbeType,
  result: ProbeResult = FIRST_RESULTS[type],
): ProbeHistory {
  const isOver = type === 'startup' && result === 'success'
  return { result, last: undefined, runLength: 0, isOver }
}

/** The history after one more look. A result changes once enough looks in a row agree. */
export function afterLook(
  history: ProbeHistory,
  outcome: ProbeOutcome,
  spec: Pick<ProbeSpec, 'type' | 'successThreshold' | 'failureThreshold'>,
): ProbeHistory {
  if (history.isOver || outcome === 'error') return history
  const runLength = history.last === outcome ? history.runLength + 1 : 1
  const needed = outcome === 'success' ? spec.successThreshold : spec.failureThreshold
  const result = runLength >= needed ? outcome : history.result
  const isOver = spec.type !== 'readiness' && result === 'failure'
  const hasStarted = spec.type === 'startup' && result === 'success'
  return { result, last: outcome, runLength, isOver: isOver || hasStarted }
}

/** What is known of one run of a container beyond that it runs. */
export interface RunHealth {
  readonly isStarted: boolean
  readonly isReady: boolean
  /** What has to stop it: a probe that failed too often, or its postStart hook. */
  readonly failed: 'startup' | 'liveness' | 'postStart' | undefined
  /** The grace of that stop, when it is not the pod's. */
  readonly graceMs: number | undefined
  /** Its postStart hook is not done: it counts as not running yet. */
  readonly isStarting: boolean
}

/** Of a run without probes and hooks. */
export const PLAIN_HEALTH: RunHealth = {
  isStarted: true,
  isReady: true,
  failed: undefined,
  graceMs: undefined,
  isStarting: false,
}

/** What the probes of one run say together. A container without a probe passes it. */
export function healthFrom(
  probes: readonly { readonly spec: ProbeSpec; readonly history: ProbeHistory }[],
): RunHealth {
  const of = (type: ProbeType): ProbeResult =>
    probes.find(({ spec }) => spec.type === type)?.history.result ?? 'success'
  const isStarted = of('startup') === 'success'
  const culprit = probes.find(
    ({ spec, history }) => spec.type !== 'readiness' && history.result === 'failure',
  )?.spec
  return {
    isStarted,
    isReady: isStarted && of('readiness') === 'success',
    failed: culprit === undefined || culprit.type === 'readiness' ? undefined : culprit.type,
    graceMs: culprit?.graceMs,
    isStarting: false,
  }
}

/** When the first look at a run is due. */
export interface FirstLook {
  readonly spec: Pick<ProbeSpec, 'type' | 'initialDelayMs' | 'periodMs'>
  /** How long the container has run. */
  readonly ranMs: number
  /** How long this agent has been looking at containers. */
  readonly agentMs: number
  /** 0 up to 1, at random. */
  readonly fraction: number
}

/**
 * How long to wait before the first look at a run. Readiness is looked at as soon as it may be; the
 * others, whose failures count, not before one period has passed. What ran before the agent did gets
 * a random part of a period, so that a restarted agent does not look at all of them at once.
 */
export function firstLookMs(look: FirstLook): number {
  const { spec, ranMs, agentMs, fraction } = look
  const wanted = spec.type === 'readiness' ? 0 : spec.periodMs
  const delayMs = spec.initialDelayMs > 0 ? spec.initialDelayMs : wanted
  const waitMs = Math.max(delayMs - ranMs, 0)
  const isAdopted = ranMs > agentMs && agentMs < spec.periodMs
  return isAdopted ? Math.max(waitMs, spec.periodMs * fraction) : waitMs
}
