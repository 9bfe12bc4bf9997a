import { podUidOf, sandboxSpecOf, selectorOf } from '../identity.ts'
import type { ContainerStatus, RuntimeState, SandboxStatus } from '../index.ts'
import { wasShortOfMemory } from '../kernel-oom.ts'
import { SharedLook } from '../shared-look.ts'
import type { CriClient } from './client.ts'
import { isMissing } from './errors.ts'
import type { ContainerItem, SandboxItem, SandboxStatusMessage } from './messages.ts'
import {
  type ContainerDetails,
  containerStatus,
  isGivenUp,
  millisOf,
  sandboxStatus,
} from './status.ts'

const OOM_KILLED = 'OOMKilled'
const KILLED_CODE = 137
/** How a container ended does not change any more after this. */
const SETTLED_MS = 10_000
/** So many pods are asked for one by one at the same time; to list everything costs as much as two of them. */
const ALONE_MAX = 2
/** How many pods in a list of everything cost as much as one that is asked for alone. */
const LISTED_FOR_ONE = 16

/** What was seen of a container, and what was made of it. */
interface SeenContainer {
  readonly item: ContainerItem['state']
  readonly details: ContainerDetails | undefined
  readonly status: ContainerStatus
}

interface SeenSandbox {
  readonly item: SandboxItem['state']
  readonly status: SandboxStatus
}

/**
 * What an engine holds, as it says itself. Lists are asked for each time; what they leave out (when a
 * container began and how it ended, addresses) is asked for once for each state, as it does not change.
 */
export class ObservedState {
  readonly #client: CriClient
  readonly #owner: string
  readonly #wallMs: () => number
  readonly #containers = new Map<string, SeenContainer>()
  readonly #sandboxes = new Map<string, SeenSandbox>()
  /** The pods of containers and sandboxes that were seen: events name nothing else. */
  readonly #pods = new Map<string, string>()
  readonly #everything = new SharedLook(() => this.#listAll())
  /** How many pods are being asked for one by one. */
  #alone = 0

  constructor(client: CriClient, owner: string, wallMs: () => number) {
    this.#client = client
    this.#owner = owner
    this.#wallMs = wallMs
  }

