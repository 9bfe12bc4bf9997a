import { lstat, opendir } from 'node:fs/promises'
import { join } from 'node:path'
import type { DiskUse } from '../../runtime/index.ts'

/** Directories that wait for their turn; what is in those past it is not counted. */
const PENDING_MAX = 20_000
/** Files with several names that are remembered, to be counted once. */
const LINKED_MAX = 20_000
const BLOCK_BYTES = 512
/** Looks at once: more do not make a disk faster. */
const BATCH = 32

/**
 * Counts what a directory takes on its file system, in steps. What is mounted below it belongs to
 * somebody else. It says at the end what there was while it walked: files may come and go meanwhile.
 */
export class DiskWalk {
  readonly #pending: string[]
  readonly #linked = new Set<string>()
  #device: number | undefined
  #bytes = 0
  #inodes = 0

  constructor(directory: string) {
    this.#pending = [directory]
  }

  /** What has been counted so far. */
  get use(): DiskUse {
    return { bytes: this.#bytes, inodes: this.#inodes }
  }

  /** Whether everything has been counted. */
  get isDone(): boolean {
    return this.#pending.length === 0
  }

  /**
   * Goes on for some entries: a directory that has been begun is read to its end, so that a step may
   * look at more, once.
   *
   * @returns how many entries it looked at.
   */
  async step(entriesMax: number): Promise<number> {
    let seen = 0
    while (seen < entriesMax) {
      const directory = this.#pending.pop()
      if (directory === undefined) break
      seen += await this.#read(directory)
    }
    return seen
  }

  async #read(directory: string): Promise<number> {
    let seen = 1
    if (this.#device === undefined) {
      const own = await lstat(directory).catch(() => undefined)
      if (own?.isDirectory() !== true) return seen
      this.#device = own.dev
      this.#count(own)
    }
    const entries = await opendir(directory).catch(() => undefined)
    if (entries === undefined) return seen
    let batch: string[] = []
    try {
      for await (const { name } of entries) {
        batch.push(join(directory, name))
        seen += 1
        if (batch.length < BATCH) continue
        await this.#look(batch)
        batch = []
      }
    } catch {
      // It went away while it was read.
    }
    await this.#look(batch)
    return seen
  }

  async #look(paths: readonly string[]): Promise<void> {
    await Promise.all(
      paths.map(async (path) => {
        const found = await lstat(path).catch(() => undefined)
        if (found === undefined || found.dev !== this.#device) return
        if (found.isDirectory()) {
          if (this.#pending.length < PENDING_MAX) this.#pending.push(path)
        } else if (found.nlink > 1) {
          const key = String(found.ino)
          if (this.#linked.has(key)) return
          if (this.#linked.size < LINKED_MAX) this.#linked.add(key)
        }
        this.#count(found)
      }),
    )
  }

  #count({ blocks }: { readonly blocks: number }): void {
    this.#bytes += blocks * BLOCK_BYTES
    this.#inodes += 1
  }
}
