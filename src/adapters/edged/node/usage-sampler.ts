import { cpus, freemem, totalmem } from 'node:os'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { KubeObject, ObjectStore } from '../../kubernetes/objects/types.ts'
import type {
  ContainerUsageReport,
  PodUsageReport,
  UsageReport,
} from '../../kubernetes/objects/usage.ts'
import type { ContainerUsage, PodRuntime } from '../../runtime/index.ts'
import { asObject } from '../json.ts'

/** What {@link UsageSampler} looks at. */
export interface UsageSamplerOptions {
  readonly node: string
  readonly store: ObjectStore
  readonly runtime: PodRuntime
  readonly clock: Clock
}

/** Counters of one look, to be compared with those of the next. */
interface Sample {
  readonly atMs: number
  readonly nodeNanos: number
  /** CPU time by container. */
  readonly containers: ReadonlyMap<string, number>
}

/** CPU time that passes in a second on one core, in nanoseconds: what makes one core. */
const NANOS_A_MS = 1_000_000
/** A look that follows another one sooner than this tells nothing about CPU: the old rates stay. */
const WINDOW_MS_MIN = 500

/** Measures what the node and its pods use: the use of CPU since the look before. */
export class UsageSampler {
  readonly #options: UsageSamplerOptions
  #last: Sample | undefined
  #report: UsageReport | undefined

  constructor(options: UsageSamplerOptions) {
    this.#options = options
  }

  /** Looks now. Containers that are new count since their start. */
  async sample(): Promise<UsageReport> {
    const { runtime, clock } = this.#options
    const last = this.#last
    const atMs = clock.monotonicMs()
    if (this.#report !== undefined && last !== undefined && atMs - last.atMs < WINDOW_MS_MIN)
      return this.#report
    const usages = await runtime.usage()
    const nodeNanos = busyNanos()
    const windowMs = last === undefined ? 0 : atMs - last.atMs
    const nodeRate = last === undefined ? 0 : rate(nodeNanos - last.nodeNanos, windowMs)
    const nowMs = clock.wallMs()
    const report: UsageReport = {
      takenAtMs: nowMs,
      windowMs,
      node: { cpuNanoCores: nodeRate, memoryBytes: totalmem() - freemem() },
      pods: this.#pods(usages, (usage) => {
        const before = last?.containers.get(usage.id)
        return before === undefined
          ? rate(usage.cpuNanos, nowMs - usage.startedAtMs)
          : rate(usage.cpuNanos - before, windowMs)
      }),
    }
    this.#last = {
      atMs,
      nodeNanos,
      containers: new Map(usages.map(({ id, cpuNanos }) => [id, cpuNanos])),
    }
    this.#report = report
    return report
  }

  #pods(
    usages: readonly ContainerUsage[],
    cpuOf: (usage: ContainerUsage) => number,
  ): readonly PodUsageReport[] {
    const { node, store } = this.#options
    const byPod = new Map<string, ContainerUsageReport[]>()
    for (const usage of usages) {
      const { podUid, name, memoryBytes } = usage
      const own = byPod.get(podUid) ?? []
      byPod.set(podUid, own)
      own.push({ name, cpuNanoCores: cpuOf(usage), memoryBytes })
    }
    const isOurs = (pod: KubeObject): boolean => asObject(pod['spec'])['nodeName'] === node
    return store
      .list('pods')
      .items.filter(isOurs)
      .flatMap(({ metadata: { namespace = 'default', name, uid = '' } }) => {
        const containers = byPod.get(uid)
        return containers === undefined ? [] : [{ namespace, name, uid, containers }]
      })
  }
}

/** Nanoseconds of CPU time over milliseconds, in billionths of a core. */
function rate(nanos: number, ms: number): number {
  return ms <= 0 ? 0 : Math.round((Math.max(nanos, 0) / (ms * NANOS_A_MS)) * 1e9)
}

/** The time that all cores were busy since the machine was started. */
function busyNanos(): number {
  return cpus().reduce(
    (sum, { times: { user, nice, sys, irq } }) => sum + (user + nice + sys + irq) * NANOS_A_MS,
    0,
  )
}
