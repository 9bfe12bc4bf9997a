import { selectorOf } from '../identity.ts'
import type { ContainerStatus, RuntimeState, SandboxStatus } from '../index.ts'
import { wasShortOfMemory } from '../kernel-oom.ts'
import type { EngineClient } from './client.ts'
import { isMissing } from './errors.ts'
import { labelFilter } from './labels.ts'
import type { ContainerDetails, ContainerRow, ImageMessage } from './messages.ts'
import { containerStatus, isSandbox, sandboxAttempt, sandboxStatus } from './status.ts'

/** What {@link ObservedState} works with. */
export interface ObservedOptions {
  readonly client: EngineClient
  readonly owner: string
  /** Whether the engine says itself that memory was short; else the kernel is asked. */
  readonly tellsOom: boolean
  /** Told of each container that is seen; resolves when the log of one that has ended is complete. */
  readonly seen: (container: ContainerStatus, sourcePath: string) => Promise<void>
}

const IMAGES_MAX = 1_000
const KILLED_CODE = 137

/**
 * What an engine holds, as it says itself. Lists are asked for each time; what they leave out (when a
 * container began and how it ended, addresses) is asked for once for each state, as it does not change.
 */
export class ObservedState {
  readonly #options: ObservedOptions
  readonly #sandboxes = new Map<string, Seen<SandboxStatus>>()
  readonly #containers = new Map<string, Seen<ContainerStatus>>()
  /** What stands for an image in statuses: its name with a digest where it came with one. */
  readonly #images = new Map<string, string>()
  /** Why containers did not start, where the engine does not keep it. */
  readonly #failures = new Map<string, string>()

  constructor(options: ObservedOptions) {
    this.#options = options
  }

  /** Everything, or what belongs to one pod: the newest sandbox first. */
  async list(podUid?: string): Promise<RuntimeState> {
    const rows = await this.rows(podUid)
    const [sandboxes, containers] = await Promise.all([
      Promise.all(rows.filter(isSandbox).map((row) => this.#sandboxOf(row))),
      Promise.all(rows.filter((row) => !isSandbox(row)).map((row) => this.#containerOf(row))),
    ])
    if (podUid === undefined) this.#forgetOthers(rows)
    return {
      sandboxes: sandboxes
        .filter((each) => each !== undefined)
        .sort((a, b) => b.createdAtMs - a.createdAtMs),
      containers: containers.filter((each) => each !== undefined),
    }
  }

  /** Everything as the engine lists it. */
  async rows(podUid?: string): Promise<readonly ContainerRow[]> {
    const { client, owner } = this.#options
    const filters = labelFilter(selectorOf(owner, podUid))
    return await client.call<readonly ContainerRow[]>({
      path: '/containers/json',
      query: { all: true, filters },
    })
  }

  /** The sandboxes of one pod, the newest first. */
  async sandboxesOf(podUid: string): Promise<readonly ContainerRow[]> {
    const rows = (await this.rows(podUid)).filter(isSandbox)
    return rows.sort((a, b) => sandboxAttempt(b) - sandboxAttempt(a))
  }

  /** One container or sandbox of this owner, as it is now; undefined when there is none. */
  async details(id: string): Promise<ContainerDetails | undefined> {
    const { client, owner } = this.#options
    try {
      const path = `/containers/${encodeURIComponent(id)}/json`
      const details = await client.call<ContainerDetails>({ path })
      const labels = details.Config.Labels ?? {}
      const isOurs = Object.entries(selectorOf(owner)).every(([key, text]) => labels[key] === text)
      return isOurs && details.Id === id ? details : undefined
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  /** One container as seen from outside; undefined when it does not exist. */
  async container(id: string): Promise<ContainerStatus | undefined> {
    const details = await this.details(id)
    return details === undefined ? undefined : await this.#statusOf(details)
  }

  /** The containers in one sandbox. */
  async containersIn(sandboxId: string, podUid: string): Promise<readonly ContainerStatus[]> {
    const { containers } = await this.list(podUid)
    return containers.filter((each) => each.sandboxId === sandboxId)
  }

  /** Remembers why a container did not start. */
  failed(id: string, why: string): void {
    this.#failures.set(id, why)
  }

  async #sandboxOf(row: ContainerRow): Promise<SandboxStatus | undefined> {
    const known = this.#sandboxes.get(row.Id)
    if (known?.state === row.State) return known.status
    const details = await this.details(row.Id)
    const status = details === undefined ? undefined : sandboxStatus(details)
    if (status !== undefined) keep(this.#sandboxes, row, details, status)
    return status
  }

  async #containerOf(row: ContainerRow): Promise<ContainerStatus | undefined> {
    const known = this.#containers.get(row.Id)
    if (known?.state === row.State) return known.status
    const details = await this.details(row.Id)
    // Between the list and the look it may have gone.
    const status = details === undefined ? undefined : await this.#statusOf(details)
    if (status !== undefined) keep(this.#containers, row, details, status)
    return status
  }

  async #statusOf(details: ContainerDetails): Promise<ContainerStatus> {
    const imageId = await this.#imageOf(details.Image)
    const told = containerStatus(details, imageId, this.#failures.get(details.Id))
    const isKilled = told.exitCode === KILLED_CODE && told.reason === 'Error'
    const isShort = isKilled && !this.#options.tellsOom && wasShortOfMemory(details.Id)
    const status = isShort ? { ...told, reason: 'OOMKilled' } : told
    await this.#options.seen(status, details.LogPath ?? '')
    return status
  }

  async #imageOf(id: string): Promise<string> {
    const known = this.#images.get(id)
    if (known !== undefined) return known
    const path = `/images/${encodeURIComponent(id)}/json`
    const found = await this.#options.client.call<ImageMessage>({ path }).catch((error) => {
      if (isMissing(error)) return undefined
      throw error
    })
    const name = found?.RepoDigests?.[0] ?? id
    if (this.#images.size >= IMAGES_MAX) this.#images.clear()
    this.#images.set(id, name)
    return name
  }

  #forgetOthers(rows: readonly ContainerRow[]): void {
    const live = new Set(rows.map(({ Id }) => Id))
    for (const map of [this.#sandboxes, this.#containers, this.#failures])
      for (const id of map.keys()) if (!live.has(id)) map.delete(id)
  }
}

interface Seen<Status> {
  /** As the engine calls it. */
  readonly state: string
  readonly status: Status
}

/** Only what runs, or has ended for good, is as it was the next time. */
function keep<Status>(
  map: Map<string, Seen<Status>>,
  row: ContainerRow,
  details: ContainerDetails | undefined,
  status: Status,
): void {
  const state = details?.State.Status
  if (state === row.State && (state === 'running' || state === 'exited'))
    map.set(row.Id, { state, status })
  else map.delete(row.Id)
}
