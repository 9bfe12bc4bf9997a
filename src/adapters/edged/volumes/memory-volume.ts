import { execFile } from 'node:child_process'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { parseWhole } from '../../kubernetes/objects/quantity.ts'
import type { JsonObject } from '../../kubernetes/objects/types.ts'
import { ownContainers, type PodView } from '../pod-view.ts'

const run = promisify(execFile)
/** Mounting is a matter of milliseconds; on a machine that hangs nobody waits for it. */
const COMMAND_TIMEOUT_MS = 10_000
/** Everybody may write, and nobody may remove what is another's. */
export const MEMORY_MODE = 0o1777

/** Where a volume is that should be in memory: on the disk when this process may not mount. */
export type MemoryVolume = 'in memory' | 'on disk'

/**
 * The size of an emptyDir in memory: its own limit, the memory limits of the pod's containers
 * together where all have one, or the memory of the machine, whichever is least.
 */
export function memoryVolumeBytes(
  emptyDir: JsonObject,
  pod: PodView,
  capacityBytes: number,
): number {
  const limits = pod.containers.map((each) => parseWhole(each.limits['memory']) ?? 0)
  const init = ownContainers(pod).map((each) => parseWhole(each.limits['memory']) ?? 0)
  const isLimited = limits.every((bytes) => bytes > 0)
  const ofPod = Math.max(
    limits.reduce((sum, bytes) => sum + bytes, 0),
    ...init,
  )
  const own = parseWhole(emptyDir['sizeLimit']) ?? 0
  const sizes = [capacityBytes, isLimited ? ofPod : 0, own].filter((bytes) => bytes > 0)
  return Math.min(...sizes)
}

/**
 * Mounts memory at a directory, unless something is mounted there already. Without the right to mount
 * it stays an ordinary directory.
 */
export async function mountMemory(directory: string, bytes: number): Promise<MemoryVolume> {
  await mkdir(directory, { recursive: true, mode: MEMORY_MODE })
  if (await isMountPoint(directory)) return 'in memory'
  if (process.getuid?.() !== 0) return 'on disk'
  const options = `size=${bytes},mode=${MEMORY_MODE.toString(8)},nosuid,nodev`
  try {
    const words = ['-t', 'tmpfs', '-o', options, 'tmpfs', directory]
    await run('mount', words, { timeout: COMMAND_TIMEOUT_MS })
    return 'in memory'
  } catch {
    // Root of a container of its own, for one, may not.
    return 'on disk'
  }
}

/** Ends every mount below a directory, the innermost first. */
export async function unmountBelow(directory: string): Promise<void> {
  for (const path of await mountsBelow(directory)) {
    // What is in use goes when its last user does: files in memory are nobody else's.
    await run('umount', ['-l', path], { timeout: COMMAND_TIMEOUT_MS })
  }
}

async function mountsBelow(directory: string): Promise<readonly string[]> {
  const text = await readFile('/proc/self/mounts', 'utf8').catch(() => '')
  const paths = text.split('\n').map((line) => plainPath(line.split(' ')[1] ?? ''))
  return paths.filter((path) => path.startsWith(`${directory}/`)).reverse()
}

/** The kernel writes white space in paths as octal numbers. */
function plainPath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}

async function isMountPoint(directory: string): Promise<boolean> {
  const [own, parent] = await Promise.all([stat(directory), stat(dirname(directory))])
  return own.dev !== parent.dev
}
