import {
  type ImageStatus,
  type ImageStoreUsage,
  type RegistryLogin,
  RuntimeError,
  type RuntimeImages,
} from '../index.ts'
import { pullWithLogins } from '../pull-with-logins.ts'
import type { CriClient } from './client.ts'
import { isMissing, toRuntimeError } from './errors.ts'
import type { ImageMessage } from './messages.ts'

/** Large images come over slow links. */
const PULL_TIMEOUT_MS = 60 * 60_000

/** The images of an engine, by its image service. */
export class CriImages implements RuntimeImages {
  readonly #client: CriClient

  constructor(client: CriClient) {
    this.#client = client
  }

  async image(reference: string): Promise<ImageStatus | undefined> {
    try {
      const { image } = await this.#client.call('ImageStatus', { image: { image: reference } })
      return image === null ? undefined : statusOf(image)
    } catch (error) {
      if (isMissing(error)) return undefined
      throw toRuntimeError(error, 'Unavailable')
    }
  }

  async pullImage(reference: string, logins: readonly RegistryLogin[]): Promise<ImageStatus> {
    return await pullWithLogins(reference, logins, async (auth) => {
      try {
        const request = { image: { image: reference }, ...(auth === undefined ? {} : { auth }) }
        const { imageRef } = await this.#client.call('PullImage', request, PULL_TIMEOUT_MS)
        return await this.image(imageRef)
      } catch (error) {
        throw pullFailure(error)
      }
    })
  }

  async images(): Promise<readonly ImageStatus[]> {
    try {
      const { images } = await this.#client.call('ListImages', {})
      return images.map(statusOf)
    } catch (error) {
      throw toRuntimeError(error, 'Unavailable')
    }
  }

  async removeImage(id: string): Promise<void> {
    try {
      await this.#client.call('RemoveImage', { image: { image: id } })
    } catch (error) {
      if (!isMissing(error)) throw toRuntimeError(error, 'Unavailable')
    }
  }

  async inUse(): Promise<ReadonlySet<string>> {
    try {
      const [{ images }, { containers }, { info }] = await Promise.all([
        this.#client.call('ListImages', {}),
        this.#client.call('ListContainers', { filter: {} }),
        this.#client.call('Status', { verbose: true }),
      ])
      // Engines call the image of a container by its id or by a digest, and that of sandboxes by a tag.
      const named = new Set(
        containers.flatMap(({ image, imageRef }) => [imageRef, image?.image ?? '']),
      )
      named.add(sandboxImageOf(info['config']))
      const isUsed = ({ id, repoTags, repoDigests, pinned }: ImageMessage): boolean =>
        pinned || [id, ...repoTags, ...repoDigests].some((name) => named.has(name))
      return new Set(images.filter(isUsed).map(({ id }) => id))
    } catch (error) {
      throw toRuntimeError(error, 'Unavailable')
    }
  }

  async usage(): Promise<ImageStoreUsage> {
    try {
      const { imageFilesystems } = await this.#client.call('ImageFsInfo', {})
      const [first] = imageFilesystems
      return {
        directory: first?.fsId?.mountpoint ?? '/',
        usedBytes: Number(first?.usedBytes?.value ?? 0),
      }
    } catch (error) {
      throw toRuntimeError(error, 'Unavailable')
    }
  }
}

/** An engine that cannot be reached is no failure of the registry. */
function pullFailure(error: unknown): unknown {
  const failure = toRuntimeError(error, 'PullFailed')
  const isOfRegistry = failure instanceof RuntimeError && failure.reason !== 'Unavailable'
  return isOfRegistry ? new RuntimeError('PullFailed', failure.message, { cause: error }) : failure
}

function statusOf(image: ImageMessage): ImageStatus {
  const { id, repoTags, repoDigests, size, uid, username } = image
  return {
    id,
    tags: repoTags,
    digests: repoDigests,
    sizeBytes: Number(size),
    uid: uid === null ? undefined : Number(uid.value),
    userName: username === '' ? undefined : username,
  }
}

/** What containerd says of its configuration; newer ones and other engines pin the image instead. */
function sandboxImageOf(config: string | undefined): string {
  try {
    const parsed: unknown = JSON.parse(config ?? '{}')
    const isNamed = typeof parsed === 'object' && parsed !== null && 'sandboxImage' in parsed
    return isNamed && typeof parsed.sandboxImage === 'string' ? parsed.sandboxImage : ''
  } catch {
    return ''
  }
}
