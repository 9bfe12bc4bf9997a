import { readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type KubeObject, ObjectError, type ObjectKey } from '../kubernetes/objects/types.ts'
import type { ReconcileResult } from '../reconciler/index.ts'
import type { ContainerStatus, RuntimeState } from '../runtime/index.ts'
import { hasAppArmor } from './admission/app-armor.ts'
import { misfitOf, type Refusal } from './admission/node-fit.ts'
import type { Waiting } from './container-status.ts'
import { isNew, refusePod, wasRefused } from './eviction/refuse-pod.ts'
import { EVICTED } from './eviction/words.ts'
import { PodHooks } from './hooks/pod-hooks.ts'
import { type BeforeStop, PodStopper } from './hooks/pod-stopper.ts'
import { stopMessage, tellEnd } from './hooks/stop-message.ts'
import { asObject, sameJson } from './json.ts'
import { fromLabels } from './labels.ts'
import { removeLastWords, withLastWords } from './logs/termination-files.ts'
import { OwnStatuses } from './own-statuses.ts'
import { type PodContext, tell } from './pod-context.ts'
import { podPaths } from './pod-paths.ts'
import {
  isActive,
  isAtRest,
  type PlanInput,
  type PodPlan,
  planPod,
  runsOf,
  type StopStep,
} from './pod-plan.ts'
import { backoffProblems, OVERDUE, PodProblems } from './pod-problems.ts'
import { PodStarter, type StartResult } from './pod-starter.ts'
import { podStatus } from './pod-status.ts'
import { allContainers, type PodView, viewPod } from './pod-view.ts'
import { Prober } from './probes/prober.ts'
import { type ResizeView, toldSizes, toldWhole } from './resize/resize-view.ts'
import { Resizer } from './resize/resizer.ts'
import { RunTimes } from './run-times.ts'
import { emptySandboxes, lostSandbox, SANDBOX_CHANGED } from './sandbox-plan.ts'
import { removePodDirectory, removeVolumes } from './volumes/pod-volumes.ts'

/** A path of the host may appear, and a runtime come back, without anybody saying so. */
const PROBLEM_RETRY_MS = 10_000
/** What can change without a hint: the rest is decided by objects, and those are watched. */
const UNANNOUNCED: readonly string[] = ['FailedMount', 'Failed', 'FailedCreatePodSandBox']

/** Brings one pod at a time to where it should be. Every pass begins with what is there. */
export class PodWorker {
  readonly #context: PodContext
  readonly #starter: PodStarter
  readonly #stopper: PodStopper
  readonly #hooks: PodHooks
  readonly #prober: Prober
  readonly #times: RunTimes
  readonly #resizer: Resizer
  /** Which changes of pods are only what was written here. */
  readonly ownStatuses: OwnStatuses = new OwnStatuses()
  readonly #problems: PodProblems
  /** The ended sandbox of each pod that was told of. */
  readonly #lost = new Map<string, string>()
  /** The sandboxes of each pod that has ended which hold nothing any more. */
  readonly #released = new Map<string, ReadonlySet<string>>()
  /** The pods that the node has taken: their statuses say so a little later. */
  readonly #taken = new Set<string>()
  readonly #hasAppArmor = hasAppArmor()

