import type { ContainerStatus } from '../../runtime/index.ts'

/** How long the run before the last one is kept after the last one has ended, as kubelet may keep it. */
const KEPT_MS = 60_000

/**
 * The ended runs of one container that nobody needs any more: all but the newest that has ended, and,
 * for a minute, the one before it.
 *
 * @param runs oldest first.
 */
export function surplusRuns(
  runs: readonly ContainerStatus[],
  nowMs: number,
): readonly ContainerStatus[] {
  const dead = runs.filter(({ state }) => state === 'exited')
  const newest = dead.at(-1)
  const isFresh = newest === runs.at(-1) && nowMs - (newest?.finishedAtMs ?? 0) < KEPT_MS
  return dead.slice(0, isFresh ? -2 : -1)
}

/** The pods whose containers have ended more often than is worth keeping. */
export function podsWithSurplus(
  containers: readonly ContainerStatus[],
  nowMs: number,
): ReadonlySet<string> {
  const byContainer = new Map<string, ContainerStatus[]>()
  for (const run of containers) {
    const key = `${run.podUid}/${run.name}`
    const runs = byContainer.get(key) ?? []
    byContainer.set(key, runs)
    runs.push(run)
  }
  const found = new Set<string>()
  for (const runs of byContainer.values()) {
    runs.sort((a, b) => a.attempt - b.attempt)
    const [first] = surplusRuns(runs, nowMs)
    if (first !== undefined) found.add(first.podUid)
  }
  return found
}

/** The pod that a folder of logs belongs to; undefined when it is not named like one. */
export function podOfLogs(folder: string): string | undefined {
  // Neither a namespace nor the name of a pod has an underscore.
  return /^[^_]+_[^_]+_([^_]+)$/.exec(folder)?.[1]
}
