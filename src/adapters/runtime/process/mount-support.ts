import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { MOUNT_SCRIPT } from './mount-script.ts'
import { isNoneHere } from './scarcity.ts'

const PROBE_MS_MAX = 10_000
const UNSHARE_PATHS = ['/usr/bin/unshare', '/bin/unshare']

/** How to run a command in a mount namespace: the words in front of the script. */
export type Unshare = readonly string[]

/** How to give a container a pid namespace: the words between {@link Unshare} and the script. */
export interface Isolation {
  /** A namespace of its own. */
  readonly own: readonly string[]
  /** Where `nsenter` of util-linux is, for the namespace of another container. */
  readonly nsenter: string
}

/**
 * Finds out whether this process may make mount namespaces, by making one with everything that the
 * mount script uses. The answer depends on privileges, kernel and tools alike, so only a try tells.
 *
 * @returns how, or undefined when it does not work here.
 */
export async function findUnshare(directory: string): Promise<Unshare | undefined> {
  const program = UNSHARE_PATHS.find((path) => existsSync(path))
  if (process.platform !== 'linux' || program === undefined) return undefined
  const unshare = [program, '--mount', '--propagation', 'slave']
  const target = join(directory, 'probe-target')
  const works = await tryMounts(directory, unshare, async (probe) => {
    await mkdir(join(probe, 'volume'))
    const steps = ['keep', probe, 'layer', directory, 'bind', 'dir', 'ro', join(probe, 'volume')]
    return { steps: [...steps, target], check: `[ -d "${target}" ]` }
  })
  return works ? unshare : undefined
}

/**
 * Finds out whether this process may make pid namespaces as well, by making one.
 *
 * @returns how, or undefined when it does not work here.
 */
export async function findIsolation(
  directory: string,
  unshare: Unshare | undefined,
): Promise<Isolation | undefined> {
  const [program] = unshare ?? []
  if (unshare === undefined || program === undefined) return undefined
  const nsenter = join(dirname(program), 'nsenter')
  if (!existsSync(nsenter)) return undefined
  const own = ['--pid', '--fork', '--kill-child']
  const works = await tryMounts(directory, [...unshare, ...own], async () => {
    const steps = ['processes']
    return { steps, check: '[ $$ = 1 ] && read -r pid rest < /proc/self/stat && [ "$pid" = 1 ]' }
  })
  return works ? { own, nsenter } : undefined
}

/** Whether the mount script works with these words before it and what is made for it. */
async function tryMounts(
  directory: string,
  words: readonly string[],
  prepare: (probe: string) => Promise<{ steps: readonly string[]; check: string }>,
): Promise<boolean> {
  const probe = await mkdtemp(join(directory, 'probe-'))
  try {
    await mkdir(join(probe, 'scratch'))
    const { steps, check } = await prepare(probe)
    const [file = '', ...args] = [
      ...[...words, '/bin/sh', '-c', MOUNT_SCRIPT, 'mount.sh'],
      ...[probe, '', ...steps, '--', '/bin/sh', '-c', check],
    ]
    await promisify(execFile)(file, args, { timeout: PROBE_MS_MAX })
    return true
  } catch (error) {
    return isNoneHere(error)
  } finally {
    await rm(probe, { recursive: true, force: true })
  }
}
