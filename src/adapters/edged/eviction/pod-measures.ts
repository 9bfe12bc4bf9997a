import type { Clock } from '../../../core/interfaces/clock.ts'
import type { ContainerUsage, DiskUse, PodRuntime } from '../../runtime/index.ts'
import type { PodView } from '../pod-view.ts'
import { DiskMeter } from './disk-meter.ts'
import type { PodUse } from './pod-use.ts'
import type { StarvedResource } from './signals.ts'
import type { PodDisk } from './storage-limits.ts'

/** What {@link PodMeasures} is made with. */
export interface PodMeasuresOptions {
  /** Where the directories of pods and their logs are. */
  readonly directory: string
  readonly runtime: PodRuntime
  readonly clock: Clock
  /** How old a measurement of files may get. */
  readonly diskPeriodMs: number
}

type Roots = ReadonlyMap<string, ReadonlyMap<string, DiskUse>>

const NO_FILES: ReadonlyMap<string, DiskUse> = new Map()

/** Measures what pods use, as seldom as will do. */
export class PodMeasures {
  readonly #options: PodMeasuresOptions
  readonly #meter: DiskMeter
  #roots: { readonly atMs: number; readonly byPod: Roots } | undefined

  constructor(options: PodMeasuresOptions) {
    this.#options = options
    const { directory, clock, diskPeriodMs } = options
    this.#meter = new DiskMeter({ directory, clock, periodMs: diskPeriodMs })
  }

  /** Forgets all pods but these. */
  keepOnly(pods: readonly PodView[]): void {
    this.#meter.keepOnly(pods)
  }

  /** What pods have on disks, once it has been measured: in steps, and anew once a period. */
  async disksOf(pods: readonly PodView[]): Promise<ReadonlyMap<string, PodDisk>> {
    await this.#meter.step(pods)
    const { clock, diskPeriodMs, runtime } = this.#options
    const nowMs = clock.monotonicMs()
    if (this.#roots === undefined || nowMs - this.#roots.atMs >= diskPeriodMs) {
      this.#roots = { atMs: nowMs, byPod: rootsOf(await runtime.usage()) }
    }
    return this.#disks(pods, this.#roots.byPod)
  }

  /** What pods use now: files as measured within the period, everything else as it is. */
  async usesOf(
    pods: readonly PodView[],
    resource: StarvedResource,
  ): Promise<ReadonlyMap<string, PodUse>> {
    const { runtime } = this.#options
    if (resource === 'ephemeral-storage' || resource === 'inodes') await this.#meter.complete(pods)
    const [usage, { sandboxes }] = await Promise.all([runtime.usage(), runtime.list()])
    const begun = new Set(sandboxes.map(({ uid }) => uid))
    const disks = this.#disks(pods, rootsOf(usage))
    return new Map(
      pods.map(({ uid }) => {
        const containers = begun.has(uid) ? usage.filter((each) => each.podUid === uid) : undefined
        return [uid, { containers, disk: disks.get(uid) ?? EMPTY }]
      }),
    )
  }

  #disks(pods: readonly PodView[], roots: Roots): ReadonlyMap<string, PodDisk> {
    const found = new Map<string, PodDisk>()
    for (const { uid } of pods) {
      const measured = this.#meter.diskOf(uid)
      if (measured !== undefined) found.set(uid, { ...measured, roots: roots.get(uid) ?? NO_FILES })
    }
    return found
  }
}

const EMPTY: PodDisk = { volumes: NO_FILES, logs: NO_FILES, roots: NO_FILES }

function rootsOf(usage: readonly ContainerUsage[]): Roots {
  const byPod = new Map<string, Map<string, DiskUse>>()
  for (const { podUid, name, disk } of usage) {
    if (disk === undefined) continue
    const own = byPod.get(podUid) ?? new Map<string, DiskUse>()
    byPod.set(podUid, own.set(name, disk))
  }
  return byPod
}
