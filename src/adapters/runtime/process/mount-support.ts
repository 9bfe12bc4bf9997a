import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { MOUNT_SCRIPT } from './mount-script.ts'

const PROBE_MS_MAX = 10_000
const UNSHARE_PATHS = ['/usr/bin/unshare', '/bin/unshare']

/** How to run a command in a mount namespace: the words in front of the script. */
export type Unshare = readonly string[]

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
  const probe = await mkdtemp(join(directory, 'probe-'))
  try {
    await mkdir(join(probe, 'scratch'))
    await mkdir(join(probe, 'volume'))
    const steps = ['keep', probe, 'layer', directory, 'bind', 'dir', 'ro', join(probe, 'volume')]
    const target = join(directory, 'probe-target')
    const [file = '', ...args] = [
      ...[...unshare, '/bin/sh', '-c', MOUNT_SCRIPT, 'mount.sh'],
      ...[probe, '', ...steps, target, '--', '/bin/sh', '-c', `[ -d "${target}" ]`],
    ]
    await promisify(execFile)(file, args, { timeout: PROBE_MS_MAX })
    return unshare
  } catch {
    return undefined
  } finally {
    await rm(probe, { recursive: true, force: true })
  }
}
