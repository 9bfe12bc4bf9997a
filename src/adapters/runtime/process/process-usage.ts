import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What processes have used so far. */
export interface ProcessUsage {
  /** User and system time, that of children which ended and were waited for included. */
  readonly cpuNanos: number
  /** Resident memory. */
  readonly memoryBytes: number
}

/** One tick of the counters in /proc/PID/stat: Linux shows 100 a second to programs (proc(5)). */
const TICK_NANOS = 10_000_000

/** The places of utime, stime, cutime and cstime behind the name of the process. */
const TIMES = [11, 12, 13, 14] as const

/** Reads what /proc/PID/stat and /proc/PID/status say of use (proc(5)). */
export function parseUsage(stat: string, status: string): ProcessUsage {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = TIMES.reduce((sum, place) => sum + (Number(fields[place]) || 0), 0)
  // A process that ends has no memory any more, and no such line.
  const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0)
  return { cpuNanos: ticks * TICK_NANOS, memoryBytes: kibibytes * 1_024 }
}

/** What several processes have used together; those that are gone count for nothing. */
export async function usageOfProcesses(pids: Iterable<number>): Promise<ProcessUsage> {
  const found = await Promise.all(
    [...pids].map(async (pid) => {
      const [stat, status] = await Promise.all(
        ['stat', 'status'].map((name) =>
          readFile(`/proc/${pid}/${name}`, 'latin1').catch(() => ''),
        ),
      )
      return parseUsage(stat ?? '', status ?? '')
    }),
  )
  let cpuNanos = 0
  let memoryBytes = 0
  for (const each of found) {
    cpuNanos += each.cpuNanos
    memoryBytes += each.memoryBytes
  }
  return { cpuNanos, memoryBytes }
}

/** The files of a memory cgroup, which differ between the versions. */
const MEMORY_FILES = {
  1: { used: 'memory.usage_in_bytes', inactive: 'total_inactive_file' },
  2: { used: 'memory.current', inactive: 'inactive_file' },
} as const

/**
 * The working set of a memory cgroup: what it holds without file pages that nobody has used for long,
 * as kubelet counts it. Undefined when the group does not tell.
 */
export async function workingSetOf(path: string, version: 1 | 2): Promise<number | undefined> {
  const names = MEMORY_FILES[version]
  const [used, stat] = await Promise.all([
    readFile(join(path, names.used), 'utf8').catch(() => ''),
    readFile(join(path, 'memory.stat'), 'utf8').catch(() => ''),
  ])
  if (used.trim() === '') return undefined
  const inactive = new RegExp(`^${names.inactive} (\\d+)$`, 'm').exec(stat)?.[1] ?? '0'
  return Math.max(Number(used) - Number(inactive), 0)
}

/** The CPU time of a cgroup of version 2, in nanoseconds. Undefined when it does not tell. */
export async function cpuTimeOf(path: string): Promise<number | undefined> {
  const text = await readFile(join(path, 'cpu.stat'), 'utf8').catch(() => '')
  const micros = /^usage_usec (\d+)$/m.exec(text)?.[1]
  return micros === undefined ? undefined : Number(micros) * 1_000
}
