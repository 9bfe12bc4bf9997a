import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { removeCgroupParent } from './cgroup-parents.ts'
import { applySetting, type Setting } from './cgroup-settings.ts'
import { type PodLimits, RuntimeError } from './index.ts'
import { changeMemory, cpuSettings } from './split-cgroup.ts'
import { changedSettings } from './unified-cgroup.ts'

const MOUNT = '/sys/fs/cgroup'
/** What containers below are limited by has to be handed down to them (version 2). */
const HANDED_DOWN = ['memory', 'cpu', 'pids'] as const

/**
 * Gives the cgroup that all containers of a pod are in its limits, and makes it where it is missing. What
 * is absent is not limited, or not any more.
 *
 * @param parent absolute within each hierarchy, such as `/tideway/podUID`.
 * @throws an error when the kernel refuses, or nobody may make groups here.
 */
export async function setPodLimits(
  parent: string,
  limits: PodLimits,
  mount: string = MOUNT,
): Promise<void> {
  if (existsSync(join(mount, 'cgroup.controllers'))) await setInOne(join(mount, parent), limits)
  else await setInEach(mount, parent, limits)
}

/**
 * The same for a pod that is about to get its sandbox.
 *
 * @throws RuntimeError `InvalidSpec` when a limit cannot be kept. A share of CPU that cannot be given is
 * passed over: the pod runs as one of many.
 */
export async function makePodGroup(parent: string, limits: PodLimits | undefined): Promise<void> {
  if (limits === undefined) return
  try {
    await setPodLimits(parent, limits)
  } catch (cause) {
    const { memoryBytes, cpuMillis, processes } = limits
    if ((memoryBytes ?? cpuMillis ?? processes) === undefined) return
    await removeCgroupParent(parent)
    const detail = cause instanceof Error ? cause.message : String(cause)
    const message = `cannot set the limits of the pod: ${detail}`
    throw new RuntimeError('InvalidSpec', message, { cause })
  }
}

/** Changes the limits of a pod that runs. @throws RuntimeError as `PodRuntime.updatePodLimits` does. */
export async function changePodGroup(parent: string, limits: PodLimits): Promise<void> {
  try {
    await setPodLimits(parent, limits)
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause)
    throw new RuntimeError('InvalidSpec', `cannot change the limits of the pod: ${detail}`, {
      cause,
    })
  }
}

/** Version 1: a group in the hierarchy of each controller that has something to say. */
async function setInEach(mount: string, parent: string, limits: PodLimits): Promise<void> {
  const group = async (controller: string, isWanted: boolean): Promise<string | undefined> => {
    const path = join(mount, controller, parent)
    if (isWanted) await mkdir(path, { recursive: true })
    return existsSync(path) ? path : undefined
  }
  const { memoryBytes, cpuMillis, cpuRequestMillis, processes } = limits
  const cpu = await group('cpu', (cpuMillis ?? cpuRequestMillis) !== undefined)
  if (cpu !== undefined) for (const setting of cpuSettings(limits)) await applySetting(cpu, setting)
  const pids = await group('pids', processes !== undefined)
  if (pids !== undefined) await applySetting(pids, pidsSetting(processes))
  const memory = await group('memory', memoryBytes !== undefined)
  if (memory !== undefined) await changeMemory(memory, memoryBytes)
}

/** Version 2: one group. */
async function setInOne(path: string, limits: PodLimits): Promise<void> {
  await mkdir(path, { recursive: true })
  for (const name of HANDED_DOWN)
    await writeFile(join(path, 'cgroup.subtree_control'), `+${name}`).catch(() => undefined)
  for (const { file, controller, value } of changedSettings(limits)) {
    const isNeeded = controller !== 'swap' && existsSync(join(path, file))
    await applySetting(path, { file, value, optional: !isNeeded })
  }
  await applySetting(path, {
    ...pidsSetting(limits.processes),
    optional: limits.processes === undefined,
  })
}

function pidsSetting(processes: number | undefined): Setting {
  return { file: 'pids.max', value: processes === undefined ? 'max' : String(processes) }
}
