import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { ByteStream } from '../../../core/interfaces/byte-stream.ts'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import type { ProcessSession, SessionSpec } from '../../../core/interfaces/process-session.ts'
import { podCgroup, removeCgroupParent } from '../cgroup-parents.ts'
import { ENGINE_FEATURES, type EngineSettings } from '../engine-options.ts'
import { sandboxSpecOf, selectorOf } from '../identity.ts'
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
import type { CriClient } from './client.ts'
import { containerConfig, linuxResources } from './container-config.ts'
import { isMissing, persistently, toRuntimeError } from './errors.ts'
import { EngineEvents } from './events.ts'
import type { GrpcChannel } from './grpc.ts'
import { CriImages } from './images.ts'
import type { SandboxItem } from './messages.ts'
import { ObservedState } from './observed.ts'
import { sandboxConfig } from './sandbox-config.ts'
import { EngineSessions } from './sessions.ts'
import { usageOf } from './usage.ts'

/** Everything that a {@link CriRuntime} works with. */
export interface CriContext extends EngineSettings {
  readonly channel: GrpcChannel
  readonly client: CriClient
  readonly clock: Clock
  readonly logger: Logger
  readonly name: string
  readonly version: string
}

/** Making a sandbox may mean pulling its image, and setting up a network. */
const SANDBOX_TIMEOUT_MS = 4 * 60_000
/** What an engine gets to kill a container beyond its grace. */
const STOP_SLACK_MS = 2 * 60_000

const FEATURES: RuntimeFeatures = {
  ...ENGINE_FEATURES,
  security: new Set([...ENGINE_FEATURES.security, 'privileged', 'userName']),
}

/** Pods on an engine that speaks the Container Runtime Interface. Nothing is kept here but caches. */
export class CriRuntime implements PodRuntime {
  readonly name: string
  readonly version: string
  readonly supports: RuntimeFeatures = FEATURES
  readonly images: CriImages
  readonly #context: CriContext
  readonly #observed: ObservedState
  readonly #sessions: EngineSessions
  readonly #events: EngineEvents
  readonly #rotation: RunningLogs
  readonly #turns = new Turns()
  readonly #hints: PodHints
  /** The sandboxes that containers were started in: what they were made with does not change. */
  readonly #found = new Map<string, FoundSandbox>()
  #isClosed = false

