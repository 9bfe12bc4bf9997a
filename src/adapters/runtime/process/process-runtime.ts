import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ByteStream } from '../../../core/interfaces/byte-stream.ts'
import type { Cancel, Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import type { ProcessSession, SessionSpec } from '../../../core/interfaces/process-session.ts'
import { readIfThere } from '../atomic-file.ts'
import { assertRoom, withRoom } from '../disk-room.ts'
import type {
  ContainerSpec,
  ContainerStatus,
  Limits,
  PodLimits,
  PodRuntime,
  RuntimeFeatures,
  RuntimeHint,
  RuntimeState,
  SandboxSpec,
  SandboxStatus,
} from '../index.ts'
import { RuntimeError } from '../index.ts'
import type { CommandResult, CommandSpec, ExecSpec } from '../sessions.ts'
import { Turns } from '../turns.ts'
import type { ContainerUsage } from '../usage.ts'
import { withAccount } from './account.ts'
import type { Cgroups } from './cgroup-files.ts'
import { commandProblem, throughMounts } from './command-lookup.ts'
import { Container, type ContainerContext } from './container.ts'
import { ContainerFiles } from './container-files.ts'
import { commandRequired, containerId, recordOf } from './container-identity.ts'
import { TELLS_USAGE, usageOfContainers } from './container-usage.ts'
import { type ContainerPlan, launchOf, type Means, mountsOf } from './container-words.ts'
import { containerRoot, containerVariables } from './environment.ts'
import { killUnreadable } from './kill-unreadable.ts'
import { LIMITS } from './limits.ts'
import { cleanMountPath } from './mount-plan.ts'
import { privilegeWords, securityFields, supportedOnly } from './privileges.ts'
import { parseSandbox, type SandboxRecord, writeSandbox } from './sandbox-files.ts'
import { isScarce } from './scarcity.ts'
import { PodSessions } from './sessions.ts'
import { checkContainer, checkSandbox } from './spec-check.ts'
import { openStored } from './stored-state.ts'
import { hasTerminals } from './terminal.ts'
import { linkVolumes, makeMountPoint } from './volume-links.ts'

/** Everything that was found out about the host before the runtime was made. */
export interface Host extends Means {
  readonly clock: Clock
  readonly logger: Logger
  readonly bootId: string
  readonly cgroups: Cgroups | undefined
  readonly execScript: string
  readonly environment: Readonly<Record<string, string>>
  readonly logLimits: ContainerContext['logLimits']
  readonly version: string
}

interface Sandbox extends SandboxRecord {
  readonly status: SandboxStatus
}

/** Pods as plain processes of the host. */
export class ProcessRuntime implements PodRuntime {
  readonly name = 'process'
  readonly version: string
  readonly supports: RuntimeFeatures
  readonly images: undefined
  readonly #host: Host
  readonly #context: ContainerContext
  readonly #sandboxes = new Map<string, Sandbox>()
  readonly #containers = new Map<string, Container>()
  readonly #turns = new Turns()
  readonly #sessions: PodSessions
  readonly #listeners = new Set<(hint: RuntimeHint) => void>()
  #poll: Cancel | undefined
  #glances = 0
  #isClosed = false

  constructor(host: Host) {
    this.#host = host
    this.version = host.version
    this.supports = {
      mounts: host.unshare !== undefined,
      limits: host.cgroups?.limits ?? false,
      images: false,
      terminals: hasTerminals(),
      usage: TELLS_USAGE,
      networks: false,
      resize: host.cgroups?.limits ?? false,
      podLimits: host.cgroups?.podLimits ?? false,
      processes: host.isolation !== undefined,
      security: securityFields(host.privileges, host.unshare !== undefined),
    }
    this.#context = {
      clock: host.clock,
      logger: host.logger,
      cgroups: host.cgroups,
      bootId: host.bootId,
      logLimits: host.logLimits,
      changed: (podUid) => this.#hint(podUid),
    }
    this.#sessions = new PodSessions({
      ...host,
      mounts: this.supports.mounts,
      container: (id) => this.#containers.get(id),
      hasSandbox: (id) => this.#sandboxes.has(id),
    })
  }

  /** Finds what earlier drivers have left. Once, before anything else. */
  async open(): Promise<void> {
    await openStored(this.#host, 'sandboxes', (id) => this.#openSandbox(id))
    await openStored(this.#host, 'containers', (id) => this.#openContainer(id))
    this.#schedulePoll()
  }

  environment(
    sandbox: SandboxSpec,
    container: Pick<ContainerSpec, 'name' | 'mounts'>,
  ): Readonly<Record<string, string>> {
    const { unshare, environment } = this.#host
    return containerVariables(sandbox, container, unshare !== undefined, environment)
  }

  async runSandbox(spec: SandboxSpec): Promise<SandboxStatus> {
    this.#check()
    checkSandbox(spec)
    return await this.#turns.run(spec.uid, async () => {
      const existing = this.#sandboxes.get(spec.uid)
      if (existing !== undefined) return existing.status
      const createdAtMs = this.#host.clock.wallMs()
      const directory = this.#path('sandboxes', spec.uid)
      const record = { spec, createdAtMs }
      await withRoom(directory, () => writeSandbox(directory, record))
      return this.#addSandbox(record).status
    })
  }

  async startContainer(sandboxId: string, spec: ContainerSpec): Promise<ContainerStatus> {
    this.#check()
    checkContainer(spec)
    return await this.#turns.run(sandboxId, async () => {
      const sandbox = this.#sandbox(sandboxId)
      const id = containerId(sandbox.spec.uid, spec.name, spec.attempt)
      return await this.#turns.run(id, async () => {
        const existing = await this.#containers.get(id)?.status()
        if (existing !== undefined && existing.state !== 'created') return existing
        const directory = this.#path('containers', id)
        return await withRoom(directory, () => this.#start(id, sandbox, spec))
      })
    })
  }

  async stopContainer(id: string, graceMs: number): Promise<void> {
    this.#check()
    await this.#containers.get(id)?.stop(graceMs)
  }

  async updateLimits(id: string, limits: Limits): Promise<void> {
    this.#check()
    await this.#turns.run(id, async () => {
      const container = this.#containers.get(id)
      if (container === undefined) throw new RuntimeError('NotFound', `no container "${id}"`)
      await container.updateLimits(limits)
    })
  }

  async updatePodLimits(sandboxId: string, limits: PodLimits): Promise<void> {
    this.#check()
    await this.#turns.run(sandboxId, async () => {
      const found = this.#sandbox(sandboxId)
      await this.#host.cgroups?.pods.change(found.spec, limits)
      const { spec, createdAtMs } = found
      await writeSandbox(this.#path('sandboxes', sandboxId), { spec, createdAtMs, limits })
      this.#addSandbox({ spec, createdAtMs, limits })
    })
  }

  async removeContainer(id: string): Promise<void> {
    this.#check()
    await this.#turns.run(id, async () => {
      const container = this.#containers.get(id)
      if (container === undefined) return
      await container.stop(0)
      await container.remove()
      this.#containers.delete(id)
    })
  }

  async removeSandbox(id: string): Promise<void> {
    this.#check()
    // In its turn, so that nothing begins in it meanwhile.
    await this.#turns.run(id, async () => {
      const own = [...this.#containers.values()].filter((each) => each.record.sandboxId === id)
      await Promise.all(own.map((container) => this.removeContainer(container.record.id)))
      const found = this.#sandboxes.get(id)
      if (found === undefined) return
      await this.#host.cgroups?.pods.remove(found.spec)
      await rm(this.#path('sandboxes', id), { recursive: true, force: true })
      this.#sandboxes.delete(id)
      this.#hint(id)
    })
  }

  async list(podUid?: string): Promise<RuntimeState> {
    this.#check()
    const isAsked = (uid: string): boolean => podUid === undefined || podUid === uid
    const containers = await Promise.all(
      [...this.#containers.values()]
        .filter((container) => isAsked(container.record.podUid))
        .map((container) => container.status()),
    )
    const sandboxes = [...this.#sandboxes.values()]
      .map((sandbox) => sandbox.status)
      .filter((sandbox) => isAsked(sandbox.uid))
    return { sandboxes, containers }
  }

  async exec(containerId: string, spec: ExecSpec): Promise<ProcessSession> {
    this.#check()
    return await this.#sessions.exec(containerId, spec)
  }

  async run(containerId: string, spec: CommandSpec): Promise<CommandResult> {
    this.#check()
    return await this.#sessions.run(containerId, spec)
  }

  async attach(containerId: string, spec: SessionSpec): Promise<ProcessSession> {
    this.#check()
    return await this.#sessions.attach(containerId, spec)
  }

  async portForward(sandboxId: string, port: number): Promise<ByteStream> {
    this.#check()
    return await this.#sessions.portForward(sandboxId, port)
  }

  async usage(): Promise<readonly ContainerUsage[]> {
    this.#check()
    return await usageOfContainers(this.#containers.values(), this.#host.cgroups)
  }

  watch(listener: (hint: RuntimeHint) => void): () => void {
    // A wrapper of its own, so that the same function can be registered twice.
    const own = (hint: RuntimeHint): void => listener(hint)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#poll?.()
    this.#listeners.clear()
    await this.#sessions.close()
    await this.#turns.settled()
    await Promise.all([...this.#containers.values()].map((container) => container.close()))
    if (this.#containers.size === 0) await this.#host.cgroups?.removeRoot()
  }

  async #start(id: string, sandbox: Sandbox, spec: ContainerSpec): Promise<ContainerStatus> {
    const [command] = [...spec.command, ...spec.args]
    if (spec.command.length === 0 || command === undefined) throw commandRequired(spec)
    const mounts = spec.mounts.map((mount) => ({ ...mount, path: cleanMountPath(mount.path) }))
    const { security, home } = await withAccount(
      supportedOnly(spec.security, this.supports.security),
    )
    const privileges = privilegeWords(this.#host.privileges, security)
    const plan = await mountsOf(this.#host, sandbox.spec, mounts)
    const sees = await this.#seenBy(sandbox.spec, spec)
    await assertRoom(this.#path('sandboxes', sandbox.spec.uid))
    await this.#host.cgroups?.pods.prepare(id, sandbox.spec, sandbox.limits ?? sandbox.spec.limits)
    const files = new ContainerFiles(this.#path('containers', id))
    await mkdir(join(files.directory, 'scratch'), { recursive: true, mode: 0o700 })
    const root = containerRoot(sandbox.spec.directory, spec.name)
    const workingDir = this.#workingDir(spec, mounts, root)
    const { clock, bootId } = this.#host
    const now = { workingDir, createdAtMs: clock.wallMs(), bootId }
    const record = recordOf(sandbox.status, { ...spec, mounts, security }, now)
    await files.writeRecord(record)
    const container = new Container(record, files, this.#context)
    this.#containers.set(id, container)

    await linkVolumes(root, mounts)
    const defaults = this.environment(sandbox.spec, { name: spec.name, mounts })
    const own = home === undefined ? {} : { HOME: home }
    const env: Readonly<Record<string, string>> = { ...defaults, ...own, ...spec.env }
    const visible = this.supports.mounts ? mounts : []
    const path = env['PATH'] ?? ''
    const problem = await commandProblem({ command, workingDir, path, mounts: visible })
    if (problem !== undefined) {
      await container.failStart(problem)
      this.#hint(record.podUid)
      throw new RuntimeError('StartFailed', problem)
    }
    for (const point of plan.make) await makeMountPoint(point)
    const { directory } = files
    const known = { spec, mounts: plan, security, directory, workingDir, env, privileges, sees }
    await container.start(await launchOf(this.#host, known))
    this.#hint(record.podUid)
    return await container.status()
  }

  /** Whose processes a container sees. */
  async #seenBy(sandbox: SandboxSpec, spec: ContainerSpec): Promise<ContainerPlan['sees']> {
    const { besideProcessesOf } = spec
    const isShared = (sandbox.namespaces?.pid ?? 'container') !== 'container'
    if (!this.supports.processes || isShared) return 'all'
    if (besideProcessesOf === undefined) return 'own'
    const beside = this.#containers.get(besideProcessesOf)
    if ((await beside?.status())?.state !== 'running')
      throw new RuntimeError('InvalidSpec', `container "${besideProcessesOf}" is not running`)
    const inside = await beside?.files.inside()
    return inside?.isIsolated === true ? inside.pid : 'all'
  }

  #workingDir(spec: ContainerSpec, mounts: ContainerSpec['mounts'], root: string): string {
    if (spec.workingDir === undefined || spec.workingDir === '') return root
    return this.supports.mounts ? spec.workingDir : throughMounts(spec.workingDir, mounts)
  }

  async #openSandbox(id: string): Promise<void> {
    const text = await readIfThere(this.#path('sandboxes', id, 'sandbox.json'))
    // A directory without a record: the driver died before the sandbox was made.
    if (text === undefined) return await rm(this.#path('sandboxes', id), { recursive: true })
    this.#addSandbox(parseSandbox(text))
  }

  async #openContainer(id: string): Promise<void> {
    const files = new ContainerFiles(this.#path('containers', id))
    let container: Container | undefined
    try {
      const record = await files.record()
      if (record === undefined) return await rm(files.directory, { recursive: true })
      container = new Container(record, files, this.#context)
      this.#host.cgroups?.pods.adopt(id, this.#sandboxes.get(record.sandboxId)?.spec)
      await container.adopt()
      this.#containers.set(id, container)
    } catch (error) {
      await container?.close()
      if (!isScarce(error)) await killUnreadable(this.#host, id, files)
      throw error
    }
  }

  #sandbox(id: string): Sandbox {
    const found = this.#sandboxes.get(id)
    if (found === undefined) throw new RuntimeError('NotFound', `no sandbox "${id}"`)
    return found
  }

  #addSandbox(record: SandboxRecord): Sandbox {
    const { spec, createdAtMs } = record
    const { uid, namespace, name } = spec
    const status: SandboxStatus = {
      id: uid,
      namespace,
      name,
      uid,
      ready: true,
      createdAtMs,
      // Processes of the host have the addresses of the host.
      ip: undefined,
    }
    const sandbox = { ...record, status }
    this.#sandboxes.set(uid, sandbox)
    return sandbox
  }

  #schedulePoll(): void {
    this.#poll = this.#host.clock.schedule(LIMITS.glanceMs, () => {
      this.#glances = (this.#glances + 1) % LIMITS.glancesPerPoll
      for (const container of this.#containers.values()) {
        if (this.#glances === 0) container.poll()
        else container.glance()
      }
      this.#schedulePoll()
    })
  }

  #hint(podUid: string): void {
    for (const listener of this.#listeners) listener({ podUid })
  }

  #check(): void {
    if (this.#isClosed) throw new RuntimeError('Unavailable', 'the runtime is closed')
  }

  #path(...parts: string[]): string {
    return join(this.#host.directory, ...parts)
  }
}
