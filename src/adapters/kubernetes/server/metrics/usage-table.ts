import type { Clock } from '../../../../core/interfaces/clock.ts'
import type { PodUsageReport, UsageReport } from '../../objects/usage.ts'

/** What {@link createUsageTable} works with. */
export interface UsageTableOptions {
  readonly clock: Clock
  /** What was not told again for this long is no longer shown. Default 60 s. */
  readonly ageMsMax?: number | undefined
}

/** What a pod uses, with when that was measured. */
export interface PodUsage extends Pick<UsageReport, 'takenAtMs' | 'windowMs'> {
  /** What its containers use. */
  readonly pod: PodUsageReport
}

/** What nodes and their pods use, as far as it is known here. Kept in memory only. */
export interface UsageTable {
  /** A node has told what it uses: one part of it. See `usageParts`. */
  take(node: string, part: UsagePart): void
  /** A node is away: nothing of it is shown until it tells again. */
  drop(node: string): void
  /** What a node uses; undefined when it has not told for long. */
  node(name: string): UsageReport | undefined
  /** What a pod uses, as the node says that runs it. */
  pod(node: string, namespace: string, name: string): PodUsage | undefined
}

/** One of the parts in which a node tells what it uses: a report with some of the pods. */
export interface UsagePart extends UsageReport {
  /** The number of this part, from 0. The pods of the one before that had it are forgotten. */
  readonly index: number
}

/** A node whose pods do nothing new is heard of every five minutes. */
const AGE_MS_MAX = 6 * 60_000

interface Kept {
  readonly report: UsageReport
  readonly pods: ReadonlyMap<string, PodUsage>
  readonly takenAtMs: number
}

/** Keeps what nodes tell, for as long as it is new. */
export function createUsageTable({ clock, ageMsMax = AGE_MS_MAX }: UsageTableOptions): UsageTable {
  const nodes = new Map<string, Map<number, Kept>>()
  const fresh = (node: string): readonly Kept[] =>
    [...(nodes.get(node)?.values() ?? [])].filter(
      ({ takenAtMs }) => clock.monotonicMs() - takenAtMs < ageMsMax,
    )
  const newest = (parts: readonly Kept[]): Kept | undefined =>
    parts.reduce<Kept | undefined>(
      (best, part) => (best === undefined || part.takenAtMs > best.takenAtMs ? part : best),
      undefined,
    )
  return {
    take: (node, { index, ...report }) => {
      const { takenAtMs, windowMs } = report
      const pods = new Map(
        report.pods.map((pod) => [keyOf(pod.namespace, pod.name), { takenAtMs, windowMs, pod }]),
      )
      const parts = nodes.get(node) ?? new Map<number, Kept>()
      nodes.set(node, parts)
      parts.set(index, { report, pods, takenAtMs: clock.monotonicMs() })
    },
    drop: (node) => {
      nodes.delete(node)
    },
    node: (name) => newest(fresh(name))?.report,
    pod: (node, namespace, name) => {
      const key = keyOf(namespace, name)
      return newest(fresh(node).filter(({ pods }) => pods.has(key)))?.pods.get(key)
    },
  }
}

function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`
}
