import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Cgroups, isWritable } from './cgroup-files.ts'
import { cgroupsV1, findControllers } from './cgroup-v1.ts'
import { cgroupsV2 } from './cgroup-v2.ts'
import { isNoneHere } from './scarcity.ts'

/**
 * Finds writable cgroups: version 1 (also beside an empty version 2) or version 2.
 *
 * @returns undefined when there are none, as on macOS and without privileges.
 */
export async function findCgroups(root: string, mount: string): Promise<Cgroups | undefined> {
  if (process.platform !== 'linux') return undefined
  const controllers = await findControllers(mount)
  if (controllers.size > 0) return cgroupsV1(controllers, root)
  const isOne = await readFile(join(mount, 'cgroup.controllers')).then(() => true, isNoneHere)
  if (!isOne || !(await isWritable(mount))) return undefined
  return await cgroupsV2(mount, root)
}