  /** Everything, or what belongs to one pod: the newest sandbox first. */
  async list(podUid?: string): Promise<RuntimeState> {
    if (podUid === undefined) return await this.#everything.take()
    // Where many pods are looked at, it is less work for both sides to list all of them once.
    if (this.#alone >= ALONE_MAX + this.#sandboxes.size / LISTED_FOR_ONE)
      return only(podUid, await this.#everything.take())
    this.#alone += 1
    try {
      return (await this.#list(podUid)).state
    } finally {
      this.#alone -= 1
    }
  }

  /** Containers that ran when they were seen last. Nobody is asked. */
  get running(): readonly ContainerStatus[] {
    return [...this.#containers.values()]
      .map(({ status }) => status)
      .filter(({ state }) => state === 'running')
  }

  /** The sandboxes of one pod as the engine has them, the newest first. */
  async sandboxesOf(podUid: string): Promise<readonly SandboxItem[]> {
    const filter = { labelSelector: selectorOf(this.#owner, podUid) }
    const { items } = await this.#client.call('ListPodSandbox', { filter })
    return items.toSorted((a, b) => b.metadata.attempt - a.metadata.attempt)
  }

  /** One container; undefined when it does not exist. */
  async container(id: string): Promise<ContainerStatus | undefined> {
    const filter = { id, labelSelector: selectorOf(this.#owner) }
    const { containers } = await this.#client.call('ListContainers', { filter })
    return (await this.#statuses(containers))[0]
  }

  /** The containers in one sandbox. */
  async containersIn(podSandboxId: string): Promise<readonly ContainerStatus[]> {
    const filter = { podSandboxId, labelSelector: selectorOf(this.#owner) }
    const { containers } = await this.#client.call('ListContainers', { filter })
    return await this.#statuses(containers)
  }

  /** A sandbox by its id alone, which has to exist. */
  async sandbox(podSandboxId: string): Promise<SandboxStatus> {
    const { status } = await this.#client.call('PodSandboxStatus', { podSandboxId })
    return this.#seen(status, status.network)
  }

  /** One sandbox as seen from outside. */
  async sandboxStatus(item: SandboxItem): Promise<SandboxStatus> {
    const known = this.#sandboxes.get(item.id)
    if (known?.item === item.state) return known.status
    const network = await this.#networkOf(item)
    return network === 'gone' ? sandboxStatus(item, null) : this.#seen(item, network)
  }

  /** Whether the engine gave up starting a container that was listed before: it cannot be started any more. */
  isGivenUp(containerId: string): boolean {
    return isGivenUp(this.#containers.get(containerId)?.details)
  }

  /** The pod of a container or a sandbox that was seen before. */
  podOf(id: string): string | undefined {
    return this.#pods.get(id)
  }

  /** A container or a sandbox is gone. */
  forget(id: string): void {
    for (const map of this.#maps) map.delete(id)
  }

  get #maps(): readonly Map<string, unknown>[] {
    return [this.#containers, this.#sandboxes, this.#pods]
  }

  async #listAll(): Promise<RuntimeState> {
    const { state, ids } = await this.#list()
    for (const map of this.#maps) {
      for (const id of map.keys()) if (!ids.has(id)) map.delete(id)
    }
    return state
  }

  async #list(podUid?: string): Promise<{ state: RuntimeState; ids: ReadonlySet<string> }> {
    const filter = { labelSelector: selectorOf(this.#owner, podUid) }
    const [{ items }, { containers }] = await Promise.all([
      this.#client.call('ListPodSandbox', { filter }),
      this.#client.call('ListContainers', { filter }),
    ])
    const known = items.filter(
      ({ id, annotations }) => this.#sandboxes.has(id) || sandboxSpecOf(annotations) !== undefined,
    )
    const sandboxes = await Promise.all(known.map((item) => this.sandboxStatus(item)))
    const state = {
      sandboxes: sandboxes.sort((a, b) => b.createdAtMs - a.createdAtMs),
      containers: await this.#statuses(containers),
    }
    return { state, ids: new Set([...items, ...containers].map(({ id }) => id)) }
  }

  async #statuses(items: readonly ContainerItem[]): Promise<readonly ContainerStatus[]> {
    const found = await Promise.all(items.map((item) => this.#status(item)))
    return found.filter((status) => status !== undefined)
  }

  async #status(item: ContainerItem): Promise<ContainerStatus | undefined> {
    const known = this.#containers.get(item.id)
    const isAsBefore = known?.item === item.state && !this.#mayChange(known.details)
    return isAsBefore ? known.status : await this.#ask(item)
  }

  async #ask(item: ContainerItem): Promise<ContainerStatus | undefined> {
    this.#pods.set(item.id, podUidOf(item.labels))
    const details = await this.#detailsOf(item)
    // Between the list and the look it may have begun, ended or gone.
    if (details === 'gone') return undefined
    const state = details?.state ?? item.state
    const status = containerStatus({ ...item, state }, details)
    this.#containers.set(item.id, { item: state, details, status })
    return status
  }

  async #detailsOf({ id, state }: ContainerItem): Promise<ContainerDetails | 'gone' | undefined> {
    if (state === 'CONTAINER_CREATED') return undefined
    try {
      const request = { containerId: id, verbose: false }
      const details = detailsIn((await this.#client.call('ContainerStatus', request)).status)
      const hasEnded = this.#containers.get(id)?.details?.state === 'CONTAINER_EXITED'
      // The kernel tells it before the end: asked once, as reading its whole log takes milliseconds.
      return hasEnded ? details : withOom(id, details)
    } catch (error) {
      if (isMissing(error)) return 'gone'
      throw error
    }
  }

  /** That memory was short an engine may learn after the end itself. */
  #mayChange(details: ContainerDetails | undefined): boolean {
    if (details?.state !== 'CONTAINER_EXITED' || details.reason === OOM_KILLED) return false
    return Math.abs(this.#wallMs() - (millisOf(details.finishedAt) ?? 0)) < SETTLED_MS
  }

  #seen(item: SandboxItem, network: SandboxStatusMessage['network']): SandboxStatus {
    const status = sandboxStatus(item, network)
    this.#sandboxes.set(item.id, { item: item.state, status })
    this.#pods.set(item.id, status.uid)
    return status
  }

  async #networkOf(item: SandboxItem): Promise<SandboxStatusMessage['network'] | 'gone'> {
    if (item.state !== 'SANDBOX_READY') return null
    try {
      const { status } = await this.#client.call('PodSandboxStatus', { podSandboxId: item.id })
      return status.network
    } catch (error) {
      if (isMissing(error)) return 'gone'
      throw error
    }
  }
}

/** An engine that was away when memory was short is not told of it: the kernel still knows. */
function withOom(id: string, details: ContainerDetails): ContainerDetails {
  const { state, exitCode, reason } = details
  const isKilled = state === 'CONTAINER_EXITED' && exitCode === KILLED_CODE && reason === 'Error'
  return isKilled && wasShortOfMemory(id) ? { ...details, reason: OOM_KILLED } : details
}

/** What is kept of the answer: the rest of it, such as all mounts, is as large as everything else. */
function detailsIn(message: ContainerDetails): ContainerDetails {
  const { state, startedAt, finishedAt, exitCode, imageRef, reason } = message
  return { state, startedAt, finishedAt, exitCode, imageRef, reason, message: message.message }
}

function only(podUid: string, { sandboxes, containers }: RuntimeState): RuntimeState {
  return {
    sandboxes: sandboxes.filter(({ uid }) => uid === podUid),
    containers: containers.filter((container) => container.podUid === podUid),
  }
}
