import type { INamespace } from 'protobufjs/light.js'
import type { Cancel, Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import { delay } from '../delay.ts'
import { messageReader, serviceCodec } from './codec.ts'
import containerdEvents from './containerd-events.json' with { type: 'json' }
import cri from './cri.json' with { type: 'json' }
import { isUnknownCall } from './errors.ts'
import type { GrpcChannel } from './grpc.ts'

/** What {@link EngineEvents} works with. */
export interface EventsOptions {
  readonly channel: GrpcChannel
  readonly clock: Clock
  readonly logger: Logger
  /** The engine's own name: containerd's events say more than the interface's. */
  readonly engine: string
  /** Something happened to this container, or to nobody knows which one. */
  readonly onEvent: (containerId: string | undefined) => void
  /** Something happened to this container a while ago: what the engine says of it may be another by now. */
  readonly onAftermath: (containerId: string) => void
  /** A process that was started in a container began, or ended. Only some engines tell. */
  readonly onProcess: (event: ProcessEvent) => void
}

/** What an engine tells of a process beside the first one of a container. */
export interface ProcessEvent {
  readonly type: 'started' | 'exited'
  readonly containerId: string
  /** As the machine counts. */
  readonly pid: number
  /** Of one that has ended. */
  readonly exitCode: number
}

interface Envelope {
  readonly topic: string
  readonly event: { readonly value: Uint8Array } | null
}

interface TaskEvent {
  readonly containerId: string
  readonly id?: string
  readonly pid?: number
  readonly exitStatus?: number
}

const TOPICS = { started: '/tasks/exec-started', exited: '/tasks/exit' } as const

/** Where an engine tells what happens. */
type Source = 'cri' | 'containerd'

const RETRY_MS = 1_000
/** An engine tells of an end before its own interface says so: it is looked at again after these times. */
const ENDED_AFTER_MS: readonly number[] = [100, 1_000, 5_000]
/**
 * The engine's namespace for what came through the interface. That something begins is known to whoever
 * began it, except for commands in containers.
 */
const CONTAINERD_FILTER = 'namespace==k8s.io,topic~="^/tasks/(exit|oom|delete|exec-started)$"'
/** Without events there is only looking. Kubelet looks as often. */
const LOOK_MS = 1_000
/** With events: for what they may have left out, unless somebody lists everything anyway. */
const LOOK_RARELY_MS = 90_000

/**
 * Follows what an engine tells: by containerd's events where it is one, which also tell of processes that
 * sessions start, or by the interface's own. Where there are neither it asks for a look once a second.
 */
export class EngineEvents {
  readonly #options: EventsOptions
  readonly #ended = new AbortController()
  /** What was not tried yet, or works: the first is followed. */
  readonly #sources: Source[]
  /** Looks to come at containers that have ended. */
  readonly #looks = new Set<Cancel>()
  #cancel: Cancel | undefined

  constructor(options: EventsOptions) {
    this.#options = options
    this.#sources = options.engine === 'containerd' ? ['containerd', 'cri'] : ['cri', 'containerd']
  }

  /** Whether {@link EventsOptions.onProcess} is called. */
  get tellsProcesses(): boolean {
    return this.#sources[0] === 'containerd'
  }

  /** Begins. Failures are tried again until {@link close}. */
  start(): void {
    void this.#follow()
    this.#look()
  }

  close(): void {
    this.#ended.abort()
    this.#cancel?.()
    this.#cancel = undefined
    for (const cancel of this.#looks) cancel()
    this.#looks.clear()
  }

  /** Somebody has just listed everything: nothing has to be looked for now. */
  listed(): void {
    if (this.#sources.length === 0 || this.#cancel === undefined) return
    this.#cancel()
    this.#look()
  }

  #look(): void {
    const { clock, onEvent } = this.#options
    const delayMs = this.#sources.length === 0 ? LOOK_MS : LOOK_RARELY_MS
    this.#cancel = clock.schedule(delayMs, () => {
      onEvent(undefined)
      this.#look()
    })
  }

  async #follow(): Promise<void> {
    const { clock, logger, onEvent } = this.#options
    while (!this.#ended.signal.aborted && this.#sources.length > 0) {
      try {
        await (this.#sources[0] === 'cri' ? this.#followCri() : this.#followContainerd())
      } catch (error) {
        if (this.#ended.signal.aborted) return
        if (isUnknownCall(error)) {
          this.#sources.shift()
          if (this.#sources.length === 0) this.#lookMore()
          continue
        }
        logger.debug('the events of the engine ended', { error })
      }
      if (this.#ended.signal.aborted) return
      // What happened in between was told to nobody.
      onEvent(undefined)
      await delay(clock, RETRY_MS, this.#ended.signal)
      onEvent(undefined)
    }
  }

  #lookMore(): void {
    this.#options.logger.info('the engine tells no events: its containers are looked at instead')
    this.#cancel?.()
    this.#look()
  }

  async #followCri(): Promise<void> {
    const codec = serviceCodec(cri as INamespace, 'runtime.v1.RuntimeService')
    const method = 'GetContainerEvents'
    await this.#options.channel.call({
      path: codec.path(method),
      request: codec.encode(method, {}),
      signal: this.#ended.signal,
      onMessage: (bytes) => {
        const { containerId } = codec.decode(method, bytes) as { readonly containerId: string }
        this.#options.onEvent(containerId)
      },
    })
  }

  async #followContainerd(): Promise<void> {
    const table = containerdEvents as INamespace
    const codec = serviceCodec(table, 'containerd.services.events.v1.Events')
    const name = 'containerd.services.events.v1.'
    const readers: Readonly<Record<string, (bytes: Uint8Array) => unknown>> & {
      any: (bytes: Uint8Array) => unknown
    } = {
      any: messageReader(table, `${name}TaskEvent`),
      [TOPICS.started]: messageReader(table, `${name}TaskExecStarted`),
      [TOPICS.exited]: messageReader(table, `${name}TaskExit`),
    }
    const method = 'Subscribe'
    await this.#options.channel.call({
      path: codec.path(method),
      request: codec.encode(method, { filters: [CONTAINERD_FILTER] }),
      signal: this.#ended.signal,
      onMessage: (bytes) => {
        const { topic, event } = codec.decode(method, bytes) as Envelope
        const read = readers[topic] ?? readers.any
        const told = read(event?.value ?? new Uint8Array()) as TaskEvent
        const { containerId, id = '', pid = 0, exitStatus = 0 } = told
        if (topic === TOPICS.started) this.#process('started', containerId, pid, 0)
        else if (topic === TOPICS.exited && id !== containerId)
          this.#process('exited', containerId, pid, exitStatus)
        else {
          this.#options.onEvent(containerId)
          if (topic === TOPICS.exited) this.#lookAgain(containerId)
        }
      },
    })
  }

  #lookAgain(containerId: string): void {
    for (const delayMs of ENDED_AFTER_MS) {
      const cancel = this.#options.clock.schedule(delayMs, () => {
        this.#looks.delete(cancel)
        this.#options.onAftermath(containerId)
      })
      this.#looks.add(cancel)
    }
  }

  #process(type: ProcessEvent['type'], containerId: string, pid: number, exitCode: number): void {
    this.#options.onProcess({ type, containerId, pid, exitCode })
  }
}
