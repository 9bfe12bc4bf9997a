import { randomBytes } from 'node:crypto'
import { access, constants, mkdir, readFile, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Limits } from '../index.ts'
import type { PodGroups } from './pod-groups.ts'
import type { ProcessUsage } from './process-usage.ts'
import { isNoneHere } from './scarcity.ts'

/** What cgroups do for containers. One group a container, named by the container's id. */
export interface Cgroups {
  readonly version: 1 | 2
  /** Memory and CPU limits work. */
  readonly limits: boolean
  /** So do limits of pods as a whole. */
  readonly podLimits: boolean
  /** The groups of such pods. */
  readonly pods: PodGroups
  /**
   * Makes the groups of a container.
   *
   * @returns the `cgroup.procs` files that its process has to write itself into.
   */
  create(id: string, limits: Limits): Promise<readonly string[]>
  /**
   * Gives a container other limits; what is absent is not limited any more.
   *
   * @param before what it has, put back when something is refused.
   * @throws when the kernel refuses, or when more memory is in use than it may have.
   */
  update(id: string, limits: Limits, before: Limits): Promise<void>
  /** The `cgroup.procs` files of the groups that a container has. */
  files(id: string): readonly string[]
  /** How often the kernel killed a process of the group for want of memory. */
  oomKills(id: string): Promise<number>
  /** What the group has used, as far as it tells: CPU time, and the working set of its memory. */
  usage(id: string): Promise<Partial<ProcessUsage>>
  /** The processes in the group. Empty when there is no group. */
  processes(id: string): Promise<readonly number[]>
  /** Asks for the whole group to stop or go on. Resolves to false where that cannot be done. */
  freeze(id: string, frozen: boolean): Promise<boolean>
  /** Whether the whole group has come to rest. */
  isFrozen(id: string): Promise<boolean>
  /** Removes the empty groups of a container. */
  remove(id: string): Promise<void>
  /** Removes the root of all groups if nothing is left in it. */
  removeRoot(): Promise<void>
}

/** Whether directories can be made in `path`. */
export async function isWritable(path: string): Promise<boolean> {
  const probe = join(path, `tideway-probe-${randomBytes(6).toString('hex')}`)
  try {
    await access(path, constants.W_OK)
    await mkdir(probe)
    await rmdir(probe)
    return true
  } catch (error) {
    return isNoneHere(error)
  }
}

/** The number behind `name` in a file of lines such as `oom_kill 3`; 0 when there is none. */
export async function readCount(path: string, name: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch(() => '')
  const line = text.split('\n').find((each) => each.startsWith(`${name} `))
  return line === undefined ? 0 : Number(line.slice(name.length + 1))
}
