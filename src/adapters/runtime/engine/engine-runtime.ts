import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ByteStream } from '../../../core/interfaces/byte-stream.ts'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import type { ProcessSession, SessionSpec } from '../../../core/interfaces/process-session.ts'
import { podCgroup, removeCgroupParent } from '../cgroup-parents.ts'
import type { EngineSettings } from '../engine-options.ts'
import { sandboxSpecOf } from '../identity.ts'
import {
  type ContainerSpec,
  type ContainerStatus,
  type ContainerUsage,
  type Limits,
  type PodLimits,
  type PodRuntime,
  RuntimeError,
  type RuntimeFeatures,
  type RuntimeHint,
  type RuntimeState,
  type SandboxSpec,
  type SandboxStatus,
} from '../index.ts'
import { changePodGroup, makePodGroup } from '../pod-cgroup.ts'
import { PodHints } from '../pod-hints.ts'
import { RunningLogs } from '../running-logs.ts'
import type { CommandResult, CommandSpec, ExecSpec } from '../sessions.ts'
import { Turns } from '../turns.ts'
import type { EngineClient } from './client.ts'
import { ContainerLogs, reopenLog } from './container-logs.ts'
import { createNamed } from './create.ts'
import { updateCall } from './dialect.ts'
import { isMissing, isNotRunning, toRuntimeError } from './errors.ts'
import { EngineEvents } from './events.ts'
import { EngineImages } from './images.ts'
import type { ContainerRow, CreateMessage } from './messages.ts'
import { ObservedState } from './observed.ts'
import { containerRequest, type RequestPlace, resourcesOf, sandboxRequest } from './requests.ts'
import { EngineSessions } from './sessions.ts'
import { sandboxAttempt, sandboxStatus, stateOf } from './status.ts'
import { Stops } from './stops.ts'
import { usageOf } from './usage.ts'

/** Everything that an {@link EngineRuntime} works with. */
export interface EngineContext extends RequestPlace, EngineSettings {
  readonly client: EngineClient
  /** Podman's own part of the API; undefined on Docker. */
  readonly libpod: EngineClient | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly version: string
  readonly pauseImage: string
  readonly supports: RuntimeFeatures
}

/** An engine may have to set up a network, and podman makes its containers one after the other. */
const START_TIMEOUT_MS = 4 * 60_000

const NOT_PRIVILEGED =
  'privileged containers cannot run on this docker: its machine keeps capabilities from root'

/** Pods on Docker or Podman. Nothing is kept here but caches. */
export class EngineRuntime implements PodRuntime {
  readonly name: string
  readonly version: string
  readonly supports: RuntimeFeatures
  readonly images: EngineImages
  readonly #context: EngineContext
  readonly #observed: ObservedState
  readonly #sessions: EngineSessions
  readonly #events: EngineEvents
  readonly #hints: PodHints
  readonly #logs: ContainerLogs
  readonly #rotation: RunningLogs | undefined
  readonly #stops: Stops
  readonly #turns = new Turns()
  /** The sandboxes that containers were started in: what they were made with does not change. */
  readonly #found = new Map<string, SandboxSpec>()
  #isClosed = false

