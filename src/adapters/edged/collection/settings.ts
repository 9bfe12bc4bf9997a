import { UsageError } from '../../../core/errors.ts'
import type { ImageLimits } from './image-choice.ts'

/** When images that nobody uses are removed. What is left out is as in kubelet. */
export interface ImageCollectionOptions {
  /** How full their disk may get, in percent, from 0 to 100; 100: they stay. Default 85. */
  readonly highPercent?: number | undefined
  /** How full it is afterwards, in percent, at most `highPercent`. Default 80. */
  readonly lowPercent?: number | undefined
  /** How long an image has been here at least, in milliseconds. Default 2 min. */
  readonly ageMsMin?: number | undefined
  /** How often it is looked, in milliseconds. Default 5 min. */
  readonly periodMs?: number | undefined
}

/** {@link ImageCollectionOptions} with everything filled in. */
export interface ImageCollectionSettings extends ImageLimits {
  readonly periodMs: number
}

/**
 * Fills in what is left out.
 *
 * @throws UsageError `USAGE_INVALID_ARGUMENT` for a number that is not allowed.
 */
export function imageCollectionSettings(options: ImageCollectionOptions): ImageCollectionSettings {
  const {
    highPercent = 85,
    lowPercent = 80,
    ageMsMin = 2 * 60_000,
    periodMs = 5 * 60_000,
  } = options
  check('highPercent', highPercent, 0, 100)
  check('lowPercent', lowPercent, 0, highPercent)
  check('ageMsMin', ageMsMin, 0, Number.MAX_SAFE_INTEGER)
  check('periodMs', periodMs, 1, Number.MAX_SAFE_INTEGER)
  return { highPercent, lowPercent, ageMsMin, periodMs }
}

function check(field: string, value: number, least: number, most: number): void {
  if (Number.isFinite(value) && value >= least && value <= most) return
  throw new UsageError('USAGE_INVALID_ARGUMENT', 'a number of imageCollection is wrong', {
    ...{ field, value, allowed: `from ${least} to ${most}` },
  })
}
