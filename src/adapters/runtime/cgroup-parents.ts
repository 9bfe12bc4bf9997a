import { readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'

const MOUNT = '/sys/fs/cgroup'

/**
 * Removes the cgroup of a pod from every hierarchy: engines make it and leave it behind. One that is
 * still in use stays.
 */
export async function removeCgroupParent(parent: string): Promise<void> {
  // With version 2 the one hierarchy is the mount itself; with version 1 each is a directory in it.
  const names: readonly string[] = await readdir(MOUNT).catch(() => [])
  await Promise.all(
    ['', ...names].map((name) => rmdir(join(MOUNT, name, parent)).catch(() => undefined)),
  )
}
