import { type Observations, type PressureCondition, SIGNALS, type Signal } from './signals.ts'
import { amountIn, type Threshold } from './thresholds.ts'

/** What has to be known of earlier looks. */
export interface PressureMemory {
  /** Since when each threshold is crossed, in milliseconds that never go back. */
  readonly crossedAtMs: ReadonlyMap<Threshold, number>
  /** Those whose grace was over: they count until their minimum is there again. */
  readonly due: readonly Threshold[]
  /** When each condition was seen last. */
  readonly seenAtMs: ReadonlyMap<PressureCondition, number>
}

/** What {@link lookAtPressure} decides on. */
export interface PressureInput {
  readonly thresholds: readonly Threshold[]
  readonly observations: Observations
  readonly memory: PressureMemory
  readonly nowMs: number
  /** How long a condition stays after it was seen last. */
  readonly transitionMs: number
}

/** How a node is. */
export interface Pressure {
  /** For the next look. */
  readonly memory: PressureMemory
  /** What the node says of itself, in the order of {@link SIGNALS}. */
  readonly conditions: readonly PressureCondition[]
  /** The thresholds for which something has to be done now, the most urgent first. */
  readonly due: readonly Threshold[]
}

/** What is known before the first look. */
export const NO_PRESSURE: PressureMemory = { crossedAtMs: new Map(), due: [], seenAtMs: new Map() }

const URGENCY = Object.keys(SIGNALS) as readonly Signal[]

/**
 * Says what runs short, by the rules of kubelet: a threshold that had to be acted upon stays crossed
 * until its minimum is reclaimed, soft ones get their grace, and a condition outlasts its cause.
 */
export function lookAtPressure(input: PressureInput): Pressure {
  const { thresholds, observations, memory, nowMs, transitionMs } = input
  const fresh = crossed(thresholds, observations, false)
  const open = crossed(memory.due, observations, true)
  const all = thresholds.filter((each) => fresh.includes(each) || open.includes(each))
  const crossedAtMs = new Map(all.map((each) => [each, memory.crossedAtMs.get(each) ?? nowMs]))
  const seenAtMs = new Map(memory.seenAtMs)
  for (const { signal } of all) seenAtMs.set(SIGNALS[signal].condition, nowMs)
  for (const [condition, atMs] of seenAtMs) {
    if (atMs !== nowMs && nowMs - atMs >= transitionMs) seenAtMs.delete(condition)
  }
  const due = all
    .filter((each) => nowMs - (crossedAtMs.get(each) ?? nowMs) >= each.graceMs)
    .sort((a, b) => urgencyOf(a) - urgencyOf(b) || a.graceMs - b.graceMs)
  const named = new Set(URGENCY.map((signal) => SIGNALS[signal].condition))
  return {
    memory: { crossedAtMs, due, seenAtMs },
    conditions: [...named].filter((condition) => seenAtMs.has(condition)),
    due,
  }
}

/**
 * The thresholds that are crossed. What was not observed crosses none.
 *
 * @param withReclaim counts also what has to be there above them.
 */
export function crossed(
  thresholds: readonly Threshold[],
  observations: Observations,
  withReclaim: boolean,
): readonly Threshold[] {
  return thresholds.filter(({ signal, value, reclaim }) => {
    const observed = observations.get(signal)
    if (observed === undefined) return false
    const above = withReclaim && reclaim !== undefined ? amountIn(reclaim, observed) : 0
    return observed.available < amountIn(value, observed) + above
  })
}

function urgencyOf({ signal }: Threshold): number {
  return URGENCY.indexOf(signal)
}