  constructor(context: EngineContext) {
    this.#context = context
    const { client, clock, logger, owner, dialect, logLimits, libpod } = context
    this.name = dialect.name
    this.version = context.version
    this.supports = context.supports
    this.images = new EngineImages(client, context.pauseImage)
    this.#logs = new ContainerLogs({ dialect, limits: logLimits, clock, logger })
    const seen = (container: ContainerStatus, path: string): Promise<void> =>
      this.#logs.seen(container, path)
    this.#observed = new ObservedState({ client, owner, tellsOom: dialect.tellsOom, seen })
    const details = (id: string): ReturnType<ObservedState['details']> => this.#observed.details(id)
    this.#sessions = new EngineSessions({ client, clock, details })
    this.#stops = new Stops({ client, clock, details })
    this.#hints = new PodHints({ logger, list: () => this.list() })
    this.#events = new EngineEvents({
      client,
      owner,
      clock,
      logger,
      onPod: (podUid) => {
        if (podUid === undefined) void this.#hints.look()
        else this.#hints.hint(podUid)
      },
      onContainer: (id) => {
        this.#stops.notice(id)
        this.#sessions.notice(id)
      },
    })
    if (libpod === undefined) return
    this.#rotation = new RunningLogs({
      clock,
      logger,
      ...logLimits,
      running: async () =>
        (await this.list()).containers.filter(({ state }) => state === 'running'),
      reopen: (id) => this.#reopen(libpod, id),
    })
  }

  /** Begins to follow the engine. Once. */
  async start(): Promise<void> {
    this.#events.start()
    this.#rotation?.start()
    // What runs already goes on writing its log.
    await this.list()
  }

  /** Engines set none but PATH and HOSTNAME, which nothing refers to. */
  environment(): Readonly<Record<string, string>> {
    return {}
  }

  async runSandbox(spec: SandboxSpec): Promise<SandboxStatus> {
    return await this.#turns.run(spec.uid, async () => {
      const [newest] = await this.#refused('Unavailable', () =>
        this.#observed.sandboxesOf(spec.uid),
      )
      const state = newest === undefined ? 'exited' : stateOf(newest.State)
      const isUsable = newest !== undefined && (state === 'running' || state === 'created')
      const id = isUsable ? newest.Id : await this.#createSandbox(spec, newest)
      if (state !== 'running') await this.#startSandbox(id)
      this.#found.set(id, spec)
      const details = await this.#refused('Unavailable', () => this.#observed.details(id))
      const status = details === undefined ? undefined : sandboxStatus(details)
      if (status === undefined) throw new RuntimeError('Unavailable', 'the sandbox is gone again')
      return status
    })
  }

  async startContainer(sandboxId: string, spec: ContainerSpec): Promise<ContainerStatus> {
    return await this.#turns.run(await this.#turnOf(sandboxId), async () => {
      // In its turn: it may have been removed meanwhile.
      const sandbox = await this.#sandbox(sandboxId)
      const containers = await this.#refused('Unavailable', () =>
        this.#observed.containersIn(sandboxId, sandbox.uid),
      )
      const existing = containers.find(
        ({ name, attempt }) => name === spec.name && attempt === spec.attempt,
      )
      if (existing !== undefined && existing.state !== 'created') return existing
      const id = existing?.id ?? (await this.#createContainer(sandboxId, sandbox, spec))
      await this.#startContainer(id)
      const started = await this.#refused('Unavailable', () => this.#observed.container(id))
      if (started === undefined)
        throw new RuntimeError('Unavailable', 'the container is gone again')
      return started
    })
  }

  async stopContainer(id: string, graceMs: number): Promise<void> {
    await this.#refused('Unavailable', () => this.#stops.stop(id, graceMs))
  }

  async updateLimits(id: string, limits: Limits): Promise<void> {
    const { client, libpod, dialect } = this.#context
    const found = await this.#refused('Unavailable', () => this.#observed.details(id))
    if (found?.State.Running !== true)
      throw new RuntimeError('NotFound', `container "${id}" is not running`)
    if (!this.supports.resize)
      throw new RuntimeError('InvalidSpec', `${this.name} ${this.version} cannot change limits`)
    const call = updateCall(dialect, id, resourcesOf(limits))
    await this.#refused('InvalidSpec', () => (libpod ?? client).tell(call))
  }

  async updatePodLimits(sandboxId: string, limits: PodLimits): Promise<void> {
    const { uid } = await this.#sandbox(sandboxId)
    const { dialect, cgroupRoot } = this.#context
    if (!dialect.hasSlices) await changePodGroup(podCgroup(cgroupRoot, uid), limits)
  }

  async removeContainer(id: string): Promise<void> {
    await this.stopContainer(id, 0)
    // Its log is complete once it was seen.
    const found = await this.#refused('Unavailable', () => this.#observed.container(id))
    if (found === undefined) return
    await this.#remove(id)
  }

  async stopSandbox(id: string): Promise<void> {
    await this.stopContainer(id, 0)
  }

  async removeSandbox(id: string): Promise<void> {
    await this.#turns.run(await this.#turnOf(id), async () => {
      const uid = await this.#podOf(id)
      if (uid !== undefined) await this.#removeSandbox(id, uid)
    })
  }

  async removeTraces(podUid: string): Promise<void> {
    await this.#turns.run(podUid, () => this.#removeGroups(podUid))
  }

  async list(podUid?: string): Promise<RuntimeState> {
    return await this.#refused('Unavailable', () => this.#observed.list(podUid))
  }

  async exec(containerId: string, spec: ExecSpec): Promise<ProcessSession> {
    return await this.#sessions.exec(containerId, spec)
  }

  async run(containerId: string, spec: CommandSpec): Promise<CommandResult> {
    return await this.#sessions.run(containerId, spec)
  }

  async attach(containerId: string, spec: SessionSpec): Promise<ProcessSession> {
    return await this.#sessions.attach(containerId, spec)
  }

  async portForward(sandboxId: string, port: number): Promise<ByteStream> {
    return await this.#sessions.portForward(sandboxId, port)
  }

  async usage(): Promise<readonly ContainerUsage[]> {
    const { containers } = await this.list()
    return await this.#refused('Unavailable', () => usageOf(this.#context.client, containers))
  }

  watch(listener: (hint: RuntimeHint) => void): () => void {
    return this.#hints.watch(listener)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const told = this.#hints.close()
    this.#events.close()
    this.#rotation?.close()
    await this.#sessions.close()
    await Promise.all([told, this.#turns.settled()])
    await this.#logs.close()
    this.#context.client.close()
    this.#context.libpod?.close()
  }

  /** What is made of a pod, and what is removed of it, comes one after the other. */
  async #turnOf(sandboxId: string): Promise<string> {
    return this.#found.get(sandboxId)?.uid ?? (await this.#podOf(sandboxId)) ?? sandboxId
  }

  async #podOf(sandboxId: string): Promise<string | undefined> {
    const found = await this.#refused('Unavailable', () => this.#observed.details(sandboxId))
    return found === undefined ? undefined : sandboxStatus(found)?.uid
  }

  async #removeSandbox(id: string, uid: string): Promise<void> {
    const containers = await this.#refused('Unavailable', () =>
      this.#observed.containersIn(id, uid),
    )
    await Promise.all(containers.map((container) => this.removeContainer(container.id)))
    await this.stopContainer(id, 0)
    await this.#remove(id)
    this.#found.delete(id)
    // The groups are the pod's: the sandbox that took the place of an ended one is in them, too.
    const others = await this.#refused('Unavailable', () => this.#observed.sandboxesOf(uid))
    if (others.length === 0) await this.#removeGroups(uid)
    this.#hints.hint(uid)
  }

  async #removeGroups(podUid: string): Promise<void> {
    const { dialect, cgroupRoot } = this.#context
    if (!dialect.hasSlices) await removeCgroupParent(podCgroup(cgroupRoot, podUid))
  }

  async #createSandbox(spec: SandboxSpec, before: ContainerRow | undefined): Promise<string> {
    const { pauseImage, owner, dialect, cgroupRoot } = this.#context
    if ((await this.images.image(pauseImage)) === undefined)
      await this.images.pullImage(pauseImage, [])
    const attempt = before === undefined ? 0 : sandboxAttempt(before) + 1
    const request = await sandboxRequest(spec, pauseImage, attempt, this.#context)
    if (!dialect.hasSlices) await makePodGroup(podCgroup(cgroupRoot, spec.uid), spec.limits)
    return await this.#create(`${owner}.${spec.uid}.${attempt}`, request)
  }

  async #startSandbox(id: string): Promise<void> {
    await this.#refused('InvalidSpec', async () => {
      try {
        await this.#start(id)
      } catch (error) {
        // As if it had never been: it may be another one that is asked for next.
        await this.#remove(id).catch(() => undefined)
        throw error
      }
    })
  }

  async #createContainer(
    sandboxId: string,
    sandbox: SandboxSpec,
    spec: ContainerSpec,
  ): Promise<string> {
    if (spec.security?.privileged === true && !this.supports.security.has('privileged'))
      throw new RuntimeError('InvalidSpec', NOT_PRIVILEGED)
    const needsUser = spec.security?.gid !== undefined && spec.security.uid === undefined
    const image = needsUser ? await this.images.image(spec.image) : undefined
    await mkdir(dirname(spec.logPath), { recursive: true })
    const request = await containerRequest(spec, {
      ...this.#context,
      sandboxId,
      sandbox,
      imageUser: image?.userName ?? String(image?.uid ?? ''),
      logConfig: this.#logs.configOf(spec.logPath),
    })
    const name = `${this.#context.owner}.${sandbox.uid}.${spec.name}.${spec.attempt}`
    try {
      return await this.#create(name, request)
    } catch (error) {
      if (!(error instanceof RuntimeError) || error.reason === 'Unavailable') throw error
      if ((await this.images.image(spec.image)) !== undefined) throw error
      const message = `the image "${spec.image}" is not on this node`
      throw new RuntimeError('ImageNotPresent', message, { cause: error })
    }
  }

  async #startContainer(id: string): Promise<void> {
    await this.#refused('StartFailed', async () => {
      try {
        await this.#start(id)
      } catch (error) {
        if (error instanceof Error) this.#observed.failed(id, error.message)
        throw error
      }
    })
  }

  async #create(name: string, body: CreateMessage): Promise<string> {
    return await this.#refused('InvalidSpec', () =>
      createNamed(this.#context.client, name, body, START_TIMEOUT_MS),
    )
  }

  async #start(id: string): Promise<void> {
    const path = `/containers/${id}/start`
    await this.#context.client.tell({ path, timeoutMs: START_TIMEOUT_MS })
  }

  async #remove(id: string): Promise<void> {
    await this.#logs.forget(id)
    await this.#refused('Unavailable', async () => {
      const query = { force: true, v: true }
      try {
        await this.#context.client.tell({ method: 'DELETE', path: `/containers/${id}`, query })
      } catch (error) {
        // Another one is removing it: then it is gone soon.
        if (!isMissing(error) && !isNotRunning(error)) throw error
      }
    })
  }

  async #reopen(libpod: EngineClient, id: string): Promise<void> {
    const path = `/containers/${id}/json`
    const { StaticDir } = await libpod.call<{ readonly StaticDir: string }>({ path })
    await reopenLog(StaticDir)
  }

  async #sandbox(id: string): Promise<SandboxSpec> {
    const known = this.#found.get(id)
    if (known !== undefined) return known
    const found = await this.#refused('Unavailable', () => this.#observed.details(id))
    const spec = sandboxSpecOf(found?.Config.Labels ?? {})
    if (spec === undefined) throw new RuntimeError('NotFound', `no sandbox "${id}"`)
    this.#found.set(id, spec)
    return spec
  }

  async #refused<Result>(
    otherwise: RuntimeError['reason'],
    call: () => Promise<Result>,
  ): Promise<Result> {
    if (this.#isClosed) throw new RuntimeError('Unavailable', 'the runtime is closed')
    try {
      return await call()
    } catch (error) {
      throw toRuntimeError(error, otherwise)
    }
  }
}
