import { StorageLockedError } from '../../../core/errors.ts'

/** How long to wait for a page that is about to be gone, as the one before a reload is. */
const WAIT_MS = 1_000
/** Openers at one time. */
const OPENERS_MAX = 256

/** The place of one opener, until {@link release}. The browser releases it when the page is gone. */
export interface PlaceLock {
  readonly opener: number
  release(): Promise<void>
}

/**
 * Takes a place at a database, by the Web Locks of the origin: alone, or the smallest that is free.
 *
 * @throws StorageLockedError when somebody else has it alone, or has it at all and we want it alone.
 */
export async function lockPlace(database: string, isShared: boolean): Promise<PlaceLock> {
  const name = `tideway/storage/${database}`
  const signal = AbortSignal.timeout(WAIT_MS)
  const whole = await take(name, { mode: isShared ? 'shared' : 'exclusive', signal })
  if (whole === undefined) {
    throw new StorageLockedError('another tab has this database open', { fields: { database } })
  }
  if (!isShared) return { opener: 0, release: whole }
  for (let opener = 0; opener < OPENERS_MAX; opener++) {
    const release = await take(`${name}/${opener}`, { mode: 'exclusive', ifAvailable: true })
    if (release === undefined) continue
    return {
      opener,
      async release() {
        await release()
        await whole()
      },
    }
  }
  await whole()
  throw new StorageLockedError('too many tabs have this database open', {
    fields: { database, openersMax: OPENERS_MAX },
  })
}

/** What gives the lock back, or undefined when it was not to be had. */
function take(name: string, options: LockOptions): Promise<(() => Promise<void>) | undefined> {
  return new Promise((resolve, reject) => {
    const request = navigator.locks.request(name, options, async (lock) => {
      if (lock === null) return resolve(undefined)
      await new Promise<void>((release) => {
        resolve(async () => {
          release()
          await request
        })
      })
    })
    request.catch((error: unknown) => {
      const isLate = error instanceof Error && /^(?:Timeout|Abort)Error$/.test(error.name)
      if (isLate) resolve(undefined)
      else reject(error)
    })
  })
}
