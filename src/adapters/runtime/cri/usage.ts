import type { ContainerStatus, ContainerUsage } from '../index.ts'
import type { ContainerStatsMessage } from './messages.ts'

/** What running containers use, as their engine measures it. One that it has not measured is left out. */
export function usageOf(
  stats: readonly ContainerStatsMessage[],
  containers: readonly ContainerStatus[],
): readonly ContainerUsage[] {
  const running = new Map(
    containers.filter(({ state }) => state === 'running').map((each) => [each.id, each]),
  )
  return stats.flatMap(({ attributes, cpu, memory, writableLayer }) => {
    const container = running.get(attributes.id)
    const cpuNanos = cpu?.usageCoreNanoSeconds?.value
    if (container === undefined || cpuNanos === undefined) return []
    return [
      {
        id: container.id,
        podUid: container.podUid,
        name: container.name,
        startedAtMs: container.startedAtMs ?? container.createdAtMs,
        cpuNanos: Number(cpuNanos),
        memoryBytes: Number(memory?.workingSetBytes?.value ?? 0),
        disk:
          writableLayer === null
            ? undefined
            : {
                bytes: Number(writableLayer.usedBytes?.value ?? 0),
                inodes: Number(writableLayer.inodesUsed?.value ?? 0),
              },
      },
    ]
  })
}
