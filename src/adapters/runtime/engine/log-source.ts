import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isNotFound } from '../atomic-file.ts'

const READ_BYTES = 64 * 1024
/** A part of a line has 16 KiB at most, and a character takes at most six bytes. */
const LINE_BYTES_MAX = 1024 * 1024
const NEWLINE = 0x0a

/**
 * The lines of a log that somebody else writes, and moves aside when it is large: `log` becomes
 * `log.1`, that one `log.2`. Held open, so what was moved is read to its end.
 */
export class LogSource {
  readonly #path: string
  #file: FileHandle | undefined
  #inode = 0
  #at = 0
  #rest: Buffer = Buffer.alloc(0)

  constructor(path: string) {
    this.#path = path
  }

  /** Goes to the beginning of the oldest file. */
  async rewind(): Promise<void> {
    await this.close()
    await this.#first()
  }

  /** @returns the next lines, without their ends; none when there are no more by now. */
  async next(): Promise<readonly string[]> {
    while (true) {
      if (this.#file === undefined && !(await this.#first())) return []
      const bytes = await this.#read()
      if (bytes.length > 0) {
        const lines = this.#linesOf(bytes)
        if (lines.length > 0) return lines
        continue
      }
      if (!(await this.#follow())) return []
    }
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close()
  }

  async #first(): Promise<boolean> {
    while (true) {
      const [oldest] = await this.#files()
      if (oldest === undefined) return false
      if (await this.#open(oldest)) return true
    }
  }

  async #read(): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    const read = await this.#file?.read(buffer, 0, READ_BYTES, this.#at)
    const { bytesRead = 0 } = read ?? {}
    this.#at += bytesRead
    return buffer.subarray(0, bytesRead)
  }

  #linesOf(bytes: Buffer): readonly string[] {
    const whole = Buffer.concat([this.#rest, bytes])
    const end = whole.lastIndexOf(NEWLINE)
    this.#rest = Buffer.from(whole.subarray(end + 1))
    // What has no end is no line of a log.
    if (this.#rest.length > LINE_BYTES_MAX) this.#rest = Buffer.alloc(0)
    return end < 0 ? [] : whole.subarray(0, end).toString('utf8').split('\n')
  }

  /** Goes on with the next file when the writer has. What was written before it did is read first. */
  async #follow(): Promise<boolean> {
    const files = await this.#files()
    const at = files.findIndex(({ inode }) => inode === this.#inode)
    const next = at < 0 ? files[0] : files[at + 1]
    if (next === undefined) return false
    const late = await this.#read()
    if (late.length > 0) {
      this.#at -= late.length
      return true
    }
    await this.#open(next)
    return true
  }

  /** @returns whether it is read from now on. When it was moved meanwhile, all stays as it was. */
  async #open({ path, inode }: SourceFile): Promise<boolean> {
    let file: FileHandle
    try {
      file = await open(path, 'r')
    } catch (error) {
      if (isNotFound(error)) return false
      throw error
    }
    if ((await file.stat()).ino !== inode) {
      await file.close()
      return false
    }
    await this.close()
    this.#file = file
    this.#inode = inode
    this.#at = 0
    this.#rest = Buffer.alloc(0)
    return true
  }

  /** The files that there are, the oldest first. */
  async #files(): Promise<readonly SourceFile[]> {
    const name = basename(this.#path)
    const names: readonly string[] = await readdir(dirname(this.#path)).catch((error) => {
      if (isNotFound(error)) return []
      throw error
    })
    const numbers = names
      .filter((each) => each.startsWith(`${name}.`))
      .map((each) => Number(each.slice(name.length + 1)))
      .filter((each) => Number.isInteger(each))
      .sort((a, b) => b - a)
    const paths = [...numbers.map((each) => `${name}.${each}`), name]
    const found = await Promise.all(
      paths.map(async (each) => {
        const path = join(dirname(this.#path), each)
        const seen = await stat(path).catch(() => undefined)
        return seen === undefined ? undefined : { path, inode: seen.ino }
      }),
    )
    return found.filter((each) => each !== undefined)
  }
}

interface SourceFile {
  readonly path: string
  readonly inode: number
}
