import { watch } from 'node:fs'
import { type FileHandle, open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Clock } from '../../../core/interfaces/clock.ts'

const READ_BYTES = 64 * 1024
/** A line longer than this is none of ours: entries are at most 16 KiB and a header. */
const LINE_BYTES_MAX = 1024 * 1024
const POLL_MS = 1_000
const NEWLINE = 0x0a

/** The files of one log, oldest first; the current one, if there is one, is last. */
export async function logFiles(path: string): Promise<readonly string[]> {
  const names: readonly string[] = await readdir(dirname(path)).catch(() => [])
  const prefix = `${basename(path)}.`
  const rotated = names.filter((name) => name.startsWith(prefix)).sort()
  const current = names.includes(basename(path)) ? [basename(path)] : []
  return [...rotated, ...current].map((name) => join(dirname(path), name))
}

/** Reads whole lines of one open file, from where it stopped last time. */
export class LineReader {
  readonly #file: FileHandle
  #position: number
  #rest: Uint8Array = new Uint8Array(0)

  constructor(file: FileHandle, position: number) {
    this.#file = file
    this.#position = position
  }

  /** The next lines, without newlines; none at the end of what is there. */
  async next(): Promise<readonly Uint8Array[]> {
    // A piece without any newline is not the end.
    for (let lines = await this.#piece(); lines !== undefined; lines = await this.#piece()) {
      if (lines.length > 0) return lines
    }
    return []
  }

  /** The lines that end in the next piece of the file; undefined at its end. */
  async #piece(): Promise<readonly Uint8Array[] | undefined> {
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    const { bytesRead } = await this.#file.read(buffer, 0, READ_BYTES, this.#position)
    if (bytesRead === 0) return undefined
    this.#position += bytesRead
    const bytes = Buffer.concat([this.#rest, buffer.subarray(0, bytesRead)])
    const lines: Uint8Array[] = []
    let at = 0
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      lines.push(bytes.subarray(at, end))
      at = end + 1
    }
    this.#rest = bytes.subarray(at)
    if (this.#rest.length > LINE_BYTES_MAX) this.#rest = new Uint8Array(0)
    return lines
  }
}

/** Where to begin so that the last `count` lines of the files follow: a file and a place in it. */
export async function findTail(
  files: readonly string[],
  count: number,
): Promise<{ readonly index: number; readonly position: number }> {
  let left = count
  for (let index = files.length - 1; index >= 0; index -= 1) {
    const path = files[index]
    if (path === undefined) break
    const found = await tailOf(path, left)
    if (found.position !== undefined) return { index, position: found.position }
    left -= found.lines
  }
  return { index: 0, position: 0 }
}

/** The place before the last `count` lines of a file, or how many lines it has when that is fewer. */
async function tailOf(
  path: string,
  count: number,
): Promise<{ readonly position: number | undefined; readonly lines: number }> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    if (count === 0) return { position: size, lines: 0 }
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    let lines = 0
    for (let end = size; end > 0; ) {
      const start = Math.max(0, end - READ_BYTES)
      const { bytesRead } = await file.read(buffer, 0, end - start, start)
      for (let at = bytesRead - 1; at >= 0; at -= 1) {
        if (buffer[at] !== NEWLINE) continue
        // The newline before the wanted lines is one more than there are lines.
        if (lines === count) return { position: start + at + 1, lines }
        lines += 1
      }
      end = start
    }
    return { position: lines >= count ? 0 : undefined, lines }
  } finally {
    await file.close()
  }
}

/** The file that comes after the one with this inode; undefined while it is the current one. */
export async function fileAfter(path: string, inode: number): Promise<string | undefined> {
  const files = await logFiles(path)
  for (const [index, file] of files.entries()) {
    const found = await stat(file).catch(() => undefined)
    if (found?.ino === inode) return files[index + 1]
  }
  // Ours was removed meanwhile: what is left of the log is all newer.
  return files[0]
}

/** Resolves when a log may have grown: on a change of its directory, after a while, or on abort. */
export function logChange(path: string, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let watcher: ReturnType<typeof watch> | undefined
    const done = (): void => {
      cancel()
      watcher?.close()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.schedule(POLL_MS, done)
    signal.addEventListener('abort', done)
    try {
      watcher = watch(dirname(path), { persistent: false }, done)
      watcher.on('error', () => {})
    } catch {
      // The poll finds it.
    }
  })
}
