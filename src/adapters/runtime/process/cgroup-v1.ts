import { existsSync } from 'node:fs'
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errorCode, isNotFound } from '../atomic-file.ts'
import type { Limits } from '../index.ts'
import { type Cgroups, isWritable, readCount, readProcesses } from './cgroup-files.ts'
import { workingSetOf } from './process-usage.ts'

/** The period over which a CPU quota counts, in microseconds; what kubelet uses. */
export const CPU_PERIOD_US = 100_000
/** The kernel refuses quotas below one millisecond. */
export const CPU_QUOTA_US_MIN = 1_000
const SHARES_PER_CPU = 1024
const SHARES_MIN = 2
const CONTROLLERS = ['freezer', 'pids', 'memory', 'cpu'] as const

const REMOVE_TRIES_MAX = 50
const REMOVE_RETRY_MS = 10

type Controller = (typeof CONTROLLERS)[number]

/** The version 1 hierarchies in which groups can be made, by controller. */
export async function findControllers(mount: string): Promise<ReadonlyMap<Controller, string>> {
  const found = new Map<Controller, string>()
  for (const controller of CONTROLLERS) {
    const path = join(mount, controller)
    const isOne = await readFile(join(path, 'tasks'), 'utf8').then(
      () => true,
      () => false,
    )
    if (isOne && (await isWritable(path))) found.set(controller, path)
  }
  return found
}

/**
 * Groups in cgroup version 1: freezer and pids for every container, to find its processes; memory and
 * cpu only for those with a limit or a request.
 */
export function cgroupsV1(controllers: ReadonlyMap<Controller, string>, root: string): Cgroups {
  const directory = (controller: Controller, id: string): string | undefined => {
    const path = controllers.get(controller)
    return path === undefined ? undefined : join(path, root, id)
  }
  const tracker: Controller | undefined = CONTROLLERS.find((each) => controllers.has(each))

  return {
    version: 1,
    limits: controllers.has('memory') && controllers.has('cpu'),
    async create(id, limits) {
      const files: string[] = []
      for (const controller of CONTROLLERS) {
        const settings = settingsOf(controller, limits)
        const path = directory(controller, id)
        if (path === undefined || (settings.length === 0 && !isAlways(controller, tracker)))
          continue
        await mkdir(path, { recursive: true })
        for (const setting of settings) await apply(path, setting)
        files.push(join(path, 'cgroup.procs'))
      }
      return files
    },
    files: (id) =>
      [...controllers.values()]
        .map((path) => join(path, root, id, 'cgroup.procs'))
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
      for (const path of controllers.values()) await removeGroup(join(path, root, id))
    },
    async removeRoot() {
      for (const path of controllers.values()) await rmdir(join(path, root)).catch(() => {})
    },
  }
}

interface Setting {
  readonly file: string
  readonly value: string
  /** The kernel may be built without it. */
  readonly optional?: boolean
}

function settingsOf(controller: Controller, limits: Limits): readonly Setting[] {
  const { memoryBytes, cpuMillis, cpuRequestMillis } = limits
  if (controller === 'memory' && memoryBytes !== undefined) {
    return [
      { file: 'memory.limit_in_bytes', value: String(memoryBytes) },
      // Memory and swap together: no swapping past the limit.
      { file: 'memory.memsw.limit_in_bytes', value: String(memoryBytes), optional: true },
    ]
  }
  if (controller !== 'cpu') return []
  const settings: Setting[] = []
  if (cpuRequestMillis !== undefined) {
    const shares = Math.max(SHARES_MIN, Math.floor((cpuRequestMillis * SHARES_PER_CPU) / 1000))
    settings.push({ file: 'cpu.shares', value: String(shares) })
  }
  if (cpuMillis !== undefined) {
    const quota = Math.max(CPU_QUOTA_US_MIN, Math.floor((cpuMillis * CPU_PERIOD_US) / 1000))
    settings.push({ file: 'cpu.cfs_period_us', value: String(CPU_PERIOD_US) })
    settings.push({ file: 'cpu.cfs_quota_us', value: String(quota) })
  }
  return settings
}

function isAlways(controller: Controller, tracker: Controller | undefined): boolean {
  return controller === 'freezer' || controller === 'pids' || controller === tracker
}

async function apply(path: string, setting: Setting): Promise<void> {
  try {
    await writeFile(join(path, setting.file), setting.value)
  } catch (error) {
    if (setting.optional !== true) throw error
  }
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
