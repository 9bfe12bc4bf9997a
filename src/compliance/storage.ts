import type { Storage } from '../core/interfaces/storage.ts'
import { type DeadlineMs, type TestFunction, within } from './check.ts'
import { appendChecks } from './storage-append.ts'
import type { StorageCheck, StoragePlace } from './storage-fixture.ts'
import { lifecycleChecks } from './storage-lifecycle.ts'
import { readChecks } from './storage-read.ts'
import { sharedChecks } from './storage-shared.ts'
import { valueChecks } from './storage-values.ts'

/** Options of {@link storageSuite}. */
export interface StorageSuiteOptions {
  /** Registers one check with the test runner. */
  readonly test: TestFunction
  /** Makes a new, empty place. Called once for each check. */
  readonly factory: () => StoragePlace | Promise<StoragePlace>
  /** How long one call may take before it counts as hanging. Default: 10 s. */
  readonly deadlineMs?: DeadlineMs | undefined
}

const CHECKS: readonly StorageCheck[] = [
  ...appendChecks,
  ...readChecks,
  ...valueChecks,
  ...lifecycleChecks,
  ...sharedChecks,
]

/**
 * Checks every promise of the Storage interface against one implementation.
 *
 * A promise that the implementation does not make (`supports`), or that the place has no means to
 * provoke, passes unchecked.
 */
export function storageSuite(options: StorageSuiteOptions): void {
  const deadlineMs = options.deadlineMs ?? 10_000
  for (const each of CHECKS) {
    options.test(each.name, async () => {
      const place = await options.factory()
      try {
        await runCheck(each, place, deadlineMs)
      } finally {
        await place.dispose()
      }
    })
  }
}

async function runCheck(
  { when, run }: StorageCheck,
  place: StoragePlace,
  deadlineMs: DeadlineMs,
): Promise<void> {
  let storage: Storage = await within(place.open(), deadlineMs, 'opening')
  const reopen = async (end: () => Promise<void>) => {
    await within(end(), deadlineMs, 'closing')
    storage = await within(place.open(), deadlineMs, 'opening again')
    return storage
  }
  try {
    if (when?.(storage.supports, place) === false) return
    await run({
      storage,
      place,
      deadlineMs,
      reopen: (between) =>
        reopen(async () => {
          await storage.close()
          await between?.()
        }),
      crash: () => reopen(async () => place.crash?.()),
    })
  } finally {
    await within(storage.close(), deadlineMs, 'closing')
  }
}
