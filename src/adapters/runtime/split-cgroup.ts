import { applySetting, type Setting } from './cgroup-settings.ts'
import { CPU_PERIOD_US, cpuQuotaUs, cpuShares, SHARES_PER_CPU } from './cpu-limits.ts'
import type { Limits } from './index.ts'

const UNLIMITED = '-1'

/** What the limits of a group are called, in the hierarchy of one controller. */
export function settingsOf(controller: string, limits: Limits): readonly Setting[] {
  const { memoryBytes, cpuMillis, cpuRequestMillis } = limits
  if (controller === 'memory' && memoryBytes !== undefined) {
    return [
      { file: 'memory.limit_in_bytes', value: String(memoryBytes) },
      // Memory and swap together: no swapping past the limit.
      { file: 'memory.memsw.limit_in_bytes', value: String(memoryBytes), optional: true },
    ]
  }
  if (controller !== 'cpu') return []
  const settings: Setting[] = []
  if (cpuRequestMillis !== undefined) {
    settings.push({ file: 'cpu.shares', value: String(cpuShares(cpuRequestMillis)) })
  }
  if (cpuMillis !== undefined) {
    settings.push({ file: 'cpu.cfs_period_us', value: String(CPU_PERIOD_US) })
    settings.push({ file: 'cpu.cfs_quota_us', value: String(cpuQuotaUs(cpuMillis)) })
  }
  return settings
}

/** The CPU of a container that runs: also what is not limited any more has to be said. */
export function cpuSettings(limits: Limits): readonly Setting[] {
  const settings = new Map(settingsOf('cpu', limits).map(({ file, value }) => [file, value]))
  const defaults = { 'cpu.shares': String(SHARES_PER_CPU), 'cpu.cfs_quota_us': UNLIMITED }
  return Object.entries({ ...defaults, ...Object.fromEntries(settings) })
    .sort()
    .map(([file, value]) => ({ file, value }))
}

/**
 * Gives the group at `path` another limit of memory: the kernel keeps it at or below memory and swap together,
 * whichever way both go. @throws an error when the kernel refuses.
 */
export async function changeMemory(path: string, memoryBytes: number | undefined): Promise<void> {
  const value = memoryBytes === undefined ? UNLIMITED : String(memoryBytes)
  const memory: Setting = { file: 'memory.limit_in_bytes', value }
  const both: Setting = { file: 'memory.memsw.limit_in_bytes', value, optional: true }
  await applySetting(path, both)
  await applySetting(path, memory)
  await applySetting(path, both)
}