  constructor(context: PodContext) {
    this.#context = context
    this.#starter = new PodStarter(context)
    this.#stopper = new PodStopper(context)
    this.#hooks = new PodHooks(context)
    this.#times = new RunTimes(context.clock)
    this.#resizer = new Resizer(context)
    this.#problems = new PodProblems(context)
    this.#prober = new Prober({
      ...context,
      tell: (pod, reason, message, container) =>
        tell(context, pod, 'Warning', reason, message, container),
    })
  }

  /** Lets go of everything. To be called after the last pass. */
  close(): void {
    this.#prober.close()
    this.#hooks.close()
    this.#stopper.close()
  }

  /** One pass over the pod that the store has at `key`, or over what is left of pod `uid`. */
  async reconcile(uid: string, key: ObjectKey | undefined): Promise<ReconcileResult> {
    const object = key === undefined ? undefined : this.#context.store.get(key)
    if (object === undefined || object.metadata.uid !== uid) return await this.#clean(uid)
    const wanted = this.#withGrace(viewPod(object))
    this.#context.evictions.saw(wanted)
    const observed = await this.#observe(uid)
    const refusal = isNew(wanted) ? this.#refusalOf(wanted) : undefined
    if (refusal !== undefined) {
      await refusePod(this.#context, wanted, refusal)
      return undefined
    }
    this.#taken.add(uid)
    const size = await this.#resizer.apply(wanted, observed.containers)
    const { pod } = size
    const { plan } = this.#plan(size, observed)
    if (!plan.isEnded) this.#tellLost(pod, observed)
    for (const stop of plan.stops) this.#stop(pod, stop, observed)
    for (const old of plan.removes) await this.#removeRun(pod, old)
    const empty = emptySandboxes(observed.sandboxes, observed.containers)
    for (const { id } of empty) await this.#context.runtime.removeSandbox(id)
    if (pod.isDeleted && plan.isEnded) return await this.#finish(pod)
    this.#resizer.begins(pod)
    const result = await this.#start(pod, plan)
    await this.#beginHooks(pod, plan)
    this.#problems.tell(pod, [
      ...result.problems,
      ...backoffProblems(pod, plan, observed.containers),
      ...(plan.isOverdue === true ? [OVERDUE] : []),
    ])
    const isUntouched = [empty, plan.starts, plan.stops, plan.removes].every(
      ({ length }) => length === 0,
    )
    const after = await this.#report(pod, result.waiting, isUntouched ? observed : undefined)
    if (after.isEnded) await this.#settle(pod)
    return this.#nextLook(uid, result, after)
  }

  /** Why the node does not take a pod that has never begun; undefined when it does. */
  #refusalOf(pod: PodView): Refusal | undefined {
    const { store, node, evictions, unsafeSysctls } = this.#context
    const message = evictions.refusalOf(pod)
    if (message !== undefined) return { reason: EVICTED, message }
    const { name, os, allocatable } = node()
    const object = store.get({ resource: 'nodes', name })
    return misfitOf(pod.object, store.list('pods').items, {
      ...{ name, os, allocatable, object, unsafeSysctls },
      ...{ taken: this.#taken, hasAppArmor: this.#hasAppArmor },
    })
  }

  /** A pod that the node ends gets the time that the node has. */
  #withGrace(pod: PodView): PodView {
    const eviction = this.#context.evictions.evictionOf(pod.uid)
    if (eviction === undefined) return pod
    return { ...pod, graceMs: Math.min(pod.graceMs, eviction.graceMs) }
  }

  /** Of a pod that has ended, its logs and last words are kept, its volumes and its place are not. */
  async #settle(pod: PodView): Promise<void> {
    const { runtime } = this.#context
    const before = this.#released.get(pod.uid)
    const { sandboxes } = await this.#observe(pod.uid)
    for (const { id, ready } of sandboxes) {
      // One that has ended by itself still has its network.
      if (ready || before?.has(id) !== true) await runtime.stopSandbox?.(id)
    }
    this.#released.set(pod.uid, new Set(sandboxes.map(({ id }) => id)))
    await removeVolumes(podPaths(this.#context.directory, pod).directory)
    this.#context.evictions.ended(pod.uid)
  }

  /** Ends the pod's time on this node: last words, then nothing of it is left. */
  async #finish(pod: PodView): Promise<ReconcileResult> {
    await this.#report(pod, new Map())
    await this.#removeAll(pod.uid, podPaths(this.#context.directory, pod).logs)
    // Somebody else has yet to do something: the object goes when they are done.
    if ((pod.object.metadata.finalizers ?? []).length > 0) return undefined
    try {
      await this.#context.store.remove(keyOf(pod), { uid: pod.uid })
    } catch (error) {
      if (!(error instanceof ObjectError && error.reason === 'NotFound')) throw error
    }
    return undefined
  }

  /** A pod without an object: its containers get their grace, then everything goes. */
  async #clean(uid: string): Promise<ReconcileResult> {
    const { containers, sandboxes } = await this.#observe(uid)
    const active = containers.filter(isActive)
    const [sandbox] = sandboxes
    for (const run of active) {
      const { graceMs } = fromLabels(run)
      if (!this.#stopper.stop({ id: run.id, podUid: uid, graceMs })) continue
      if (sandbox !== undefined) tellEnd(this.#context, sandbox, run.name)
    }
    // The end of each stop leads to another pass.
    if (active.length > 0) return undefined
    const logs = sandbox === undefined ? undefined : podPaths(this.#context.directory, sandbox).logs
    await this.#removeAll(uid, logs)
    return undefined
  }

  async #removeAll(uid: string, logs: string | undefined): Promise<void> {
    const { directory, runtime } = this.#context
    this.#problems.forget(uid)
    this.#lost.delete(uid)
    this.#released.delete(uid)
    this.#taken.delete(uid)
    this.#times.forget(uid)
    this.#starter.forget(uid)
    this.#resizer.settled(uid)
    this.#prober.forget(uid)
    const { containers, sandboxes } = await this.#observe(uid)
    this.#hooks.forget(containers)
    for (const sandbox of sandboxes) await runtime.removeSandbox(sandbox.id)
    await runtime.removeTraces?.(uid)
    await removePodDirectory(join(directory, 'pods', uid))
    if (logs !== undefined) await rm(logs, { recursive: true, force: true })
    this.#context.evictions.ended(uid)
  }

  async #start(pod: PodView, plan: PodPlan): Promise<StartResult> {
    const nothing: StartResult = { waiting: new Map(), problems: [] }
    if (plan.isEnded || pod.isDeleted) return nothing
    const problems = await this.#starter.prepare(pod)
    if (plan.starts.length === 0) return { ...nothing, problems }
    if (problems.length === 0) return await this.#starter.start(pod, plan.starts)
    const reason = pod.initContainers.length > 0 ? 'PodInitializing' : 'ContainerCreating'
    const names = plan.starts.map((step) => step.container.name)
    return { waiting: new Map(names.map((name) => [name, { reason }])), problems }
  }

  /** What has just been started, and has something to do before it counts as running. */
  async #beginHooks(pod: PodView, plan: PodPlan): Promise<void> {
    const steps = plan.starts.filter((step) => step.container.postStart !== undefined)
    if (steps.length === 0) return
    const { containers, sandboxes } = await this.#observe(pod.uid)
    for (const { container, attempt } of steps) {
      const run = runsOf(containers, container.name).at(-1)
      if (run === undefined || run.attempt !== attempt || !isActive(run)) continue
      this.#hooks.begin({
        pod,
        container,
        containerId: run.id,
        ip: this.#addressOf(pod, sandboxes),
      })
    }
  }

  #stop(pod: PodView, stop: StopStep, state: RuntimeState): void {
    const { container: run, graceMs, why, after } = stop
    const { id, name } = run
    this.#hooks.giveUp(id)
    const container = allContainers(pod).find((each) => each.name === name)
    const ip = this.#addressOf(pod, state.sandboxes)
    const before: BeforeStop | undefined =
      container?.preStop === undefined
        ? undefined
        : (ms, signal) =>
            this.#hooks.beforeStop({ pod, container, containerId: id, ip }, ms, signal)
    if (!this.#stopper.stop({ id, podUid: pod.uid, graceMs, before, after })) return
    const isLast = !state.containers.some((each) => isActive(each) && each.id !== id)
    tell(this.#context, pod, 'Normal', 'Killing', stopMessage(pod, name, why, isLast), name)
  }

  async #removeRun(pod: PodView, run: ContainerStatus): Promise<void> {
    this.#hooks.forget([run])
    await removeLastWords(this.#context, pod, run)
    await this.#context.runtime.removeContainer(run.id)
    const prefix = basename(run.logPath)
    const directory = dirname(run.logPath)
    const names = await readdir(directory).catch(() => [])
    for (const name of names) {
      if (name === prefix || name.startsWith(`${prefix}.`)) {
        await rm(join(directory, name), { force: true })
      }
    }
  }

  /** The sandbox has ended under the pod: told once for each. */
  #tellLost(pod: PodView, { sandboxes }: RuntimeState): void {
    const lost = lostSandbox(sandboxes)
    if (lost === undefined || pod.isDeleted || this.#lost.get(pod.uid) === lost.id) return
    this.#lost.set(pod.uid, lost.id)
    tell(this.#context, pod, 'Normal', SANDBOX_CHANGED.reason, SANDBOX_CHANGED.message)
  }

  /**
   * Writes the status as it is after this pass.
   *
   * @param seen what the runtime holds, where the pass has changed nothing of it.
   * @returns the plan that follows from it.
   */
  async #report(
    pod: PodView,
    waiting: ReadonlyMap<string, Waiting>,
    seen?: RuntimeState,
  ): Promise<PodPlan> {
    const { store, runtime, clock, node } = this.#context
    const observed = seen ?? (await this.#observe(pod.uid))
    const current = store.get(keyOf(pod))
    const fresh = this.#withGrace(current?.metadata.uid === pod.uid ? viewPod(current) : pod)
    const size = this.#resizer.view(fresh, observed.containers)
    const { plan, health } = this.#plan(size, observed)
    if (wasRefused(fresh)) return plan
    const { addresses } = node()
    const told = await withLastWords(this.#context, fresh, observed.containers)
    const recipe = (object: KubeObject): KubeObject => {
      const status = podStatus({
        pod: viewPod(object),
        runtimeName: runtime.name,
        observed: told,
        backoffs: plan.backoffs,
        waiting,
        health,
        sizes: toldSizes(size),
        resize: this.#resizer.conditions(fresh, size),
        whole: toldWhole(size),
        initDone: plan.initDone,
        isEnded: plan.isEnded,
        isOverdue: plan.isOverdue,
        eviction: this.#context.evictions.evictionOf(pod.uid),
        hasSandbox: observed.sandboxes.some((sandbox) => sandbox.ready),
        hostIPs: addresses,
        podIPs: observed.sandboxes[0]?.ip === undefined ? addresses : [observed.sandboxes[0].ip],
        nowMs: clock.wallMs(),
      })
      return sameJson(object['status'], status) ? object : { ...object, status }
    }
    const next = current === undefined ? undefined : recipe(current)
    if (next === undefined || next === current) return plan
    const options = { part: 'observed', uid: pod.uid, author: 'edged' } as const
    const write = (): Promise<KubeObject> => store.update(keyOf(pod), recipe, options)
    const mayRest = waiting.size === 0 && !fresh.isDeleted && !isResized(size) && isAtRest(plan)
    try {
      if (!mayRest) await write()
      const written = mayRest
        ? await this.ownStatuses.during(pod.uid, asObject(next['status']), write)
        : undefined
      this.#resizer.tell(fresh, size)
      this.#resizer.settled(pod.uid)
      // Nobody hints at this pod because of what was written: what follows from it is planned here.
      if (written !== undefined) return this.#afterwards(viewPod(written), observed)
    } catch (error) {
      // Gone or replaced meanwhile: the hint for that is on its way.
      const isGone = error instanceof ObjectError && ['NotFound', 'Conflict'].includes(error.reason)
      if (!isGone) throw error
    }
    return plan
  }

  #afterwards(pod: PodView, observed: RuntimeState): PodPlan {
    const { plan } = this.#plan(this.#resizer.view(pod, observed.containers), observed)
    if (!isAtRest(plan)) this.#context.hint(pod.uid)
    return plan
  }

  #nextLook(uid: string, result: StartResult, plan: PodPlan): ReconcileResult {
    const nowMs = this.#context.clock.wallMs()
    const delays: number[] = []
    if (plan.wakeAtMs !== undefined) delays.push(Math.max(plan.wakeAtMs - nowMs, 0))
    const refreshAtMs = plan.isEnded ? undefined : this.#starter.refreshAtMs(uid)
    if (refreshAtMs !== undefined) delays.push(Math.max(refreshAtMs - nowMs, 0))
    const isStuck = result.problems.some((problem) => UNANNOUNCED.includes(problem.reason))
    if (isStuck) delays.push(PROBLEM_RETRY_MS)
    // Something can be started now that could not at the beginning of this pass.
    const isNews = plan.starts.some((step) => !result.waiting.has(step.container.name))
    // The end of a stop that is under way leads to another pass by itself.
    const isToStop = plan.stops.some((stop) => !this.#stopper.isStopping(stop))
    if (isNews || isToStop) delays.push(0)
    return delays.length === 0 ? undefined : { retryAfterMs: Math.min(...delays) }
  }

  #plan(size: ResizeView, state: RuntimeState): { plan: PodPlan; health: PlanInput['health'] } {
    const { backoff, clock } = this.#context
    const { pod, restarts: resized } = size
    const observed = this.#times.seen(pod.uid, state.containers)
    const isMade = (run: ContainerStatus): boolean => !this.#hooks.isStarting(run.id)
    const ip = this.#addressOf(pod, state.sandboxes)
    const probed = this.#prober.health(pod, observed.filter(isMade), ip)
    const health = this.#hooks.addTo(probed, observed)
    const isEvicted = this.#context.evictions.evictionOf(pod.uid) !== undefined
    const nowMs = clock.wallMs()
    const plan = planPod({
      ...{ pod, observed, sandboxes: state.sandboxes, backoff, nowMs },
      ...{ health, isEvicted, resized },
    })
    if (!isResized(size)) return { plan, health }
    const retryAtMs = nowMs + PROBLEM_RETRY_MS
    return { plan: { ...plan, wakeAtMs: Math.min(plan.wakeAtMs ?? retryAtMs, retryAtMs) }, health }
  }

  /** Where its containers are reached; undefined where pods share the addresses of the machine. */
  #addressOf(pod: PodView, [sandbox]: RuntimeState['sandboxes']): string | undefined {
    const { runtime, node } = this.#context
    const isOnNode = pod.spec['hostNetwork'] === true && runtime.supports.networks
    return sandbox?.ip ?? (isOnNode ? node().addresses[0] : undefined)
  }

  async #observe(uid: string): Promise<RuntimeState> {
    return await this.#context.runtime.list(uid)
  }
}

function isResized({ pending, isInProgress }: ResizeView): boolean {
  return pending !== undefined || isInProgress
}

function keyOf(pod: PodView): ObjectKey {
  return { resource: 'pods', namespace: pod.namespace, name: pod.name }
}
