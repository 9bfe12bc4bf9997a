import { existsSync } from 'node:fs'
import { readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isPresent } from '../../src/adapters/runtime/process-table.ts'

const LIBRARIES = '/usr/lib'
const LIBRARY = 'faketime/libfaketime.so.1'
/** Where every program with such a clock keeps a file, named by its pid, until it ends in good order. */
const SHARED = '/dev/shm'
const SHARED_FILE = /^(?:sem\.)?faketime_\w+_(\d+)$/

/** Why tests with a clock of their own are skipped, for the list of reviewed skips. */
export const FALSE_CLOCK_REASON = "install Debian's faketime to put the clock of a program wrong"

/** A wall clock that is only some programs' own, and can be put wrong while they run. */
export interface FalseClock {
  /** The variables of a program that goes by it. Its clock for durations is the true one. */
  readonly env: Readonly<Record<string, string>>
  /** Puts it so many seconds ahead, or behind. Programs see it within a second. */
  put(aheadSeconds: number): Promise<void>
  /** Removes what programs left that were killed; after all of them have ended. */
  close(): Promise<void>
}

/** A clock that is right to begin with, kept in a file of this directory; undefined without faketime. */
export async function falseClock(directory: string): Promise<FalseClock | undefined> {
  const library = await findLibrary()
  if (library === undefined) return undefined
  const file = join(directory, 'false-clock')
  const put = async (aheadSeconds: number): Promise<void> => {
    await writeFile(`${file}.new`, `${aheadSeconds < 0 ? '' : '+'}${aheadSeconds}\n`)
    await rename(`${file}.new`, file)
  }
  await put(0)
  const env = {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    NO_FAKE_STAT: '1',
  }
  return { env, put, close: removeShared }
}

async function removeShared(): Promise<void> {
  for (const name of await readdir(SHARED)) {
    const pid = SHARED_FILE.exec(name)?.[1]
    if (pid !== undefined && !isPresent(Number(pid))) await rm(join(SHARED, name), { force: true })
  }
}

/** It is in the folder of the machine's architecture. */
async function findLibrary(): Promise<string | undefined> {
  for (const name of await readdir(LIBRARIES).catch(() => [])) {
    const path = join(LIBRARIES, name, LIBRARY)
    if (existsSync(path)) return path
  }
  return undefined
}
