import { readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isNotFound } from './atomic-file.ts'

/** The bounds of one container's log. */
export interface LogLimits {
  /** A file is rotated at this size. */
  readonly fileBytesMax: number
  /** Files that are kept, the current one included. */
  readonly filesMax: number
}

/**
 * Moves a log file aside and removes the oldest ones, so that `filesMax` are left once the writer
 * has started the next. Rotated files are called `<file>.<time>`; sorted by name they are in order.
 *
 * @returns where the file is now.
 */
export async function rotateLog(path: string, nowMs: number, filesMax: number): Promise<string> {
  const aside = await freeName(path, nowMs)
  await rename(path, aside)
  const rotated = await rotatedLogs(path)
  const surplus = rotated.length - Math.max(filesMax - 1, 0)
  for (const old of rotated.slice(0, Math.max(surplus, 0))) await rm(old, { force: true })
  return aside
}

/** The rotated files of a log, oldest first, without the current one. */
export async function rotatedLogs(path: string): Promise<readonly string[]> {
  const prefix = `${basename(path)}.`
  try {
    const names = await readdir(dirname(path))
    return names
      .filter(
        (name) => name.startsWith(prefix) && /^\d{8}-\d{6}\.\d{3}$/.test(name.slice(prefix.length)),
      )
      .sort()
      .map((name) => join(dirname(path), name))
  } catch (error) {
    if (isNotFound(error)) return []
    throw error
  }
}

/** A name after every other one, also when the clock went back or two rotations share a millisecond. */
async function freeName(path: string, nowMs: number): Promise<string> {
  const newest = (await rotatedLogs(path)).at(-1)
  let candidateMs = nowMs
  if (newest !== undefined) {
    const newestMs = parseSuffix(newest.slice(path.length + 1))
    if (newestMs >= candidateMs) candidateMs = newestMs + 1
  }
  return `${path}.${suffix(candidateMs)}`
}

function suffix(ms: number): string {
  // 2026-11-22T16:01:02.345Z becomes 20261122-160102.345.
  return new Date(ms).toISOString().slice(0, -1).replaceAll(/[-:]/g, '').replace('T', '-')
}

function parseSuffix(text: string): number {
  const match = /^(\d{4})(\d{2})(\d{2})-(\d{2})(\d{2})(\d{2}\.\d{3})$/.exec(text)
  if (match === null) return 0
  const [, year, month, day, hour, minute, second] = match
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

/** The size of a file, or undefined when there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
