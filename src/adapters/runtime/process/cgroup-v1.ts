import { existsSync } from 'node:fs'
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode, isNotFound } from '../atomic-file.ts'
import { readProcesses } from '../cgroup-processes.ts'
import { applySetting } from '../cgroup-settings.ts'
import type { Limits } from '../index.ts'
import { changeMemory, cpuSettings, settingsOf } from '../split-cgroup.ts'
import { type Cgroups, isWritable, readCount } from './cgroup-files.ts'
import { PodGroups } from './pod-groups.ts'
import { workingSetOf } from './process-usage.ts'
import { isNoneHere } from './scarcity.ts'

const CONTROLLERS = ['freezer', 'pids', 'memory', 'cpu'] as const

const REMOVE_TRIES_MAX = 50
const REMOVE_RETRY_MS = 10
/** How often processes that appear meanwhile are looked for while all are moved into a group. */
const MOVE_ROUNDS_MAX = 20

type Controller = (typeof CONTROLLERS)[number]

/** What the limits of a pod as a whole are kept by. */
const POD_CONTROLLERS: readonly Controller[] = ['memory', 'cpu', 'pids']

/** The version 1 hierarchies in which groups can be made, by controller. */
export async function findControllers(mount: string): Promise<ReadonlyMap<Controller, string>> {
  const found = new Map<Controller, string>()
  for (const controller of CONTROLLERS) {
    const path = join(mount, controller)
    const isOne = await readFile(join(path, 'tasks'), 'utf8').then(() => true, isNoneHere)
    if (isOne && (await isWritable(path))) found.set(controller, path)
  }
  return found
}

/**
 * Groups in cgroup version 1: freezer and pids for every container, to find its processes, and memory,
 * so that what it uses is known when it gets a limit later; cpu only for those with a limit or a
 * request, because a group counts as much as every process outside of groups.
 */
export function cgroupsV1(controllers: ReadonlyMap<Controller, string>, root: string): Cgroups {
  const podLimits = POD_CONTROLLERS.every((each) => controllers.has(each))
  const pods = new PodGroups(root, podLimits)
  const directory = (controller: Controller, id: string): string | undefined => {
    const path = controllers.get(controller)
    return path === undefined ? undefined : join(path, root, pods.place(id))
  }
  const tracker: Controller | undefined = CONTROLLERS.find((each) => controllers.has(each))

  return {
    version: 1,
    limits: controllers.has('memory') && controllers.has('cpu'),
    podLimits,
    pods,
    async create(id, limits) {
      const files: string[] = []
      for (const controller of CONTROLLERS) {
        const settings = settingsOf(controller, limits)
        const path = directory(controller, id)
        if (path === undefined || (settings.length === 0 && !isAlways(controller, tracker)))
          continue
        await mkdir(path, { recursive: true })
        for (const setting of settings) await applySetting(path, setting)
        files.push(join(path, 'cgroup.procs'))
      }
      return files
    },
    async update(id, limits, before) {
      const memory = directory('memory', id)
      const cpu = directory('cpu', id)
      const from = tracker === undefined ? undefined : directory(tracker, id)
      if (memory === undefined || cpu === undefined || from === undefined) return
      // A container of an earlier version has no memory group.
      await joinGroup(from, memory)
      const isShared = existsSync(cpu) || settingsOf('cpu', limits).length > 0
      if (isShared) await joinGroup(from, cpu)
      const change = async (wanted: Limits): Promise<void> => {
        await changeMemory(memory, wanted.memoryBytes)
        for (const setting of isShared ? cpuSettings(wanted) : []) await applySetting(cpu, setting)
      }
      try {
        await change(limits)
      } catch (error) {
        // The refusal is what is told: what is put back was taken once.
        await change(before).catch(() => {})
        throw error
      }
    },
    files: (id) =>
      [...controllers.values()]
        .map((path) => join(path, root, pods.place(id), 'cgroup.procs'))
        .filter((path) => existsSync(path)),
    async oomKills(id) {
      const path = directory('memory', id)
      return path === undefined ? 0 : await readCount(join(path, 'memory.oom_control'), 'oom_kill')
    },
    async usage(id) {
      const path = directory('memory', id)
      const memoryBytes = path === undefined ? undefined : await workingSetOf(path, 1)
      return memoryBytes === undefined ? {} : { memoryBytes }
    },
    async processes(id) {
      const path = tracker === undefined ? undefined : directory(tracker, id)
      return path === undefined ? [] : await readProcesses(join(path, 'cgroup.procs'))
    },
    async freeze(id, frozen) {
      const path = directory('freezer', id)
      if (path === undefined) return false
      const state = frozen ? 'FROZEN' : 'THAWED'
      return await writeFile(join(path, 'freezer.state'), state).then(
        () => true,
        () => false,
      )
    },
    async isFrozen(id) {
      const path = directory('freezer', id)
      if (path === undefined) return false
      const state = await readFile(join(path, 'freezer.state'), 'utf8').catch(() => '')
      return state.trim() === 'FROZEN'
    },
    async remove(id) {
      for (const path of controllers.values()) await removeGroup(join(path, root, pods.place(id)))
      pods.forget(id)
    },
    async removeRoot() {
      for (const path of controllers.values()) await rmdir(join(path, root)).catch(() => {})
    },
  }
}

/** Puts every process of one group into another as well, where it is not there yet. */
async function joinGroup(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true })
  const target = join(to, 'cgroup.procs')
  for (let round = 0; round < MOVE_ROUNDS_MAX; round += 1) {
    const inside = new Set(await readProcesses(target))
    const outside = await readProcesses(join(from, 'cgroup.procs'))
    const missing = outside.filter((pid) => !inside.has(pid))
    if (missing.length === 0) return
    // One that has ended meanwhile is not missed.
    for (const pid of missing) await writeFile(target, String(pid)).catch(() => {})
  }
}

function isAlways(controller: Controller, tracker: Controller | undefined): boolean {
  return controller !== 'cpu' || controller === tracker
}

/**
 * Removes an empty group. One that is not there is fine; one whose last process is just going is
 * tried again for a moment.
 */
export async function removeGroup(path: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await rmdir(path)
    } catch (error) {
      if (isNotFound(error)) return
      if (errorCode(error) !== 'EBUSY' || tries === REMOVE_TRIES_MAX) throw error
      await sleep(REMOVE_RETRY_MS)
    }
  }
}