  constructor(context: CriContext) {
    this.#context = context
    const { client, channel, clock, logger, logLimits } = context
    this.name = context.name
    this.version = context.version
    this.images = new CriImages(client)
    this.#observed = new ObservedState(client, context.owner, () => context.clock.wallMs())
    this.#sessions = new EngineSessions(client, () => this.#events.tellsProcesses)
    this.#hints = new PodHints({ logger, list: () => this.list() })
    const onEvent = (id: string | undefined): void => void this.#noticed(id)
    const onAftermath = (id: string): void => {
      const podUid = this.#observed.podOf(id)
      if (podUid !== undefined) this.#hints.hint(podUid)
    }
    this.#events = new EngineEvents({
      engine: context.name,
      channel,
      clock,
      logger,
      onEvent,
      onAftermath,
      onProcess: (event) => this.#sessions.notice(event),
    })
    this.#rotation = new RunningLogs({
      clock,
      logger,
      ...logLimits,
      seen: () => this.#observed.running,
      running: async () =>
        (await this.list()).containers.filter(({ state }) => state === 'running'),
      reopen: async (containerId) => {
        await client.call('ReopenContainerLog', { containerId })
      },
    })
  }

  /** Begins to follow the engine. Once. */
  start(): void {
    this.#events.start()
    this.#rotation.start()
  }

  /** Engines set none but PATH and HOSTNAME, which nothing refers to. */
  environment(): Readonly<Record<string, string>> {
    return {}
  }

  async runSandbox(spec: SandboxSpec): Promise<SandboxStatus> {
    const { client, owner, cgroupRoot } = this.#context
    return await this.#turns.run(spec.uid, async () => {
      const existing = await this.#refused('Unavailable', () =>
        this.#observed.sandboxesOf(spec.uid),
      )
      const [newest] = existing
      if (newest?.state === 'SANDBOX_READY') return await this.#observed.sandboxStatus(newest)
      // One that has ended still has its network: addresses, and ports of the machine.
      if (newest !== undefined) await this.stopSandbox(newest.id)
      if (spec.logDirectory !== undefined) await mkdir(spec.logDirectory, { recursive: true })
      const attempt = newest === undefined ? 0 : newest.metadata.attempt + 1
      const config = sandboxConfig(spec, { owner, cgroupRoot, attempt })
      await makePodGroup(podCgroup(cgroupRoot, spec.uid), spec.limits)
      const { podSandboxId } = await this.#refused('InvalidSpec', () =>
        client.call('RunPodSandbox', { config }, SANDBOX_TIMEOUT_MS),
      )
      this.#found.set(podSandboxId, { id: podSandboxId, spec, attempt })
      return await this.#refused('Unavailable', () => this.#observed.sandbox(podSandboxId))
    })
  }

  async startContainer(sandboxId: string, spec: ContainerSpec): Promise<ContainerStatus> {
    return await this.#turns.run(await this.#turnOf(sandboxId), async () => {
      // In its turn: it may have been removed meanwhile.
      const sandbox = await this.#sandbox(sandboxId)
      const containers = await this.#refused('Unavailable', () =>
        this.#observed.containersIn(sandboxId),
      )
      const existing = containers.find(
        ({ name, attempt }) => name === spec.name && attempt === spec.attempt,
      )
      if (existing !== undefined && existing.state !== 'created') return existing
      const isLost = existing !== undefined && this.#observed.isGivenUp(existing.id)
      if (isLost) await this.removeContainer(existing.id)
      const made = isLost ? undefined : existing?.id
      const id = made ?? (await this.#create(sandbox, spec))
      await this.#refused('StartFailed', () =>
        this.#context.client.call('StartContainer', { containerId: id }, SANDBOX_TIMEOUT_MS),
      )
      const started = await this.#observed.container(id)
      if (started === undefined)
        throw new RuntimeError('Unavailable', 'the container is gone again')
      return started
    })
  }

  async stopContainer(id: string, graceMs: number): Promise<void> {
    const timeout = Math.ceil(graceMs / 1000)
    const request = { containerId: id, timeout }
    await this.#unlessMissing(() =>
      persistently(() =>
        this.#context.client.call('StopContainer', request, graceMs + STOP_SLACK_MS),
      ),
    )
  }

  async updateLimits(id: string, limits: Limits): Promise<void> {
    const container = await this.#refused('Unavailable', () => this.#observed.container(id))
    if (container?.state !== 'running')
      throw new RuntimeError('NotFound', `container "${id}" is not running`)
    const request = { containerId: id, linux: linuxResources(limits) }
    await this.#refused('InvalidSpec', () =>
      this.#context.client.call('UpdateContainerResources', request),
    )
  }

  async updatePodLimits(sandboxId: string, limits: PodLimits): Promise<void> {
    const { spec } = await this.#sandbox(sandboxId)
    await changePodGroup(podCgroup(this.#context.cgroupRoot, spec.uid), limits)
  }

  async removeContainer(id: string): Promise<void> {
    await this.stopContainer(id, 0)
    await this.#unlessMissing(() =>
      this.#context.client.call('RemoveContainer', { containerId: id }),
    )
    this.#observed.forget(id)
  }

  async stopSandbox(id: string): Promise<void> {
    await this.#unlessMissing(() =>
      persistently(() =>
        this.#context.client.call('StopPodSandbox', { podSandboxId: id }, SANDBOX_TIMEOUT_MS),
      ),
    )
  }

  async removeSandbox(id: string): Promise<void> {
    await this.#turns.run(await this.#turnOf(id), () => this.#removeSandbox(id))
  }

  async removeTraces(podUid: string): Promise<void> {
    await this.#turns.run(podUid, () => this.#removeGroups(podUid))
  }

  async list(podUid?: string): Promise<RuntimeState> {
    const state = await this.#refused('Unavailable', () => this.#observed.list(podUid))
    if (podUid === undefined) {
      this.#hints.begin(state)
      this.#events.listed()
    }
    return state
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
    const { client, owner } = this.#context
    return await this.#refused('Unavailable', async () => {
      const filter = { labelSelector: selectorOf(owner) }
      const { stats } = await client.call('ListContainerStats', { filter })
      const isKnown = stats.every(
        ({ attributes }) => this.#observed.podOf(attributes.id) !== undefined,
      )
      if (!isKnown) await this.#observed.list()
      return usageOf(stats, this.#observed.running)
    })
  }

  watch(listener: (hint: RuntimeHint) => void): () => void {
    return this.#hints.watch(listener)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    const told = this.#hints.close()
    this.#events.close()
    this.#rotation.close()
    await this.#sessions.close()
    await Promise.all([told, this.#turns.settled()])
    this.#context.channel.close()
  }

  async #removeSandbox(id: string): Promise<void> {
    const { client } = this.#context
    const found = await this.#find(id)
    this.#found.delete(id)
    await this.stopSandbox(id)
    // Its groups are empty now. Before it is forgotten: nobody would find them afterwards.
    if (found !== undefined && (await this.#isAlone(found))) {
      await this.#removeGroups(found.metadata.uid)
    }
    await this.#unlessMissing(() =>
      persistently(() => client.call('RemovePodSandbox', { podSandboxId: id }, SANDBOX_TIMEOUT_MS)),
    )
    this.#observed.forget(id)
    if (found !== undefined) this.#hints.hint(found.metadata.uid)
  }

  async #removeGroups(podUid: string): Promise<void> {
    await removeCgroupParent(podCgroup(this.#context.cgroupRoot, podUid))
  }

  async #create(
    { id, spec: sandbox, attempt }: FoundSandbox,
    spec: ContainerSpec,
  ): Promise<string> {
    const { client, owner, cgroupRoot } = this.#context
    await mkdir(dirname(spec.logPath), { recursive: true })
    const request = {
      podSandboxId: id,
      config: containerConfig(owner, sandbox, spec),
      sandboxConfig: sandboxConfig(sandbox, { owner, cgroupRoot, attempt }),
    }
    return await this.#refused('InvalidSpec', async () => {
      try {
        return (await client.call('CreateContainer', request)).containerId
      } catch (error) {
        if (!isMissing(error) || (await this.images.image(spec.image)) !== undefined) throw error
        const message = `the image "${spec.image}" is not on this node`
        throw new RuntimeError('ImageNotPresent', message, { cause: error })
      }
    })
  }

  /** What is made of a pod, and what is removed of it, comes one after the other. */
  async #turnOf(sandboxId: string): Promise<string> {
    return (
      this.#observed.podOf(sandboxId) ?? (await this.#find(sandboxId))?.metadata.uid ?? sandboxId
    )
  }

  async #sandbox(id: string): Promise<FoundSandbox> {
    const known = this.#found.get(id)
    if (known !== undefined) return known
    const item = await this.#find(id)
    const spec = item === undefined ? undefined : sandboxSpecOf(item.annotations)
    if (item === undefined || spec === undefined)
      throw new RuntimeError('NotFound', `no sandbox "${id}"`)
    const found = { id, spec, attempt: item.metadata.attempt }
    this.#found.set(id, found)
    return found
  }

  /** The groups are the pod's: the sandbox that took the place of an ended one is in them, too. */
  async #isAlone({ id, metadata }: SandboxItem): Promise<boolean> {
    const all = await this.#refused('Unavailable', () => this.#observed.sandboxesOf(metadata.uid))
    return all.every((each) => each.id === id)
  }

  async #find(id: string): Promise<SandboxItem | undefined> {
    const filter = { id, labelSelector: selectorOf(this.#context.owner) }
    const { items } = await this.#refused('Unavailable', () =>
      this.#context.client.call('ListPodSandbox', { filter }),
    )
    return items[0]
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

  async #unlessMissing(call: () => Promise<unknown>): Promise<void> {
    await this.#refused('Unavailable', async () => {
      try {
        await call()
      } catch (error) {
        if (!isMissing(error)) throw error
      }
    })
  }

  async #noticed(containerId: string | undefined): Promise<void> {
    const podUid = containerId === undefined ? undefined : this.#observed.podOf(containerId)
    if (podUid !== undefined) return this.#hints.hint(podUid)
    await this.#hints.look()
  }
}

interface FoundSandbox {
  readonly id: string
  readonly spec: SandboxSpec
  readonly attempt: number
}
