import type { ContainerStatus, ContainerUsage } from '../index.ts'
import type { EngineClient } from './client.ts'
import { isMissing, isNotRunning } from './errors.ts'
import type { StatsMessage } from './messages.ts'

/** Each question keeps the engine busy for a while. */
const AT_ONCE_MAX = 8

/** What running containers use, as their engine measures it. One that has ended meanwhile is left out. */
export async function usageOf(
  client: EngineClient,
  containers: readonly ContainerStatus[],
): Promise<readonly ContainerUsage[]> {
  const waiting = containers.filter(({ state }) => state === 'running')
  const found: ContainerUsage[] = []
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const usage = await ask(client, next)
      if (usage !== undefined) found.push(usage)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE_MAX }, work))
  return found
}

async function ask(
  client: EngineClient,
  container: ContainerStatus,
): Promise<ContainerUsage | undefined> {
  const query = { stream: false, 'one-shot': true }
  const path = `/containers/${container.id}/stats`
  try {
    return usageIn(await client.call<StatsMessage>({ path, query }), container)
  } catch (error) {
    if (isMissing(error) || isNotRunning(error)) return undefined
    throw error
  }
}

/** What statistics say of a container; undefined when they say nothing, as of one that has ended. */
export function usageIn(
  { cpu_stats, memory_stats, pids_stats }: StatsMessage,
  { id, podUid, name, startedAtMs, createdAtMs }: ContainerStatus,
): ContainerUsage | undefined {
  const cpuNanos = cpu_stats?.cpu_usage?.total_usage ?? 0
  const used = memory_stats?.usage ?? 0
  if (cpuNanos === 0 && used === 0) return undefined
  // Files that were read and are not used can be taken away: version 1 of cgroups, and version 2.
  const stats = memory_stats?.stats
  const idle = stats?.['total_inactive_file'] ?? stats?.['inactive_file'] ?? 0
  const processes = pids_stats?.current
  return {
    id,
    podUid,
    name,
    startedAtMs: startedAtMs ?? createdAtMs,
    cpuNanos,
    memoryBytes: Math.max(0, used - idle),
    ...(processes === undefined || processes === 0 ? {} : { processes }),
  }
}
