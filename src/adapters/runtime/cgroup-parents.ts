import { readdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readProcesses } from './cgroup-processes.ts'
import { send } from './kill-family.ts'

const MOUNT = '/sys/fs/cgroup'
/** How often a group is tried to be emptied: what was killed needs a moment to be gone. */
const TRIES_MAX = 5
const TRY_AGAIN_MS = 50

/** The cgroup of a pod, absolute within each hierarchy. */
export function podCgroup(cgroupRoot: string, podUid: string): string {
  return `/${cgroupRoot}/pod${podUid}`
}

/**
 * Removes the cgroup of a pod that has ended from every hierarchy: engines make it and leave it behind.
 * An engine that was killed itself may have forgotten what it began: that is killed with its groups.
 */
export async function removeCgroupParent(parent: string): Promise<void> {
  // With version 2 the one hierarchy is the mount itself; with version 1 each is a directory in it.
  const names: readonly string[] = await readdir(MOUNT).catch(() => [])
  await Promise.all(['', ...names].map((name) => removeGroup(join(MOUNT, name, parent))))
}

async function removeGroup(path: string): Promise<void> {
  for (let tries = 0; tries < TRIES_MAX; tries += 1) {
    const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined)
    if (entries === undefined) return
    const below = entries.filter((entry) => entry.isDirectory())
    for (const { name } of below) await removeGroup(join(path, name))
    for (const pid of await readProcesses(join(path, 'cgroup.procs'))) send(pid, 'SIGKILL')
    const isGone = await rmdir(path).then(
      () => true,
      () => false,
    )
    if (isGone) return
    await sleep(TRY_AGAIN_MS)
  }
}
