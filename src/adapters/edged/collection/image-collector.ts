import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import type { ImageStatus, RuntimeImages } from '../../runtime/index.ts'
import { readDisk } from '../eviction/observe.ts'
import {
  bytesToFree,
  type ImageLimits,
  type ImageRecord,
  removableImages,
  usedPercent,
} from './image-choice.ts'

/** What an {@link ImageCollector} needs. */
export interface ImageCollectorOptions {
  readonly images: RuntimeImages
  readonly limits: ImageLimits
  readonly clock: Clock
  readonly logger: Logger
  /** The full names of images that pods of this node want. */
  readonly wanted: () => ReadonlySet<string>
  /** Tells of the node. */
  readonly tell: (reason: string, message: string) => void
}

type Seen = Pick<ImageRecord, 'seenAtMs' | 'usedAtMs'>

/**
 * Removes images that nobody uses when their disk gets full. When each was used is known since this
 * one began only.
 */
export class ImageCollector {
  readonly #options: ImageCollectorOptions
  readonly #seen = new Map<string, Seen>()
  #hasFailed = false

  constructor(options: ImageCollectorOptions) {
    this.#options = options
  }

  /** Looks once, and makes room when the disk of images is too full. Never fails. */
  async collect(): Promise<void> {
    const { logger, tell } = this.#options
    try {
      await this.#collect()
      this.#hasFailed = false
    } catch (error) {
      logger.warn('images could not be removed', { error })
      // Once may happen, as while an engine starts.
      if (this.#hasFailed)
        tell('ImageGCFailed', error instanceof Error ? error.message : `${error}`)
      this.#hasFailed = true
    }
  }

  /**
   * Removes every image that may go.
   *
   * @returns how many bytes that was.
   * @throws RuntimeError when the engine does not let it.
   */
  async removeUnused(): Promise<number> {
    return await this.#free(await this.#look(), Number.POSITIVE_INFINITY)
  }

  async #collect(): Promise<void> {
    const { images, limits, tell } = this.#options
    const records = await this.#look()
    const { directory } = await images.usage()
    const disk = (await readDisk(directory))?.bytes
    if (disk === undefined) throw new Error('invalid capacity 0 on image filesystem')
    const wanted = bytesToFree(disk, limits)
    if (wanted === 0) return
    const freed = await this.#free(records, wanted)
    if (freed >= wanted) return
    const message = `Insufficient free disk space on the node's image filesystem (${usedPercent(disk)}% of ${sizeText(disk.capacity)} used). Failed to free sufficient space by deleting unused images (freed ${freed} bytes). Investigate disk usage, as it could be used by active images, logs, volumes, or other data.`
    tell('FreeDiskSpaceFailed', message)
    throw new Error(message)
  }

  /** What is here, and what of it is in use. */
  async #look(): Promise<readonly ImageRecord[]> {
    const { images, clock, wanted } = this.#options
    const [here, inUse] = await Promise.all([images.images(), images.inUse()])
    const names = wanted()
    const nowMs = clock.monotonicMs()
    const isWanted = ({ tags, digests }: ImageStatus): boolean =>
      [...tags, ...digests].some((name) => names.has(name))
    const records = here.map((image): ImageRecord => {
      const isInUse = inUse.has(image.id) || isWanted(image)
      const { seenAtMs = nowMs, usedAtMs } = this.#seen.get(image.id) ?? {}
      const { id, sizeBytes } = image
      return { id, sizeBytes, isInUse, seenAtMs, usedAtMs: isInUse ? nowMs : usedAtMs }
    })
    this.#seen.clear()
    for (const { id, seenAtMs, usedAtMs } of records) this.#seen.set(id, { seenAtMs, usedAtMs })
    return records
  }

  /** @returns how many bytes went, by the sizes of images: what they share counts for each. */
  async #free(records: readonly ImageRecord[], bytesMin: number): Promise<number> {
    const { images, limits, clock, logger } = this.#options
    let freed = 0
    const failures: unknown[] = []
    for (const { id, sizeBytes } of removableImages(
      records,
      limits.ageMsMin,
      clock.monotonicMs(),
    )) {
      if (freed >= bytesMin) break
      try {
        await images.removeImage(id)
        this.#seen.delete(id)
        freed += sizeBytes
        logger.info('an image that nobody uses was removed', { id, sizeBytes })
      } catch (error) {
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
    return freed
  }
}

const UNITS = ['KiB', 'MiB', 'GiB'] as const

function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  let size = bytes / 1024
  for (const unit of UNITS) {
    if (size < 1024) return `${size.toFixed(1)} ${unit}`
    size /= 1024
  }
  return `${size.toFixed(1)} TiB`
}
