import { type FSWatcher, watch } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import { delay } from '../delay.ts'
import { isNoRoom } from '../disk-room.ts'
import { type ContainerStatus, type Limits, RuntimeError } from '../index.ts'
import { isAlive, isPresent } from '../process-table.ts'
import type { Cgroups } from './cgroup-files.ts'
import type { Claim, ContainerFiles, ContainerRecord, Final } from './container-files.ts'
import { judge, startError, toStatus } from './container-state.ts'
import { type Launch, launch } from './launch.ts'
import { LIMITS } from './limits.ts'
import { LogPump, type PumpLimits } from './log-pump.ts'
import { ProcessTree } from './process-tree.ts'

/** What every container of one runtime shares. */
export interface ContainerContext {
  readonly clock: Clock
  readonly logger: Logger
  readonly cgroups: Cgroups | undefined
  readonly bootId: string
  readonly logLimits: PumpLimits
  /** The container may have changed. */
  readonly changed: (podUid: string) => void
}

/** One container: its files, its processes, its log. */
export class Container {
  #record: ContainerRecord
  readonly files: ContainerFiles
  readonly #context: ContainerContext
  readonly #pump: LogPump
  #claim: Claim | undefined
  #final: Final | undefined
  #tree: ProcessTree | undefined
  #watcher: FSWatcher | undefined
  #finishing: Promise<void> | undefined
  #stopping: { deadlineMs: number; readonly done: Promise<void> } | undefined
  #isClosed = false

