import { mkdir, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Mount } from '../index.ts'
import { isUnder, type MountPointInVolume } from './mount-plan.ts'

/**
 * Makes a link for every volume below `root`, at its mount path, where it can be found whether or not
 * mounts work. A volume inside another one gets no link: that would be made in the outer volume.
 */
export async function linkVolumes(root: string, mounts: readonly Mount[]): Promise<void> {
  await rm(root, { recursive: true, force: true })
  await mkdir(root, { recursive: true })
  for (const mount of mounts) {
    if (mounts.some((other) => isUnder(mount.path, other.path))) continue
    const link = join(root, mount.path)
    await mkdir(dirname(link), { recursive: true })
    await symlink(mount.source, link)
  }
}

/** Makes a mount point inside a volume. */
export async function makeMountPoint(point: MountPointInVolume): Promise<void> {
  if (point.kind === 'dir') {
    await mkdir(point.path, { recursive: true })
    return
  }
  await mkdir(dirname(point.path), { recursive: true })
  await writeFile(point.path, '', { flag: 'a' })
}
