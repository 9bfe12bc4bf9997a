import type { Cancel, Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import { delay } from '../../runtime/delay.ts'
import type { PodRuntime } from '../../runtime/index.ts'
import type { Occurrence } from '../events/event-record.ts'
import { asNumber } from '../json.ts'
import type { PodView } from '../pod-view.ts'
import { refusalOf } from './admission.ts'
import type { Eviction, EvictionRules } from './eviction.ts'
import { type NodeLook, NodeObserver } from './observe.ts'
import { PodMeasures } from './pod-measures.ts'
import { isCritical } from './pod-resources.ts'
import { candidateOf, diskPartsOf, overuseOf } from './pod-use.ts'
import { crossed, lookAtPressure, NO_PRESSURE, type PressureMemory } from './pressure.ts'
import type { EvictionSettings } from './settings.ts'
import { type PressureCondition, SIGNALS, type Signal } from './signals.ts'
import { hasStorageLimits, storageExcess } from './storage-limits.ts'
import type { Threshold } from './thresholds.ts'
import { inEvictionOrder } from './victims.ts'
import { EVICTED, evictionMessage, statusReason } from './words.ts'

/** What an {@link Evictor} needs. */
export interface EvictorOptions {
  readonly settings: EvictionSettings
  readonly node: string
  /** Where the directories of pods and their logs are. */
  readonly directory: string
  readonly runtime: PodRuntime
  readonly clock: Clock
  readonly logger: Logger
  /** The pods of this node that have not ended. */
  readonly pods: () => readonly PodView[]
  readonly record: (occurrence: Occurrence) => void
  /** Asks for another look at a pod. */
  readonly hint: (uid: string) => void
  /** The conditions of the node are others now. */
  readonly onConditions: () => void
  /** Frees what nobody needs, before any pod has to go. Says whether there was any. Never fails. */
  readonly reclaim: () => Promise<boolean>
}

/** What a container gets in the worst case; 0 would be no chance to end. */
const GRACE_MS_MIN = 1_000
/** How long the end of a pod is waited for before another one has to go. */
const END_MS_MAX = 30_000
const GRACE_SECONDS_DEFAULT = 30
/** Engines delete files a moment after they say that an image or a container is gone. */
const RECLAIM_LOOK_MS = 300
const RECLAIM_LOOKS_MAX = 10

interface Begun extends Eviction {
  readonly atMs: number
}

/**
 * Looks at what runs short on a node once in a while, says so, and ends pods one at a time until it is
 * enough again. What it knows is in memory only: a new one looks anew.
 */
export class Evictor implements EvictionRules {
  readonly #options: EvictorOptions
  readonly #observer: NodeObserver
  readonly #measures: PodMeasures
  readonly #evictions = new Map<string, Begun>()
  /** The pods that have to be measured even while nothing runs short. */
  readonly #limited = new Set<string>()
  readonly #signals: ReadonlySet<Signal>
  readonly #closed = new AbortController()
  #memory: PressureMemory = NO_PRESSURE
  #conditions: readonly PressureCondition[] = []
  #cancel: Cancel | undefined
  #looking: Promise<void> | undefined
  #isUrgent = false

  constructor(options: EvictorOptions) {
    this.#options = options
    const { settings, directory, runtime, clock } = options
    const { diskPeriodMs } = settings
    this.#signals = new Set(settings.thresholds.map(({ signal }) => signal))
    this.#observer = new NodeObserver(directory, runtime.images)
    this.#measures = new PodMeasures({ directory, runtime, clock, diskPeriodMs })
  }

  /** What runs short now, or did so a short while ago. */
  get conditions(): readonly PressureCondition[] {
    return this.#conditions
  }

  saw(pod: PodView): void {
    if (hasStorageLimits(pod)) this.#limited.add(pod.uid)
    else this.#limited.delete(pod.uid)
  }

  evictionOf(uid: string): Eviction | undefined {
    return this.#evictions.get(uid)
  }

  refusalOf(pod: PodView): string | undefined {
    return refusalOf(pod, this.#conditions)
  }

  ended(uid: string): void {
    this.#limited.delete(uid)
    if (!this.#evictions.delete(uid)) return
    // What it had is free now: whether that is enough is seen at once.
    this.#isUrgent = true
    this.#schedule()
  }

  /** Looks once, so that the node says how it is from the beginning, and then again and again. */
  async start(): Promise<void> {
    this.#take(await this.#observer.look(this.#signals))
    this.#schedule()
  }

  /** Looks no more. */
  async close(): Promise<void> {
    this.#closed.abort()
    this.#cancel?.()
    await this.#looking
  }

  /** The next look, unless one is under way: that is followed by another one anyway. */
  #schedule(): void {
    if (this.#closed.signal.aborted || this.#looking !== undefined) return
    const { clock, logger, settings } = this.#options
    this.#cancel?.()
    this.#cancel = clock.schedule(this.#isUrgent ? 0 : settings.periodMs, () => {
      this.#isUrgent = false
      this.#looking = this.#look()
        .catch((error: unknown) => logger.warn('cannot look for what runs short', { error }))
        .finally(() => {
          this.#looking = undefined
          this.#schedule()
        })
    })
  }

  async #look(): Promise<void> {
    const look = await this.#observer.look(this.#signals)
    const due = this.#take(look)
    // Nothing else is looked at on a node that has enough of everything: pods are many.
    if (due.length === 0 && this.#limited.size === 0) return
    const pods = this.#options.pods().filter(({ uid }) => !this.#evictions.has(uid))
    this.#measures.keepOnly(pods)
    if (this.#isWaiting() || this.#closed.signal.aborted) return
    if (await this.#endThoseOverLimits(pods, look.isImageDiskApart)) return
    const [first] = due
    if (first === undefined || this.#closed.signal.aborted) return
    const { resource } = SIGNALS[first.signal]
    this.#tellNode('Warning', 'EvictionThresholdMet', `Attempting to reclaim ${resource}`)
    if (await this.#isReclaimed(first, look.isImageDiskApart)) return
    if (!this.#closed.signal.aborted) await this.#endOne(pods, first, look)
  }

  #take({ observations }: NodeLook): readonly Threshold[] {
    const { settings, clock, onConditions, logger } = this.#options
    const { thresholds, transitionMs } = settings
    const memory = this.#memory
    const nowMs = clock.monotonicMs()
    const now = lookAtPressure({ thresholds, observations, memory, nowMs, transitionMs })
    this.#memory = now.memory
    if (now.conditions.join() !== this.#conditions.join()) {
      logger.warn('what runs short on the node has changed', { conditions: now.conditions })
      this.#tellChanges(now.conditions)
      this.#conditions = now.conditions
      onConditions()
    }
    return now.due
  }

  #tellChanges(now: readonly PressureCondition[]): void {
    const before = this.#conditions
    for (const condition of new Set([...before, ...now])) {
      const isShort = now.includes(condition)
      if (isShort === before.includes(condition)) continue
      const reason = statusReason(condition, isShort)
      const message = `Node ${this.#options.node} status is now: ${reason}`
      this.#tellNode('Normal', reason, message)
    }
  }

  /** One pod at a time: the next goes when it is seen what the end of the last one brought. */
  #isWaiting(): boolean {
    const nowMs = this.#options.clock.monotonicMs()
    return [...this.#evictions.values()].some(({ atMs }) => nowMs - atMs < END_MS_MAX)
  }

  async #endThoseOverLimits(pods: readonly PodView[], isApart: boolean): Promise<boolean> {
    const limited = pods.filter(hasStorageLimits)
    if (limited.length === 0) return false
    const disks = await this.#measures.disksOf(limited)
    let isAny = false
    for (const pod of limited) {
      const disk = disks.get(pod.uid)
      const message = disk === undefined ? undefined : storageExcess(pod, disk, isApart)
      if (message === undefined) continue
      const eviction = { message, graceMs: GRACE_MS_MIN, isDisruption: false }
      isAny = this.#evict(pod, eviction) || isAny
    }
    return isAny
  }

  /** What nobody needs goes first. @returns whether that was enough. */
  async #isReclaimed({ signal }: Threshold, isApart: boolean): Promise<boolean> {
    const isOfDisk = SIGNALS[signal].condition === 'DiskPressure'
    // Where images have a disk of their own, nothing of them is on that of the node.
    if (!isOfDisk || (isApart && signal.startsWith('nodefs'))) return false
    if (!(await this.#options.reclaim())) return false
    const { clock, settings } = this.#options
    for (let looks = 1; !this.#closed.signal.aborted; looks += 1) {
      const { observations } = await this.#observer.look(this.#signals)
      if (crossed(settings.thresholds, observations, true).length === 0) return true
      if (looks >= RECLAIM_LOOKS_MAX) return false
      await delay(clock, RECLAIM_LOOK_MS, this.#closed.signal)
    }
    return false
  }

  async #endOne(pods: readonly PodView[], threshold: Threshold, look: NodeLook): Promise<void> {
    const { signal, graceMs } = threshold
    const { resource } = SIGNALS[signal]
    const observed = look.observations.get(signal)
    if (observed === undefined) return
    const uses = await this.#measures.usesOf(pods, resource)
    const parts = diskPartsOf(signal, look.isImageDiskApart)
    const candidates = pods.flatMap((pod) => {
      const use = uses.get(pod.uid)
      return use === undefined ? [] : [{ ...candidateOf(pod, use, resource, parts), use }]
    })
    for (const { pod, use } of inEvictionOrder(candidates)) {
      const overuse = overuseOf(pod, use, resource)
      const message = evictionMessage(resource, threshold, observed, overuse)
      const grace = graceMs === 0 ? GRACE_MS_MIN : this.#softGraceMs(pod)
      if (this.#evict(pod, { message, graceMs: grace, isDisruption: true })) return
    }
    this.#options.logger.warn('no pod can be evicted', { resource })
  }

  #softGraceMs(pod: PodView): number {
    const seconds = asNumber(pod.spec['terminationGracePeriodSeconds']) ?? GRACE_SECONDS_DEFAULT
    return Math.max(Math.min(this.#options.settings.podGraceMsMax, seconds * 1000), GRACE_MS_MIN)
  }

  /** @returns whether it goes: those that the node cannot do without stay. */
  #evict(pod: PodView, eviction: Eviction): boolean {
    const { clock, record, hint, logger } = this.#options
    const { namespace, name, uid } = pod
    if (isCritical(pod)) return false
    const { message } = eviction
    record({ kind: 'Pod', namespace, name, uid, type: 'Warning', reason: EVICTED, message })
    logger.warn('a pod is evicted', { namespace, pod: name, message })
    this.#evictions.set(uid, { ...eviction, atMs: clock.monotonicMs() })
    hint(uid)
    return true
  }

  #tellNode(type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { node, record } = this.#options
    const place = { kind: 'Node', namespace: 'default', name: node, uid: node } as const
    record({ ...place, type, reason, message })
  }
}
