import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Why tests with a disk of their own are skipped, for the list of reviewed skips. */
export const SMALL_DISK_REASON = 'run as root on Linux where file systems may be mounted'

/** A file system that is soon full. */
export interface SmallDisk {
  readonly directory: string
  /** Takes it away, whoever still uses it. */
  close(): Promise<void>
}

const run = promisify(execFile)

/** Mounts a small file system in memory; undefined where this process may not. */
export async function smallDisk(bytes: number): Promise<SmallDisk | undefined> {
  const directory = await mkdtemp(join(tmpdir(), 'tideway-disk-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory])
  } catch {
    await rm(directory, { recursive: true })
    return undefined
  }
  return {
    directory,
    async close() {
      await run('umount', ['-l', directory])
      await rm(directory, { recursive: true })
    },
  }
}
