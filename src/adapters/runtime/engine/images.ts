import {
  type ImageStatus,
  type ImageStoreUsage,
  type RegistryLogin,
  RuntimeError,
  type RuntimeImages,
} from '../index.ts'
import { pullWithLogins } from '../pull-with-logins.ts'
import type { EngineClient } from './client.ts'
import { isMissing, toRuntimeError } from './errors.ts'
import type { ContainerRow, DiskMessage, ImageMessage, InfoMessage, PullLine } from './messages.ts'

/** Large images come over slow links. */
const PULL_TIMEOUT_MS = 60 * 60_000
/** Engines count what their layers take one by one. */
const DISK_TIMEOUT_MS = 5 * 60_000
const NAME_OF_NONE = /<none>/

/** The images of an engine. */
export class EngineImages implements RuntimeImages {
  readonly #client: EngineClient
  /** What sandboxes are made of: it stays. */
  readonly #pauseImage: string

  constructor(client: EngineClient, pauseImage: string) {
    this.#client = client
    this.#pauseImage = pauseImage
  }

  async image(reference: string): Promise<ImageStatus | undefined> {
    try {
      const path = `/images/${encodeURIComponent(reference)}/json`
      return statusOf(await this.#client.call<ImageMessage>({ path }))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw toRuntimeError(error, 'Unavailable')
    }
  }

  async pullImage(reference: string, logins: readonly RegistryLogin[]): Promise<ImageStatus> {
    return await pullWithLogins(reference, logins, async (login) => {
      await this.#pull(reference, login)
      return await this.image(reference)
    })
  }

  async images(): Promise<readonly ImageStatus[]> {
    return (await this.#rows()).map(statusOf)
  }

  async removeImage(id: string): Promise<void> {
    try {
      const path = `/images/${encodeURIComponent(id)}`
      await this.#client.tell({ method: 'DELETE', path, query: { force: true } })
    } catch (error) {
      if (!isMissing(error)) throw toRuntimeError(error, 'Unavailable')
    }
  }

  async inUse(): Promise<ReadonlySet<string>> {
    const used = new Set<string>()
    try {
      const query = { all: true }
      const path = '/containers/json'
      for (const row of await this.#client.call<readonly ContainerRow[]>({ path, query }))
        used.add(row.ImageID)
    } catch (error) {
      throw toRuntimeError(error, 'Unavailable')
    }
    const pause = await this.image(this.#pauseImage)
    if (pause !== undefined) used.add(pause.id)
    return used
  }

  async usage(): Promise<ImageStoreUsage> {
    try {
      const [info, disk] = await Promise.all([
        this.#client.call<InfoMessage>({ path: '/info' }),
        this.#client.call<DiskMessage>({
          path: '/system/df',
          query: { type: 'image' },
          timeoutMs: DISK_TIMEOUT_MS,
        }),
      ])
      return { directory: info.DockerRootDir ?? '/', usedBytes: disk.LayersSize ?? 0 }
    } catch (error) {
      throw toRuntimeError(error, 'Unavailable')
    }
  }

  async #rows(): Promise<readonly ImageMessage[]> {
    try {
      return await this.#client.call<readonly ImageMessage[]>({ path: '/images/json' })
    } catch (error) {
      throw toRuntimeError(error, 'Unavailable')
    }
  }

  async #pull(reference: string, login: RegistryLogin | undefined): Promise<void> {
    const headers = login === undefined ? {} : { 'x-registry-auth': authOf(login) }
    let refusal: string | undefined
    try {
      await this.#client.lines(
        {
          method: 'POST',
          path: '/images/create',
          query: { fromImage: reference },
          headers,
          timeoutMs: PULL_TIMEOUT_MS,
        },
        (line) => {
          refusal = (line as PullLine).error ?? refusal
        },
      )
    } catch (error) {
      throw pullFailure(error)
    }
    if (refusal !== undefined) throw new RuntimeError('PullFailed', refusal)
  }
}

/** An engine that cannot be reached is no failure of the registry. */
function pullFailure(error: unknown): unknown {
  const failure = toRuntimeError(error, 'PullFailed')
  const isOfRegistry = failure instanceof RuntimeError && failure.reason !== 'Unavailable'
  return isOfRegistry ? new RuntimeError('PullFailed', failure.message, { cause: error }) : failure
}

/** In the alphabet for addresses, filled up: without that Docker takes it for no login at all. */
function authOf({ username, password }: RegistryLogin): string {
  const text = Buffer.from(JSON.stringify({ username, password })).toString('base64')
  return text.replaceAll('+', '-').replaceAll('/', '_')
}

function statusOf({ Id, RepoTags, RepoDigests, Size, Config }: ImageMessage): ImageStatus {
  const [user = ''] = (Config?.User ?? '').split(':')
  const isNumber = /^\d+$/.test(user)
  return {
    id: Id,
    tags: (RepoTags ?? []).filter((name) => !NAME_OF_NONE.test(name)),
    digests: (RepoDigests ?? []).filter((name) => !NAME_OF_NONE.test(name)),
    sizeBytes: Size,
    uid: isNumber ? Number(user) : undefined,
    userName: isNumber || user === '' ? undefined : user,
  }
}
