import { CPU_PERIOD_US, cpuQuotaUs, cpuShares, SHARES_MIN } from './cpu-limits.ts'
import type { Limits } from './index.ts'

const SHARES_MAX = 262_144
const UNLIMITED = 'max'
/** What the kernel gives a group of which nothing was said. */
const WEIGHT_DEFAULT = 100

/** What each limit is called in version 2. */
export function settingsOf(
  limits: Limits,
): readonly { readonly file: string; readonly controller: string; readonly value: string }[] {
  const { memoryBytes, cpuMillis, cpuRequestMillis } = limits
  const settings = []
  if (memoryBytes !== undefined) {
    settings.push({ file: 'memory.max', controller: 'memory', value: String(memoryBytes) })
    settings.push({ file: 'memory.swap.max', controller: 'swap', value: '0' })
  }
  if (cpuMillis !== undefined) {
    settings.push({
      file: 'cpu.max',
      controller: 'cpu',
      value: `${cpuQuotaUs(cpuMillis)} ${CPU_PERIOD_US}`,
    })
  }
  if (cpuRequestMillis !== undefined) {
    settings.push({
      file: 'cpu.weight',
      controller: 'cpu',
      value: String(weight(cpuRequestMillis)),
    })
  }
  return settings
}

/** The same for a container that runs: also what is not limited any more has to be said. */
export function changedSettings(limits: Limits): ReturnType<typeof settingsOf> {
  const { memoryBytes, cpuMillis, cpuRequestMillis } = limits
  const open = []
  if (memoryBytes === undefined) {
    open.push({ file: 'memory.max', controller: 'memory', value: UNLIMITED })
    open.push({ file: 'memory.swap.max', controller: 'swap', value: UNLIMITED })
  }
  if (cpuMillis === undefined)
    open.push({ file: 'cpu.max', controller: 'cpu', value: `${UNLIMITED} ${CPU_PERIOD_US}` })
  if (cpuRequestMillis === undefined)
    open.push({ file: 'cpu.weight', controller: 'cpu', value: String(WEIGHT_DEFAULT) })
  return [...settingsOf(limits), ...open]
}

/** Version 1 shares (2 to 262144) onto version 2 weights (1 to 10000), as the OCI runtimes do. */
function weight(cpuRequestMillis: number): number {
  const bounded = Math.min(cpuShares(cpuRequestMillis), SHARES_MAX)
  return 1 + Math.floor(((bounded - SHARES_MIN) * 9999) / (SHARES_MAX - SHARES_MIN))
}
