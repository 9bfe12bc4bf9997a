import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { applySetting, type Setting } from './cgroup-settings.ts'
import { type PodLimits, RuntimeError } from './index.ts'
import { changeMemory, cpuSettings } from './split-cgroup.ts'
import { changedSettings, handDown, settingsOf } from './unified-cgroup.ts'

const MOUNT = '/sys/fs/cgroup'

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
  if (existsSync(join(mount, 'cgroup.controllers'))) await setInOne(mount, parent, limits)
  else await setInEach(mount, parent, limits)
}

/**
 * The same for a pod that is about to get its sandbox. A group that could not be given its limits stays, for
 * `removeTraces`: others of the pod may be in it.
 *
 * @throws RuntimeError `InvalidSpec` when a limit cannot be kept. A share of CPU that cannot be given is
 * passed over: the pod runs as one of many.
 */
export async function makePodGroup(parent: string, limits: PodLimits | undefined): Promise<void> {
  if (limits === undefined) return
  const { memoryBytes, cpuMillis, processes } = limits
  await setPodLimits(parent, limits).catch((cause: unknown) => {
    if ((memoryBytes ?? cpuMillis ?? processes) === undefined) return
    throw refusal('set', cause)
  })
}

/** Changes the limits of a pod that runs. @throws RuntimeError as `PodRuntime.updatePodLimits` does. */
export async function changePodGroup(parent: string, limits: PodLimits): Promise<void> {
  await setPodLimits(parent, limits).catch((cause: unknown) => {
    throw refusal('change', cause)
  })
}

function refusal(what: 'set' | 'change', cause: unknown): RuntimeError {
  const detail = cause instanceof Error ? cause.message : String(cause)
  return new RuntimeError('InvalidSpec', `cannot ${what} the limits of the pod: ${detail}`, {
    cause,
  })
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

/** Version 2: one group. Where nobody made a pod before, those above it hand nothing down yet. */
async function setInOne(mount: string, parent: string, limits: PodLimits): Promise<void> {
  const { memoryBytes, cpuMillis, processes } = limits
  const path = join(mount, parent)
  await mkdir(path, { recursive: true })
  await handDown(groupsTo(mount, parent))
  // What is not limited needs no controller, and a share of CPU may be missing.
  const kept = new Set(settingsOf({ memoryBytes, cpuMillis }).map(({ file }) => file))
  for (const { file, controller, value } of changedSettings(limits)) {
    const optional = controller === 'swap' || !kept.has(file)
    await applySetting(path, { file, value, optional })
  }
  await applySetting(path, { ...pidsSetting(processes), optional: processes === undefined })
}

/** A group with all that it is in, from the mount on. */
function groupsTo(mount: string, parent: string): readonly string[] {
  const names = parent.split('/').filter((name) => name !== '')
  return ['', ...names].map((_, depth) => join(mount, ...names.slice(0, depth)))
}

function pidsSetting(processes: number | undefined): Setting {
  return { file: 'pids.max', value: processes === undefined ? 'max' : String(processes) }
}
