import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import { errorCode } from '../atomic-file.ts'
import { delay } from '../delay.ts'

/** What {@link patiently} works with. */
export interface Patience {
  readonly clock: Clock
  readonly logger: Logger
}

/** What a process or its machine may have too few of for a moment (open(2), fork(2)). */
const SCARCE: ReadonlySet<unknown> = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'])
const TRIES_MAX = 150
const TRY_AGAIN_MS = 200

/** Whether something failed for want of descriptors, memory or processes: it says nothing of what was asked. */
export function isScarce(error: unknown): boolean {
  return SCARCE.has(errorCode(error))
}

/**
 * Does what may fail because something is scarce, and tries again while it is: for half a minute.
 *
 * @throws what `work` throws at last, or throws for another reason.
 */
export async function patiently<Result>(
  { clock, logger }: Patience,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work()
    } catch (error) {
      if (!isScarce(error) || tries === TRIES_MAX) throw error
      if (tries === 1) logger.warn('too little to look at what runs here: trying again', { error })
      await delay(clock, TRY_AGAIN_MS)
    }
  }
}

/**
 * What a try that failed says of what it tried: that it does not work here.
 *
 * @throws the error when something was scarce: then it says nothing.
 */
export function isNoneHere(error: unknown): false {
  if (isScarce(error)) throw error
  return false
}
