import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CPU_PERIOD_US, cpuQuotaUs, cpuShares, SHARES_MIN } from './cpu-limits.ts'
import type { Limits } from './index.ts'

/** What containers and pods are limited by. */
export const HANDED_DOWN = ['memory', 'cpu', 'pids'] as const

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

/**
 * Hands the controllers down, as far as this host lets us: a group has none that one above it keeps.
 *
 * @param path the groups from the mount on, each in the one before it.
 * @returns which reached those below the last group.
 */
export async function handDown(path: readonly string[]): Promise<ReadonlySet<string>> {
  let reached: readonly string[] = []
  for (const group of path) {
    const available = await controllersOf(group, 'cgroup.controllers')
    for (const name of HANDED_DOWN.filter((each) => available.includes(each))) {
      // One at a time: one that is refused must not take the others with it.
      await writeFile(join(group, 'cgroup.subtree_control'), `+${name}`).catch(() => {})
    }
    reached = await controllersOf(group, 'cgroup.subtree_control')
  }
  return new Set(reached)
}

async function controllersOf(group: string, file: string): Promise<readonly string[]> {
  const text = await readFile(join(group, file), 'utf8').catch(() => '')
  return text.trim().split(/\s+/)
}
