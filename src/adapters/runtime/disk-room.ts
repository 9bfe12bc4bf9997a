import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { errorCode } from './atomic-file.ts'
import { RuntimeError } from './index.ts'

/** What the start of one container writes beside its output, with room to spare. */
const START_BYTES = 64 * 1_024
const PROBE = 'room.probe'

/** Whether a file could not be written because its disk, or the share of this user, is full. */
export function isNoRoom(error: unknown): boolean {
  const code = errorCode(error)
  return code === 'ENOSPC' || code === 'EDQUOT'
}

/** What is told of a disk that is full. */
export function noRoomText(directory: string): string {
  return `no space left on the disk of ${directory}`
}

/**
 * Does what writes below a directory.
 *
 * @throws RuntimeError `Unavailable`, with the directory, when its disk is full.
 */
export async function withRoom<Result>(
  directory: string,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work()
  } catch (cause) {
    if (!isNoRoom(cause)) throw cause
    throw new RuntimeError('Unavailable', noRoomText(directory), { cause })
  }
}

/**
 * Makes sure that a directory has room for what a container cannot begin without. Looked at before, as
 * the end of a container that began by halves would count.
 *
 * @throws the error of the system when it has not.
 */
export async function assertRoom(directory: string): Promise<void> {
  const probe = join(directory, PROBE)
  const file = await open(probe, 'w', 0o600)
  try {
    await file.writeFile(new Uint8Array(START_BYTES))
  } finally {
    await file.close()
    await rm(probe, { force: true })
  }
}
