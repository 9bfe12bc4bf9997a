import { type Logger, type Replica, systemClock } from 'tideway'
import type { UsageReport } from 'tideway/adapters/kubernetes/objects'
import type { UsageTable } from 'tideway/adapters/kubernetes/server'
import type { Teardown } from '../shared/lifetime.ts'
import { looksDifferent } from '../shared/usage-change.ts'
import { UsageSignals } from '../shared/usage-signals.ts'

/** How often it is measured what the node and its pods use; sooner and slower after the start. */
const USAGE_MS = 60_000
const FIRST_USAGE_MS = 1_000
/** How often the cloud is told of it while it hardly changes: less than it is kept there. */
const USAGE_TOLD_MS = 5 * 60_000

/** What is measured, and who is told of it. */
export interface MeasureUsageOptions {
  readonly node: string
  readonly replica: Replica
  readonly logger: Logger
  /** What the API of the node shows. */
  readonly usage: UsageTable
  /** A report over no time is none yet. */
  readonly measure: () => Promise<UsageReport>
}

/** Measures again and again what a node and its pods use, for the API here and for the cloud. */
export function measureUsage(options: MeasureUsageOptions, teardown: Teardown): void {
  const { node, replica, logger, usage, measure } = options
  const signals = new UsageSignals(replica, node)
  let cancel = (): void => undefined
  let isOver = false
  let told: UsageReport | undefined
  const look = async (): Promise<void> => {
    const report = await measure()
    if (isOver || report.windowMs === 0) return
    usage.take(node, { ...report, index: 0 })
    if (told !== undefined && !isDue(told, report)) return
    told = report
    signals.send(report)
  }
  const again = (delayMs: number): void => {
    look()
      .catch((error: unknown) => logger.warn('the use of CPU and memory is not known', { error }))
      .finally(() => {
        if (!isOver)
          cancel = systemClock.schedule(delayMs, () => again(Math.min(delayMs * 2, USAGE_MS)))
      })
  }
  again(FIRST_USAGE_MS)
  teardown.add('usage', () => {
    isOver = true
    cancel()
  })
}

function isDue(told: UsageReport, now: UsageReport): boolean {
  return now.takenAtMs - told.takenAtMs >= USAGE_TOLD_MS || looksDifferent(told, now)
}
