import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { nowMs } from './usage.ts'

/** Appends that are synced to disk, one after the other, in a file of their own: what the disk itself takes. */
export class RawDisk {
  readonly #path: string
  readonly #bytes: Uint8Array
  readonly #file: Awaited<ReturnType<typeof open>>

  private constructor(path: string, file: Awaited<ReturnType<typeof open>>, bytes: number) {
    this.#path = path
    this.#file = file
    this.#bytes = new Uint8Array(bytes).fill(0x5a)
  }

  static async open(directory: string, bytes: number): Promise<RawDisk> {
    const path = join(directory, 'raw-append')
    return new RawDisk(path, await open(path, 'a'), bytes)
  }

  /** One append with its sync, as LevelDB does them. */
  async syncMs(): Promise<number> {
    const begin = nowMs()
    await this.#file.write(this.#bytes)
    await this.#file.datasync()
    return nowMs() - begin
  }

  async close(): Promise<void> {
    await this.#file.close()
    await rm(this.#path, { force: true })
  }
}
