import { readdir } from 'node:fs/promises'
import { StorageCorruptError, StorageForeignError, UsageError } from '../../../core/errors.ts'
import type { Position } from '../../../core/ids.ts'
import type { Level } from './database.ts'
import { droppedRangeAt, lastDroppedRange } from './dropped-ranges.ts'
import {
  afterPrefix,
  decodePosition,
  FORMAT_KEY,
  isOurs,
  positionOf,
  recordKey,
  VERIFIED_KEY,
} from './keys.ts'
import { storageErrorOf } from './level-errors.ts'

/** The version of the format that this package writes. docs/storage-format.md has its history. */
export const FORMAT_VERSION: number = 1
const FORMAT_NAME = 'tideway-level'

/** Also the size of LevelDB's own log: what was dropped is gone from the disk after so much was written. */
export const WRITE_BUFFER_BYTES: number = 1 << 20

/** Opens a directory, and makes it ours when it is empty. */
export async function openLevel(directory: string): Promise<Level> {
  const { ClassicLevel } = await importClassicLevel()
  const level: Level = new ClassicLevel(directory, {
    keyEncoding: 'view',
    valueEncoding: 'view',
    writeBufferSize: WRITE_BUFFER_BYTES,
  })
  try {
    await level.open()
    await checkFormat(level, directory)
    return level
  } catch (error) {
    await level.close().catch(() => undefined)
    throw storageErrorOf(error, directory)
  }
}

/** What {@link verifyTail} found. */
export interface VerifiedTail {
  readonly head: Position
  /** Up to here earlier openers had checked: the caller keeps the head as the next one's start. */
  readonly verified: Position
  /** Nothing is missing. False only when that was accepted. */
  readonly isWhole: boolean
}

/**
 * Makes sure that every position after the last check has a record or was dropped,
 * up to the head.
 *
 * LevelDB leaves out damaged parts of its log without a word when it opens; numbering without gaps
 * is what brings that to light.
 *
 * @throws StorageCorruptError with the first position that is missing, unless damage is accepted.
 */
export async function verifyTail(
  level: Level,
  directory: string,
  { acceptDamage = false }: { readonly acceptDamage?: boolean | undefined } = {},
): Promise<VerifiedTail> {
  const stored = await level.get(VERIFIED_KEY)
  const verified = stored === undefined ? 0 : decodePosition(stored)
  let reached = verified
  let isWhole = true
  const assertGap = async (first: Position, last: Position): Promise<void> => {
    try {
      await assertDropped(level, first, last, directory)
    } catch (error) {
      if (!acceptDamage) throw error
      isWhole = false
    }
  }
  const keys = level.keys({ gt: recordKey(verified), lt: recordEnd() })
  try {
    for await (const key of keys) {
      const position = positionOf(key)
      if (position > reached + 1) await assertGap(reached + 1, position - 1)
      reached = position
    }
  } finally {
    await keys.close()
  }
  const dropped = await lastDroppedRange(level)
  if (dropped !== undefined && dropped.last > reached) {
    await assertGap(reached + 1, dropped.last)
    reached = dropped.last
  }
  return { head: reached, verified, isWhole }
}

/** @throws StorageCorruptError unless all of `first` to `last` was dropped on purpose. */
export async function assertDropped(
  level: Level,
  first: Position,
  last: Position,
  directory: string,
): Promise<void> {
  const range = await droppedRangeAt(level, first)
  if (range !== undefined && range.last >= last) return
  throw new StorageCorruptError('a record of the log is missing', {
    fields: { position: range === undefined ? first : range.last + 1, directory },
  })
}

/** The first key after all records. */
export function recordEnd(): Uint8Array {
  return afterPrefix(recordKey(0).subarray(0, 1))
}

/**
 * LevelDB passes over what it cannot read, so a damaged directory may look like one without a format, or
 * like an empty one. Making it ours then would lose all that it holds.
 */
async function assertNew(level: Level, directory: string): Promise<void> {
  const [first] = await level.keys({ limit: 1 }).all()
  if (first !== undefined && !isOurs(first)) {
    throw new StorageForeignError('the directory holds a LevelDB of another program', { directory })
  }
  const hasTables = (await readdir(directory)).some((name) => name.endsWith('.ldb'))
  if (first === undefined && !hasTables) return
  throw new StorageCorruptError('the directory is damaged: its format record is missing', {
    fields: { directory },
  })
}

async function checkFormat(level: Level, directory: string): Promise<void> {
  const stored = await level.get(FORMAT_KEY)
  if (stored === undefined) {
    await assertNew(level, directory)
    const value = new TextEncoder().encode(`${FORMAT_NAME} ${FORMAT_VERSION}`)
    await level.put(FORMAT_KEY, value, { sync: true })
    return
  }
  const [name, version] = new TextDecoder().decode(stored).split(' ')
  if (name === FORMAT_NAME && Number(version) === FORMAT_VERSION) return
  throw new StorageForeignError(
    'the directory was written in a format that this version cannot read',
    {
      directory,
      found: `${name} ${version}`.slice(0, 100),
      readable: `${FORMAT_NAME} ${FORMAT_VERSION}`,
    },
  )
}

async function importClassicLevel(): Promise<typeof import('classic-level')> {
  try {
    return await import('classic-level')
  } catch (cause) {
    const error = new UsageError(
      'USAGE_INVALID_ARGUMENT',
      'levelStorage() needs the package classic-level: run npm install classic-level',
      { package: 'classic-level' },
    )
    error.cause = cause
    throw error
  }
}
