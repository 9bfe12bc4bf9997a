import { UsageError } from '../../../core/errors.ts'
import { type Threshold, type ThresholdOptions, thresholdsOf } from './thresholds.ts'

/** When pods are evicted. What is left out is as in kubelet. */
export interface EvictionOptions extends ThresholdOptions {
  /** How long a condition of the node outlasts its cause, in milliseconds. Default 5 min. */
  readonly transitionMs?: number | undefined
  /** What pods get at most that go for a soft threshold, in milliseconds. Default 0: a second. */
  readonly podGraceMsMax?: number | undefined
  /** How often it is looked, in milliseconds. Default 10 s. */
  readonly periodMs?: number | undefined
  /** How old a measurement of a pod's files may get, in milliseconds. Default 60 s. */
  readonly diskPeriodMs?: number | undefined
}

/** {@link EvictionOptions} with everything filled in. */
export interface EvictionSettings {
  readonly thresholds: readonly Threshold[]
  readonly transitionMs: number
  readonly podGraceMsMax: number
  readonly periodMs: number
  readonly diskPeriodMs: number
}

const DEFAULTS = {
  transitionMs: 5 * 60_000,
  podGraceMsMax: 0,
  periodMs: 10_000,
  diskPeriodMs: 60_000,
} as const

/**
 * Fills in what is left out.
 *
 * @throws UsageError `USAGE_INVALID_ARGUMENT` for a threshold or a time that is not allowed.
 */
export function evictionSettings(options: EvictionOptions): EvictionSettings {
  const time = (field: keyof typeof DEFAULTS, least: number): number => {
    const ms = options[field] ?? DEFAULTS[field]
    if (Number.isFinite(ms) && ms >= least) return ms
    throw new UsageError('USAGE_INVALID_ARGUMENT', 'a time of eviction is wrong', {
      ...{ field, value: ms, allowed: `milliseconds, ${least} or more` },
    })
  }
  return {
    thresholds: thresholdsOf(options),
    transitionMs: time('transitionMs', 0),
    podGraceMsMax: time('podGraceMsMax', 0),
    periodMs: time('periodMs', 1),
    diskPeriodMs: time('diskPeriodMs', 1),
  }
}
