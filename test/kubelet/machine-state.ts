import { lstat, readdir, readFile, readlink, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { outputOf } from '../containers/leftovers.ts'

/** What a kubelet changes on a machine outside its own directory. */
export interface MachineState {
  /** Kernel settings as they were, by path. */
  readonly kernel: ReadonlyMap<string, string>
  /** Directories that were not there. */
  readonly missing: readonly string[]
}

/** What a kubelet sets for good (`protectKernelDefaults` would make it refuse to run instead). */
const KERNEL: readonly string[] = [
  '/proc/sys/vm/overcommit_memory',
  '/proc/sys/vm/panic_on_oom',
  '/proc/sys/kernel/panic',
  '/proc/sys/kernel/panic_on_oops',
  '/proc/sys/kernel/keys/root_maxkeys',
  '/proc/sys/kernel/keys/root_maxbytes',
]

/** Where it writes whatever it is told, the innermost first. */
const LINKS = '/var/log/containers'
const DIRECTORIES: readonly string[] = [
  '/var/lib/kubelet/device-plugins',
  '/var/lib/kubelet',
  LINKS,
]

/** One kubelet at a time: all of them use the same settings and directories of the machine. */
const LOCK = join(tmpdir(), 'tideway-kubelet.lock')
const LOCK_MS_MAX = 600_000
const LOOK_MS = 200

/**
 * How the machine is before a kubelet runs, once no other test has one. {@link restoreMachine} lets the
 * next one go on.
 */
export async function stateOfMachine(): Promise<MachineState> {
  await lock()
  const kernel = new Map<string, string>()
  for (const path of KERNEL) {
    const value = await readFile(path, 'utf8').catch(() => undefined)
    if (value !== undefined) kernel.set(path, value)
  }
  const missing: string[] = []
  for (const path of DIRECTORIES) {
    if (
      await lstat(path).then(
        () => false,
        () => true,
      )
    )
      missing.push(path)
  }
  return { kernel, missing }
}

/** Ends the mounts below a folder, the innermost first: a kubelet mounts its own directory onto itself. */
export async function unmountBelow(folder: string): Promise<void> {
  const lines = (await readFile('/proc/mounts', 'utf8')).split('\n')
  const paths = lines.map((line) => line.split(' ')[1] ?? '')
  for (const path of paths.filter((each) => each.startsWith(`${folder}/`)).reverse()) {
    await outputOf('umount', '-l', path)
  }
}

async function lock(): Promise<void> {
  const lastMs = performance.now() + LOCK_MS_MAX
  while (performance.now() < lastMs) {
    try {
      await writeFile(LOCK, String(process.pid), { flag: 'wx' })
      return
    } catch {
      // A test that was killed has left it.
      const pid = Number(await readFile(LOCK, 'utf8').catch(() => '0'))
      if (pid > 0 && !isAlive(pid)) await rm(LOCK, { force: true })
      await sleep(LOOK_MS)
    }
  }
  throw new Error(`another test holds ${LOCK}`)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Puts back what a kubelet changed whose pods log below `folder`. */
export async function restoreMachine(state: MachineState, folder: string): Promise<void> {
  for (const [path, value] of state.kernel) {
    if ((await readFile(path, 'utf8')) !== value) await writeFile(path, value)
  }
  for (const name of await readdir(LINKS).catch(() => [])) {
    const target = await readlink(join(LINKS, name)).catch(() => '')
    if (target.startsWith(`${folder}/`)) await rm(join(LINKS, name))
  }
  for (const path of state.missing) {
    if (path.endsWith('device-plugins')) await rm(path, { recursive: true, force: true })
    // Somebody else may use it by now.
    else await rmdir(path).catch(() => undefined)
  }
  await rm(LOCK, { force: true })
}
