import { existsSync } from 'node:fs'
import { mkdir, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readProcesses } from '../cgroup-processes.ts'
import type { Limits } from '../index.ts'
import { changedSettings, HANDED_DOWN, handDown, settingsOf } from '../unified-cgroup.ts'
import { type Cgroups, readCount } from './cgroup-files.ts'
import { removeGroup } from './cgroup-v1.ts'
import { PodGroups } from './pod-groups.ts'
import { cpuTimeOf, workingSetOf } from './process-usage.ts'

/** Groups in cgroup version 2, below `mount`/`root`. */
export async function cgroupsV2(mount: string, root: string): Promise<Cgroups> {
  const top = join(mount, root)
  await mkdir(top, { recursive: true })
  const enabled = await handDown([mount, top])
  const podLimits = HANDED_DOWN.every((each) => enabled.has(each))
  const pods = new PodGroups(root, podLimits)
  const directory = (id: string): string => join(top, pods.place(id))
  const change = async (path: string, limits: Limits): Promise<void> => {
    for (const { file, controller, value } of changedSettings(limits)) {
      if (controller === 'swap') await writeFile(join(path, file), value).catch(() => {})
      else if (enabled.has(controller)) await writeFile(join(path, file), value)
    }
  }

  return {
    version: 2,
    limits: enabled.has('memory') && enabled.has('cpu'),
    podLimits,
    pods,
    async create(id, limits) {
      const path = directory(id)
      await mkdir(path, { recursive: true })
      for (const { file, controller, value } of settingsOf(limits)) {
        // Accounting of swap is left out of some kernels, and then its file is missing.
        if (controller === 'swap') await writeFile(join(path, file), value).catch(() => {})
        else if (enabled.has(controller)) await writeFile(join(path, file), value)
      }
      return [join(path, 'cgroup.procs')]
    },
    async update(id, limits, before) {
      const path = directory(id)
      await refuseBelowUse(path, limits.memoryBytes)
      try {
        await change(path, limits)
      } catch (error) {
        // The refusal is what is told: what is put back was taken once.
        await change(path, before).catch(() => {})
        throw error
      }
    },
    files: (id) => [join(directory(id), 'cgroup.procs')].filter((path) => existsSync(path)),
    oomKills: (id) => readCount(join(directory(id), 'memory.events'), 'oom_kill'),
    async usage(id) {
      const [cpuNanos, memoryBytes] = await Promise.all([
        cpuTimeOf(directory(id)),
        workingSetOf(directory(id), 2),
      ])
      return {
        ...(cpuNanos === undefined ? {} : { cpuNanos }),
        ...(memoryBytes === undefined ? {} : { memoryBytes }),
      }
    },
    processes: (id) => readProcesses(join(directory(id), 'cgroup.procs')),
    freeze: (id, frozen) =>
      writeFile(join(directory(id), 'cgroup.freeze'), frozen ? '1' : '0').then(
        () => true,
        () => false,
      ),
    isFrozen: async (id) => (await readCount(join(directory(id), 'cgroup.events'), 'frozen')) === 1,
    async remove(id) {
      await removeGroup(directory(id))
      pods.forget(id)
    },
    removeRoot: () => rmdir(top).catch(() => {}),
  }
}

/** This version takes any limit, and then ends processes until it holds. */
async function refuseBelowUse(path: string, memoryBytes: number | undefined): Promise<void> {
  const usedBytes = await workingSetOf(path, 2)
  if (memoryBytes === undefined || usedBytes === undefined || usedBytes <= memoryBytes) return
  throw new Error(`${usedBytes} bytes of memory are in use`)
}
