import { chmod, lchown, lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** What the group gets, and what a directory is besides: its new files belong to the group, too. */
const WRITABLE = 0o660
const READABLE = 0o440
const DIRECTORY = 0o2110
/** A volume deeper than this was not made to be changed file by file. */
const DEPTH_MAX = 64

/** The group that the files of a volume belong to. */
export interface VolumeGroup {
  readonly gid: number
  /** Whether the group may write. */
  readonly isWritable: boolean
}

/** The permissions of a file or directory once it belongs to the group of its volume. */
export function groupMode(mode: number, isDirectory: boolean, isWritable: boolean): number {
  const added = isWritable ? WRITABLE : READABLE
  return (mode & 0o7777) | added | (isDirectory ? DIRECTORY : 0)
}

/**
 * Gives everything in a directory, and itself, to a group, as `fsGroup` asks. Links are given, not what
 * they lead to.
 *
 * @returns whether that is allowed to this process.
 */
export async function giveToGroup(
  path: string,
  { gid, isWritable }: VolumeGroup,
  depth = 0,
): Promise<boolean> {
  if (depth > DEPTH_MAX) return true
  const found = await lstat(path)
  try {
    if (found.gid !== gid) await lchown(path, found.uid, gid)
    if (found.isSymbolicLink()) return true
    const mode = groupMode(found.mode, found.isDirectory(), isWritable)
    // Also after a change of the owner, which takes bits away.
    if (found.gid !== gid || (found.mode & 0o7777) !== mode) await chmod(path, mode)
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
  if (!found.isDirectory()) return true
  for (const name of await readdir(path)) {
    if (!(await giveToGroup(join(path, name), { gid, isWritable }, depth + 1))) return false
  }
  return true
}

/**
 * Gives a file to a user.
 *
 * @returns whether that is allowed to this process.
 */
export async function giveToUser(path: string, uid: number): Promise<boolean> {
  const found = await lstat(path)
  if (found.uid === uid) return true
  try {
    await lchown(path, uid, found.gid)
    return true
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}

/** Whether a directory belongs to a group already, as a whole as far as that shows at its top. */
export async function belongsTo(path: string, group: VolumeGroup): Promise<boolean> {
  const found = await lstat(path)
  return (
    found.gid === group.gid &&
    (found.mode & 0o7777) === groupMode(found.mode, true, group.isWritable)
  )
}

function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EPERM'
}
