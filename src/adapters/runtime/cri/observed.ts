import { podUidOf, sandboxSpecOf, selectorOf } from '../identity.ts'
import type { ContainerStatus, RuntimeState, SandboxStatus } from '../index.ts'
import type { CriClient } from './client.ts'
import { isMissing } from './errors.ts'
import type {
  ContainerItem,
  ContainerStatusMessage,
  SandboxItem,
  SandboxStatusMessage,
} from './messages.ts'
import { containerStatus, isGivenUp, millisOf, sandboxStatus } from './status.ts'

const OOM_KILLED = 'OOMKilled'
/** How a container ended does not change any more after this. */
const SETTLED_MS = 10_000

/**
 * What an engine holds, as it says itself. Lists are asked for each time; what they leave out (when a
 * container began and how it ended, addresses) is asked for once for each state, as it does not change.
 */
export class ObservedState {
  readonly #client: CriClient
  readonly #owner: string
  readonly #wallMs: () => number
  readonly #details = new Map<string, ContainerStatusMessage>()
  readonly #networks = new Map<string, SandboxStatusMessage['network']>()
  /** The pods of containers that were seen: events name containers only. */
  readonly #pods = new Map<string, string>()

  constructor(client: CriClient, owner: string, wallMs: () => number) {
    this.#client = client
    this.#owner = owner
    this.#wallMs = wallMs
  }

  /** Everything, or what belongs to one pod: the newest sandbox first. */
  async list(podUid?: string): Promise<RuntimeState> {
    const filter = { labelSelector: selectorOf(this.#owner, podUid) }
    const [{ items }, { containers }] = await Promise.all([
      this.#client.call('ListPodSandbox', { filter }),
      this.#client.call('ListContainers', { filter }),
    ])
    const state = {
      sandboxes: await this.#sandboxes(items),
      containers: await this.#containers(containers),
    }
    if (podUid === undefined) this.#forgetOthers(items, containers)
    return state
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
    return (await this.#containers(containers))[0]
  }

  /** The containers in one sandbox. */
  async containersIn(podSandboxId: string): Promise<readonly ContainerStatus[]> {
    const filter = { podSandboxId, labelSelector: selectorOf(this.#owner) }
    const { containers } = await this.#client.call('ListContainers', { filter })
    return await this.#containers(containers)
  }

  /** A sandbox by its id alone, which has to exist. */
  async sandbox(podSandboxId: string): Promise<SandboxStatus> {
    const { status } = await this.#client.call('PodSandboxStatus', { podSandboxId })
    this.#networks.set(status.id, status.network)
    return sandboxStatus(status, status.network)
  }

  /** One sandbox as seen from outside. */
  async sandboxStatus(item: SandboxItem): Promise<SandboxStatus> {
    return sandboxStatus(item, await this.#networkOf(item))
  }

  /** Whether the engine gave up starting a container that was listed before: it cannot be started any more. */
  isGivenUp(containerId: string): boolean {
    return isGivenUp(this.#details.get(containerId))
  }

  /** The pod of a container that was listed before. */
  podOf(containerId: string): string | undefined {
    return this.#pods.get(containerId)
  }

  async #sandboxes(items: readonly SandboxItem[]): Promise<readonly SandboxStatus[]> {
    const known = items.filter((item) => sandboxSpecOf(item.annotations) !== undefined)
    const statuses = await Promise.all(known.map((item) => this.sandboxStatus(item)))
    return statuses.sort((a, b) => b.createdAtMs - a.createdAtMs)
  }

  async #containers(items: readonly ContainerItem[]): Promise<readonly ContainerStatus[]> {
    const found = await Promise.all(
      items.map(async (item) => {
        this.#pods.set(item.id, podUidOf(item.labels))
        const details = await this.#detailsOf(item)
        // Between the list and the look it may have begun, ended or gone.
        if (details === 'gone') return undefined
        return containerStatus(details === undefined ? item : { ...item, ...now(details) }, details)
      }),
    )
    return found.filter((status) => status !== undefined)
  }

  async #detailsOf(item: ContainerItem): Promise<ContainerStatusMessage | 'gone' | undefined> {
    if (item.state === 'CONTAINER_CREATED') return undefined
    const known = this.#details.get(item.id)
    if (known?.state === item.state && !this.#mayChange(known)) return known
    try {
      const request = { containerId: item.id, verbose: false }
      const { status } = await this.#client.call('ContainerStatus', request)
      this.#details.set(item.id, status)
      return status
    } catch (error) {
      if (isMissing(error)) return 'gone'
      throw error
    }
  }

  /** That memory was short an engine may learn after the end itself. */
  #mayChange({ state, reason, finishedAt }: ContainerStatusMessage): boolean {
    if (state !== 'CONTAINER_EXITED' || reason === OOM_KILLED) return false
    return Math.abs(this.#wallMs() - (millisOf(finishedAt) ?? 0)) < SETTLED_MS
  }

  async #networkOf(item: SandboxItem): Promise<SandboxStatusMessage['network']> {
    if (item.state !== 'SANDBOX_READY') return null
    const known = this.#networks.get(item.id)
    if (known !== undefined) return known
    try {
      const { status } = await this.#client.call('PodSandboxStatus', { podSandboxId: item.id })
      this.#networks.set(item.id, status.network)
      return status.network
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
  }

  #forgetOthers(sandboxes: readonly SandboxItem[], containers: readonly ContainerItem[]): void {
    const live = new Set([...sandboxes, ...containers].map(({ id }) => id))
    for (const map of [this.#details, this.#networks, this.#pods]) {
      for (const id of map.keys()) if (!live.has(id)) map.delete(id)
    }
  }
}

function now({ state }: ContainerStatusMessage): Pick<ContainerItem, 'state'> {
  return { state }
}
