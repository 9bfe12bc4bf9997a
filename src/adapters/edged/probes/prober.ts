import type { Cancel, Clock, Random } from '../../../core/interfaces/clock.ts'
import type { ContainerStatus, PodRuntime } from '../../runtime/index.ts'
import { asObject } from '../json.ts'
import { isActive, runsOf } from '../pod-plan.ts'
import { allContainers, type ContainerView, type PodView, toldOf } from '../pod-view.ts'
import { type LookResult, type LookTarget, lookAt } from './probe-look.ts'
import { type ProbeSpec, probesOf } from './probe-spec.ts'
import {
  afterLook,
  firstLookMs,
  healthFrom,
  newHistory,
  type ProbeHistory,
  type RunHealth,
} from './probe-state.ts'

/** What a {@link Prober} needs. */
export interface ProberOptions {
  readonly runtime: Pick<PodRuntime, 'name' | 'run'>
  readonly clock: Clock
  readonly random: Random
  /** Asks for another look at a pod. */
  readonly hint: (podUid: string) => void
  /** Tells about a container of a pod. */
  readonly tell: (pod: PodView, reason: string, message: string, container: string) => void
}

/** How many containers are looked at in the same moment. */
const LOOKS_AT_ONCE_MAX = 32
/** How often a look is tried that could not be made. */
const TRIES_MAX = 3
const EVENT_TEXT_MAX = 1024

interface Probe {
  readonly spec: ProbeSpec
  readonly run: WatchedRun
  history: ProbeHistory
  timer: Cancel | undefined
}

/** One run of a container whose probes are made. */
interface WatchedRun {
  pod: PodView
  target: LookTarget
  /** By the clock that nobody sets. */
  readonly startedAtMs: number
  readonly probes: readonly Probe[]
  readonly gone: AbortController
}

/**
 * Makes the probes of all containers of a node: one timer a probe, no probe twice at once, and no more
 * than a bounded number of them together.
 */
export class Prober {
  readonly #options: ProberOptions
  readonly #sinceMs: number
  /** By pod, then by container. */
  readonly #pods = new Map<string, Map<string, WatchedRun>>()
  readonly #waiting: Probe[] = []
  #looks = 0
  #isClosed = false

  constructor(options: ProberOptions) {
    this.#options = options
    this.#sinceMs = options.clock.monotonicMs()
  }

  /**
   * Sees to it that the runs of a pod that are there are probed, and no others.
   *
   * @param ip the address of the pod; undefined where pods have no network of their own.
   * @returns what is known of those runs that have probes.
   */
  health(
    pod: PodView,
    observed: readonly ContainerStatus[],
    ip: string | undefined,
  ): ReadonlyMap<string, RunHealth> {
    const found = new Map<string, RunHealth>()
    const before = this.#pods.get(pod.uid) ?? new Map<string, WatchedRun>()
    const now = new Map<string, WatchedRun>()
    for (const container of allContainers(pod)) {
      const run = runsOf(observed, container.name).at(-1)
      if (run === undefined) continue
      const old = before.get(container.name)
      const isSame = old?.target.containerId === run.id
      const watched = isSame ? old : this.#watch(pod, container, run, ip)
      if (watched === undefined) continue
      watched.pod = pod
      watched.target = { ...watched.target, ip }
      if (!isActive(run)) this.#stop(watched)
      else if (pod.isDeleted) this.#stop(watched, (probe) => probe.spec.type !== 'readiness')
      now.set(container.name, watched)
      found.set(run.id, healthFrom(watched.probes))
    }
    for (const [name, run] of before) if (now.get(name) !== run) this.#stop(run)
    if (now.size === 0) this.#pods.delete(pod.uid)
    else this.#pods.set(pod.uid, now)
    return found
  }

