import { mkdir, readFile, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Says that somebody has the directory open, and how many before did not close it. */
const FILE = 'opened'

/**
 * How many openers in a row ended without a close before the tables are checked: one that died may have
 * been killed, several may have died of what they read.
 */
export const ENDINGS_MAX = 2

/** How many openers in a row, up to now, ended without a close. */
export async function endingsOf(directory: string): Promise<number> {
  const text = await readFile(join(directory, FILE), 'utf8').catch(() => '')
  const count = Number.parseInt(text, 10)
  return Number.isSafeInteger(count) && count > 0 ? count : 0
}

/** Counts this opener as one that has not closed. A medium that refuses says so elsewhere. */
export async function noteOpened(directory: string, endings: number): Promise<void> {
  await mkdir(directory, { recursive: true }).catch(() => undefined)
  await noteEndings(directory, endings + 1)
}

/** Says how many openers in a row have not closed, now that this one has, or could not open. */
export async function noteEndings(directory: string, endings: number): Promise<void> {
  const path = join(directory, FILE)
  const noted = endings === 0 ? unlink(path) : writeFile(path, `${endings}\n`)
  await noted.catch(() => undefined)
}
