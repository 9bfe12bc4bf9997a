import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildProgram, cacheFolder, isProgram, requiredVersion } from '../cluster/build-program.ts'

/** Where go.mod says which containerd is built. */
const MODULE = fileURLToPath(new URL('.', import.meta.url))
const SOURCE = 'github.com/containerd/containerd/v2'
const BUILT = ['containerd', 'containerd-shim-runc-v2', 'ctr']
/** What would want headers of C, and is not used. */
const TAGS = 'no_btrfs,no_devmapper,no_zfs'

/** The folder of a containerd, its shim and its ctr: that of the system. */
export const SYSTEM_CONTAINERD = '/usr/bin'

/** What else containers need, whichever containerd runs them. */
const PROGRAMS = [
  '/usr/sbin/runc',
  '/usr/lib/cni/bridge',
  '/usr/lib/cni/portmap',
  '/usr/bin/busybox',
  '/usr/bin/catatonit',
]

/** Why tests with containers are skipped, for the list of reviewed skips. */
export const CONTAINERD_REASON =
  'be root and install containerd, runc, containernetworking-plugins, busybox-static and catatonit'

/** Why tests with the newest containerd are skipped, for the list of reviewed skips. */
export const NEWEST_REASON = 'be root and run npm run test:containerd:install, which needs Go'

/** Whether this machine can run containers with the containerd of this folder. */
export function hasContainerd(folder: string = SYSTEM_CONTAINERD): boolean {
  const programs = [...PROGRAMS, ...BUILT.map((name) => join(folder, name))]
  return process.getuid?.() === 0 && programs.every((path) => existsSync(path))
}

/** Where the containerd of go.mod is, once it has been built. */
export async function newestContainerd(): Promise<string> {
  return cacheFolder('containerd', await requiredVersion(MODULE, SOURCE))
}

/**
 * Builds the containerd of go.mod, unless it is there.
 *
 * @param tell gets a line about each thing that is done.
 * @throws Error when Go is missing or fails.
 */
export async function installContainerd(
  tell: (line: string) => void,
  signal?: AbortSignal,
): Promise<void> {
  const folder = await newestContainerd()
  const version = await requiredVersion(MODULE, SOURCE)
  const args = ['-tags', TAGS, '-ldflags', `-s -w -X ${SOURCE}/version.Version=${version}`]
  for (const name of BUILT) {
    const target = join(folder, name)
    if (await isProgram(target)) continue
    tell(`building ${name} ${version}; the first time this takes minutes`)
    await buildProgram({ module: MODULE, package: `${SOURCE}/cmd/${name}`, target }, args, signal)
    tell(`${name} is at ${target}`)
  }
}
