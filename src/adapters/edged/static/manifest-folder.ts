import { type FSWatcher, watch } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cancel, Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'

/** What a {@link ManifestFolder} needs. */
export interface ManifestFolderOptions {
  readonly directory: string
  readonly clock: Clock
  readonly logger: Logger
  /**
   * What is in the folder now: the text of each file by its path. A file that cannot be read is left
   * out of neither list: `unreadable` holds its path.
   */
  readonly found: (
    texts: ReadonlyMap<string, string>,
    unreadable: ReadonlySet<string>,
  ) => Promise<void>
}

/** How often the folder is looked at when nobody says that it has changed. */
const LOOK_MS = 20_000
/** Whoever writes a file says so several times. */
const SETTLE_MS = 50
const FILE_BYTES_MAX = 10 * 2 ** 20
const FILES_MAX = 1_000

/** Looks at the files of a folder, and again whenever one of them may have changed. */
export class ManifestFolder {
  readonly #options: ManifestFolderOptions
  #watcher: FSWatcher | undefined
  #timer: Cancel | undefined
  #looking: Promise<void> | undefined
  #isDue = false
  #isClosed = false

  constructor(options: ManifestFolderOptions) {
    this.#options = options
  }

  /** The first look. Resolves when what was found has been taken. */
  async start(): Promise<void> {
    await this.#look()
  }

  /** Lets go of everything; what is under way ends first. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.()
    this.#unwatch()
    await this.#looking
  }

  async #look(): Promise<void> {
    this.#timer?.()
    if (this.#looking !== undefined) {
      this.#isDue = true
      return await this.#looking
    }
    this.#looking = this.#lookOnce()
      .catch((error: unknown) => {
        const { directory, logger } = this.#options
        logger.warn('cannot look at the folder of static pods', { directory, error })
      })
      .finally(() => {
        this.#looking = undefined
        if (!this.#isClosed) this.#later(this.#isDue ? SETTLE_MS : LOOK_MS)
        this.#isDue = false
      })
    await this.#looking
  }

  async #lookOnce(): Promise<void> {
    const { directory, logger, found } = this.#options
    // Before the look, so that nothing that changes during it is missed.
    this.#watch()
    const texts = new Map<string, string>()
    const unreadable = new Set<string>()
    const names = (await readdir(directory)).filter((name) => !name.startsWith('.')).sort()
    if (names.length > FILES_MAX)
      logger.warn('too many files in the folder of static pods', { directory, max: FILES_MAX })
    for (const name of names.slice(0, FILES_MAX)) {
      const path = join(directory, name)
      try {
        const facts = await stat(path)
        if (!facts.isFile()) continue
        if (facts.size > FILE_BYTES_MAX) throw new Error(`more than ${FILE_BYTES_MAX} bytes`)
        texts.set(path, await readFile(path, 'utf8'))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
        logger.warn('cannot read the manifest of a static pod', { file: path, error })
        unreadable.add(path)
      }
    }
    if (!this.#isClosed) await found(texts, unreadable)
  }

  #later(delayMs: number): void {
    this.#timer?.()
    if (this.#isClosed) return
    this.#timer = this.#options.clock.schedule(delayMs, () => void this.#look())
  }

  #watch(): void {
    if (this.#watcher !== undefined || this.#isClosed) return
    const { directory, logger } = this.#options
    try {
      this.#watcher = watch(directory, { persistent: false }, () => {
        if (this.#looking === undefined) this.#later(SETTLE_MS)
        else this.#isDue = true
      })
      // The slow look does the same, later.
      this.#watcher.on('error', () => this.#unwatch())
    } catch (error) {
      logger.debug('cannot watch the folder of static pods', { directory, error })
    }
  }

  #unwatch(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }
}