  constructor(record: ContainerRecord, files: ContainerFiles, context: ContainerContext) {
    this.#record = record
    this.files = files
    this.#context = context
    this.#pump = new LogPump({
      directory: files.directory,
      logPath: record.logPath,
      limits: context.logLimits,
      clock: context.clock,
      logger: context.logger,
      rest: async () => (await this.#processTree())?.rest(),
    })
  }

  /** What is known of it from its start, and the limits that it has now. */
  get record(): ContainerRecord {
    return this.#record
  }

  /** Takes up a container that an earlier driver has left. */
  async adopt(): Promise<void> {
    this.#final = await this.files.final()
    if (this.#final !== undefined) return
    this.#watch()
    // First the log: an earlier driver may have died while it emptied the raw files.
    this.#pump.wake()
    await this.#pump.settled()
    if (this.record.bootId === this.#context.bootId) await (await this.#processTree())?.goOn()
  }

  /** Starts the process and waits until its command runs. */
  async start(
    options: Omit<Launch, 'directory' | 'cgroupFiles' | 'oomScoreAdjust'>,
  ): Promise<void> {
    await mkdir(this.files.directory, { recursive: true, mode: 0o700 })
    const cgroupFiles = await this.#createCgroups()
    this.#watch()
    const child = launch({
      ...options,
      directory: this.files.directory,
      cgroupFiles,
      oomScoreAdjust: this.record.limits.oomScoreAdjust,
    })
    let failed: unknown
    let isOver = false
    child.once('error', (error) => {
      failed = error
      isOver = true
    })
    child.once('exit', () => {
      isOver = true
      this.#wake()
    })
    const deadlineMs = this.#context.clock.monotonicMs() + LIMITS.startMsMax
    while (!isOver && !(await this.files.isRunning())) {
      if (this.#context.clock.monotonicMs() > deadlineMs) {
        await this.stop(0)
        await this.failStart('the process did not come up in time')
        break
      }
      await delay(this.#context.clock, LIMITS.startPollMs)
    }
    if (failed !== undefined) await this.failStart('cannot start /bin/sh')
    await this.#refuseIfFailed(failed)
    // It ends at once where it cannot write down that it is the one: nothing has begun.
    if (isOver && this.#state() === 'created')
      throw new RuntimeError('Unavailable', 'the process could not write down that it runs')
  }

  async #createCgroups(): Promise<readonly string[]> {
    try {
      return (await this.#context.cgroups?.create(this.record.id, this.record.limits)) ?? []
    } catch (cause) {
      // The kernel refuses limits that it cannot keep, such as a memory of a few bytes.
      const detail = cause instanceof Error ? cause.message : String(cause)
      const message = `cannot set the limits of the container: ${detail}`
      await this.failStart(message)
      throw new RuntimeError('StartFailed', message, { cause })
    }
  }

  /** Records that the command cannot be started. */
  async failStart(message: string): Promise<void> {
    const { final } = startError(message, this.#context.clock.wallMs())
    this.#final = final
    await this.files.writeFinal(final)
    await this.#release()
  }

  /** What the container is now. Looks at the files and the process, not at memory. */
  async status(): Promise<ContainerStatus> {
    try {
      await this.#refresh()
    } catch (error) {
      // What is known stands until the next look: one bad disk block must not hide other containers.
      this.#context.logger.warn('cannot look at a container', { id: this.record.id, error })
    }
    const state = this.#state()
    return toStatus(this.record, state, this.#claim, this.#final)
  }

  /**
   * SIGTERM, then up to `graceMs`, then SIGKILL to everything. With a stop under way, shortens it.
   */
  async stop(graceMs: number): Promise<void> {
    const deadlineMs = this.#context.clock.monotonicMs() + Math.max(graceMs, 0)
    if (this.#stopping !== undefined) {
      this.#stopping.deadlineMs = Math.min(this.#stopping.deadlineMs, deadlineMs)
      return await this.#stopping.done
    }
    const stopping = { deadlineMs, done: Promise.resolve() }
    stopping.done = this.#stop(stopping, graceMs > 0).finally(() => {
      this.#stopping = undefined
    })
    this.#stopping = stopping
    await stopping.done
  }

  /** Gives what runs other limits. @throws RuntimeError as `PodRuntime.updateLimits` does. */
  async updateLimits(wanted: Limits): Promise<void> {
    const { cgroups } = this.#context
    if (cgroups?.limits !== true)
      throw new RuntimeError('InvalidSpec', 'this machine cannot limit what runs')
    if ((await this.status()).state !== 'running')
      throw new RuntimeError('NotFound', `container "${this.record.id}" is not running`)
    // How willingly it is ended is a matter of each of its processes, from their start.
    const { oomScoreAdjust } = this.record.limits
    const limits = { ...wanted, ...(oomScoreAdjust === undefined ? {} : { oomScoreAdjust }) }
    try {
      await cgroups.update(this.record.id, limits, this.record.limits)
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause)
      throw new RuntimeError('InvalidSpec', `cannot change the limits: ${detail}`, { cause })
    }
    const record = { ...this.record, limits }
    await this.files.writeRecord(record)
    this.#record = record
  }

  /** Looks for output and for the end, soon. */
  poll(): void {
    if (this.#final !== undefined || this.#isClosed) return
    this.#pump.wake()
    this.#refresh().catch((error: unknown) => {
      this.#context.logger.warn('cannot look at a container', { id: this.record.id, error })
    })
  }

  /** {@link poll} once its process is gone. Costs next to nothing while it is there. */
  glance(): void {
    if (this.#claim === undefined || !isPresent(this.#claim.pid)) this.poll()
  }

  /** Lets go without touching the process. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#unwatch()
    await this.#pump.settled()
    await this.#finishing?.catch(() => {})
  }

  /** Forgets an ended container: its directory goes, its log stays. */
  async remove(): Promise<void> {
    await this.close()
    await this.#release()
    await rm(this.files.directory, { recursive: true, force: true })
  }

  #state(): 'created' | 'running' | 'exited' {
    if (this.#final !== undefined) return 'exited'
    return this.#claim === undefined ? 'created' : 'running'
  }

  async #refuseIfFailed(cause: unknown): Promise<void> {
    await this.#refresh()
    if (this.#final?.reason !== 'StartError') return
    throw new RuntimeError('StartFailed', this.#final.message ?? 'cannot start', { cause })
  }

  async #stop(stopping: { deadlineMs: number }, askFirst: boolean): Promise<void> {
    const { clock } = this.#context
    await this.#refresh()
    const tree = await this.#processTree()
    if (this.#final !== undefined || tree === undefined) return
    if (askFirst) {
      await tree.ask(await this.files.inside())
      while (this.#final === undefined && clock.monotonicMs() < stopping.deadlineMs) {
        await delay(clock, LIMITS.killRoundMs)
        await this.#refresh()
      }
      if (this.#final !== undefined) return
    }
    await this.files.markKilled()
    if (!(await tree.kill())) {
      throw new RuntimeError('Unavailable', 'processes of the container cannot be killed')
    }
    await this.#refresh()
  }

  /** Brings memory up to what is on disk and in the process table. */
  async #refresh(): Promise<void> {
    if (this.#final !== undefined) return
    if (this.#finishing !== undefined) return await this.#finishing
    const { bootId, clock, cgroups } = this.#context
    this.#claim = await this.files.claim()
    const sameBoot = this.record.bootId === bootId
    const claim = this.#claim
    const alive = claim !== undefined && sameBoot && (await isAlive(claim.pid, claim.start))
    // Read after the look at the process: what ended in between has written its exit code by now.
    const verdict = judge({
      claim,
      alive,
      sameBoot,
      exit: await this.files.exit(),
      failure: await this.files.failure(),
      killed: await this.files.isKilled(),
      oomKilled: ((await cgroups?.oomKills(this.record.id)) ?? 0) > 0,
      nowMs: clock.wallMs(),
    })
    if (verdict.state !== 'ended' || this.#final !== undefined) return
    this.#finishing ??= this.#finish(verdict.final, sameBoot).finally(() => {
      this.#finishing = undefined
    })
    await this.#finishing
  }

  /** The end: nothing of the container is left running, its log is whole, its end is on disk. */
  async #finish(final: Final, sameBoot: boolean): Promise<void> {
    const { logger } = this.#context
    if (sameBoot && !(await ((await this.#processTree())?.kill() ?? true))) {
      logger.error('processes of an ended container cannot be killed', { id: this.record.id })
    }
    try {
      await this.#pump.finish()
    } catch (error) {
      // The next look tries again.
      if (isNoRoom(error)) throw error
      logger.warn('the end of a container log is lost', { logPath: this.record.logPath, error })
    }
    await this.files.writeFinal(final)
    this.#final = final
    await this.#release()
    this.#context.changed(this.record.podUid)
  }

  async #release(): Promise<void> {
    this.#unwatch()
    try {
      await this.#context.cgroups?.remove(this.record.id)
    } catch (error) {
      this.#context.logger.warn('cannot remove a cgroup', { id: this.record.id, error })
    }
  }

  async #processTree(): Promise<ProcessTree | undefined> {
    this.#claim ??= await this.files.claim()
    if (this.#claim === undefined) return undefined
    const { cgroups, clock } = this.#context
    this.#tree ??= new ProcessTree({
      id: this.record.id,
      directory: this.files.directory,
      claim: this.#claim,
      cgroups,
      clock,
    })
    return this.#tree
  }

  #wake(): void {
    this.poll()
    this.#context.changed(this.record.podUid)
  }

  #watch(): void {
    try {
      this.#watcher ??= watch(this.files.directory, { persistent: false }, (_event, name) => {
        if (name === 'exit') this.#wake()
        else if (name === 'stdout' || name === 'stderr') this.#pump.wake()
      })
      // The slow poll does the same, later.
      this.#watcher.on('error', () => this.#unwatch())
    } catch (error) {
      this.#context.logger.debug('cannot watch a container directory', { error })
    }
  }

  #unwatch(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }
}
