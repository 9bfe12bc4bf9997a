import type { Clock } from '../../../core/interfaces/clock.ts'
import type { DiskUse } from '../../runtime/index.ts'
import { asObject, asText } from '../json.ts'
import { podPaths } from '../pod-paths.ts'
import { allContainers, type PodView } from '../pod-view.ts'
import { volumeDirectory } from '../volumes/pod-volumes.ts'
import { DiskWalk } from './disk-walk.ts'
import type { PodDisk } from './storage-limits.ts'

/** What pods have in their volumes and logs. */
export type MeasuredDisk = Pick<PodDisk, 'volumes' | 'logs'>

/** What {@link DiskMeter} is made with. */
export interface DiskMeterOptions {
  /** Where the directories of pods and their logs are. */
  readonly directory: string
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** How old a measurement may get before the next one begins. */
  readonly periodMs: number
  /** How many files and directories are looked at in one step. Default 20,000. */
  readonly entriesMax?: number | undefined
}

const ENTRIES_MAX = 20_000
/** How many steps a measurement may take that is waited for; then what has been counted must do. */
const STEPS_MAX = 10

interface Part {
  readonly kind: 'volumes' | 'logs'
  readonly name: string
  readonly walk: DiskWalk
}

interface Measurement {
  readonly beganAtMs: number
  readonly parts: readonly Part[]
}

/** Measures what pods have on the disk, in bounded steps and not too often. */
export class DiskMeter {
  readonly #options: DiskMeterOptions
  readonly #under = new Map<string, Measurement>()
  readonly #measured = new Map<string, { readonly atMs: number; readonly disk: MeasuredDisk }>()

  constructor(options: DiskMeterOptions) {
    this.#options = options
  }

  /** What a pod had when it was measured last; undefined before that. */
  diskOf(uid: string): MeasuredDisk | undefined {
    return this.#measured.get(uid)?.disk
  }

  /** Forgets all pods but these. */
  keepOnly(pods: readonly PodView[]): void {
    const live = new Set(pods.map(({ uid }) => uid))
    for (const map of [this.#under, this.#measured]) {
      for (const uid of map.keys()) if (!live.has(uid)) map.delete(uid)
    }
  }

  /** Goes on with those pods whose time has come. */
  async step(pods: readonly PodView[]): Promise<void> {
    let left = this.#options.entriesMax ?? ENTRIES_MAX
    for (const pod of this.#inTurn(pods)) {
      if (left <= 0) return
      left -= await this.#goOn(pod, left)
    }
  }

  /** Sees to it that there is a measurement of each pod, be it that not everything was counted. */
  async complete(pods: readonly PodView[]): Promise<void> {
    const { entriesMax = ENTRIES_MAX } = this.#options
    let left = entriesMax * STEPS_MAX
    for (const pod of this.#inTurn(pods)) {
      if (left > 0) left -= await this.#goOn(pod, left)
      const open = this.#under.get(pod.uid)
      if (open !== undefined && !this.#measured.has(pod.uid)) this.#keep(pod.uid, open)
    }
  }

  /** Those that are due, who waited longest first. */
  #inTurn(pods: readonly PodView[]): readonly PodView[] {
    const { clock, periodMs } = this.#options
    const nowMs = clock.monotonicMs()
    const lastMs = ({ uid }: PodView): number =>
      this.#measured.get(uid)?.atMs ?? Number.NEGATIVE_INFINITY
    return pods
      .filter((pod) => this.#under.has(pod.uid) || nowMs - lastMs(pod) >= periodMs)
      .sort((a, b) => (lastMs(a) < lastMs(b) ? -1 : lastMs(a) > lastMs(b) ? 1 : 0))
  }

  async #goOn(pod: PodView, entriesMax: number): Promise<number> {
    const open = this.#under.get(pod.uid) ?? this.#begin(pod)
    this.#under.set(pod.uid, open)
    let seen = 0
    for (const { walk } of open.parts) {
      if (seen >= entriesMax) return seen
      seen += await walk.step(entriesMax - seen)
    }
    if (open.parts.every(({ walk }) => walk.isDone)) {
      this.#under.delete(pod.uid)
      this.#keep(pod.uid, open)
    }
    return Math.max(seen, 1)
  }

  #begin(pod: PodView): Measurement {
    const { directory, clock } = this.#options
    const paths = podPaths(directory, pod)
    const volumes = onDisk(pod).map(
      (name): Part => ({
        kind: 'volumes',
        name,
        walk: new DiskWalk(volumeDirectory(paths.directory, name)),
      }),
    )
    const logs = allContainers(pod).map(
      ({ name }): Part => ({ kind: 'logs', name, walk: new DiskWalk(`${paths.logs}/${name}`) }),
    )
    return { beganAtMs: clock.monotonicMs(), parts: [...volumes, ...logs] }
  }

  #keep(uid: string, { beganAtMs, parts }: Measurement): void {
    const of = (kind: Part['kind']): ReadonlyMap<string, DiskUse> =>
      new Map(parts.filter((part) => part.kind === kind).map(({ name, walk }) => [name, walk.use]))
    this.#measured.set(uid, {
      atMs: beganAtMs,
      disk: { volumes: of('volumes'), logs: of('logs') },
    })
  }
}

/** The volumes that are directories of the node: not its own paths, and not memory. */
function onDisk(pod: PodView): readonly string[] {
  return pod.volumes.flatMap((volume) => {
    const isElsewhere =
      volume['hostPath'] !== undefined || asObject(volume['emptyDir'])['medium'] === 'Memory'
    return isElsewhere ? [] : (asText(volume['name']) ?? [])
  })
}