  /** The pod is gone. */
  forget(podUid: string): void {
    for (const run of this.#pods.get(podUid)?.values() ?? []) this.#stop(run)
    this.#pods.delete(podUid)
  }

  /** Lets go of everything. What is under way comes to nothing. */
  close(): void {
    this.#isClosed = true
    for (const uid of [...this.#pods.keys()]) this.forget(uid)
    this.#waiting.length = 0
  }

  #watch(
    pod: PodView,
    container: ContainerView,
    status: ContainerStatus,
    ip: string | undefined,
  ): WatchedRun | undefined {
    const specs = probesOf(container)
    if (specs.length === 0 || !isActive(status) || this.#isClosed) return undefined
    const { clock } = this.#options
    const { startedAtMs = status.createdAtMs } = status
    const probes: Probe[] = []
    const run: WatchedRun = {
      pod,
      target: { container, containerId: status.id, ip },
      startedAtMs: clock.monotonicMs() - Math.max(clock.wallMs() - startedAtMs, 0),
      probes,
      gone: new AbortController(),
    }
    for (const spec of specs) {
      const history = this.#firstHistory(pod, status, spec)
      probes.push({ spec, run, history, timer: undefined })
    }
    this.#begin(run)
    return run
  }

  /** A run that was there before the agent is what the pod's status says of it. */
  #firstHistory(pod: PodView, run: ContainerStatus, spec: ProbeSpec): ProbeHistory {
    const id = `${this.#options.runtime.name}://${run.id}`
    const told = asObject(toldOf(pod, run.name))
    const isTold =
      (spec.type === 'startup' && told['started'] === true) ||
      (spec.type === 'readiness' && told['ready'] === true)
    const isSame = told['containerID'] === id
    return newHistory(spec.type, isSame && isTold ? 'success' : undefined)
  }

  /** Startup first; the others once it has succeeded. */
  #begin(run: WatchedRun): void {
    const isStarted = healthFrom(run.probes).isStarted
    for (const probe of run.probes) {
      const { spec, history } = probe
      if (history.isOver || (spec.type === 'startup') === isStarted) continue
      const { clock } = this.#options
      const ranMs = clock.monotonicMs() - run.startedAtMs
      const agentMs = clock.monotonicMs() - this.#sinceMs
      this.#later(probe, firstLookMs({ spec, ranMs, agentMs, fraction: this.#fraction() }))
    }
  }

  #later(probe: Probe, delayMs: number): void {
    probe.timer = this.#options.clock.schedule(delayMs, () => {
      probe.timer = undefined
      this.#waiting.push(probe)
      this.#pump()
    })
  }

  #pump(): void {
    while (this.#looks < LOOKS_AT_ONCE_MAX) {
      const probe = this.#waiting.shift()
      if (probe === undefined) return
      if (!isWanted(probe)) continue
      this.#looks += 1
      // It never fails.
      void this.#look(probe).finally(() => {
        this.#looks -= 1
        this.#pump()
      })
    }
  }

  async #look(probe: Probe): Promise<void> {
    const { clock, hint } = this.#options
    const { spec, run } = probe
    const startMs = clock.monotonicMs()
    const result = await this.#tryToLook(probe)
    if (!isWanted(probe)) return
    this.#tell(probe, result)
    const before = probe.history.result
    probe.history = afterLook(probe.history, result.outcome, spec)
    if (probe.history.result !== before) hint(run.pod.uid)
    if (!probe.history.isOver) {
      const elapsedMs = clock.monotonicMs() - startMs
      this.#later(probe, spec.periodMs - (elapsedMs % spec.periodMs))
    } else if (spec.type === 'startup' && probe.history.result === 'success') {
      this.#begin(run)
    }
  }

  async #tryToLook({ spec, run }: Probe): Promise<LookResult> {
    const { runtime } = this.#options
    const { action, timeoutMs } = spec
    for (let tries = 1; ; tries += 1) {
      const result = await lookAt(runtime, run.target, action, timeoutMs, run.gone.signal)
      if (result.outcome !== 'error' || tries === TRIES_MAX || run.gone.signal.aborted) {
        return result
      }
    }
  }

  #tell({ spec, run }: Probe, { outcome, output, isWarning }: LookResult): void {
    const name = `${spec.type.charAt(0).toUpperCase()}${spec.type.slice(1)}`
    const text = output.slice(0, EVENT_TEXT_MAX)
    const { pod, target } = run
    const say = (reason: string, message: string): void =>
      this.#options.tell(pod, reason, message, target.container.name)
    if (outcome === 'failure') say('Unhealthy', `${name} probe failed: ${text}`)
    if (outcome === 'error') {
      say('Unhealthy', `${name} probe errored and resulted in unknown state: ${text}`)
    }
    if (isWarning === true) say('ProbeWarning', `${name} probe warning: ${text}`)
  }

  #stop(run: WatchedRun, which: (probe: Probe) => boolean = () => true): void {
    const probes = run.probes.filter(which)
    for (const probe of probes) {
      probe.timer?.()
      probe.timer = undefined
      probe.history = { ...probe.history, isOver: true }
    }
    if (probes.length === run.probes.length) run.gone.abort()
  }

  #fraction(): number {
    const bytes = new Uint8Array(4)
    this.#options.random.fill(bytes)
    return new DataView(bytes.buffer).getUint32(0) / 2 ** 32
  }
}

function isWanted(probe: Probe): boolean {
  return !probe.history.isOver && !probe.run.gone.signal.aborted
}
