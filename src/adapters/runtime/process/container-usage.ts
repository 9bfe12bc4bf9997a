import { existsSync } from 'node:fs'
import { allProcesses, familyOf, type ProcessRow } from '../process-table.ts'
import type { ContainerUsage } from '../usage.ts'
import type { Cgroups } from './cgroup-files.ts'
import type { Container } from './container.ts'
import { usageOfProcesses } from './process-usage.ts'

/** Whether this machine tells what its processes use: Linux does. */
export const TELLS_USAGE: boolean = existsSync('/proc/self/stat')

/** What every container uses that runs: one look at the process table for all of them. */
export async function usageOfContainers(
  containers: Iterable<Container>,
  cgroups: Cgroups | undefined,
): Promise<readonly ContainerUsage[]> {
  if (!TELLS_USAGE) return []
  const rows = await allProcesses()
  const found = await Promise.all(
    [...containers].map((container) => usageOfContainer(container, rows, cgroups)),
  )
  return found.filter((usage) => usage !== undefined)
}

/** The group says it exactly where there is one; else the processes do, which share some memory. */
async function usageOfContainer(
  container: Container,
  rows: readonly ProcessRow[],
  cgroups: Cgroups | undefined,
): Promise<ContainerUsage | undefined> {
  const { id, podUid, name } = container.record
  const { state, startedAtMs } = await container.status()
  const claim = state === 'running' ? await container.files.claim() : undefined
  if (claim === undefined || startedAtMs === undefined) return undefined
  const grouped = (await cgroups?.processes(id)) ?? []
  const family = familyOf(claim.pid, rows).map(({ pid }) => pid)
  const pids = new Set([...family, ...grouped])
  const own = await usageOfProcesses(pids)
  const measured = await cgroups?.usage(id)
  return {
    ...{ id, podUid, name, startedAtMs },
    cpuNanos: measured?.cpuNanos ?? own.cpuNanos,
    memoryBytes: measured?.memoryBytes ?? own.memoryBytes,
    processes: pids.size,
  }
}
