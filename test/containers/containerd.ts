import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type RunningProgram, startProgram } from '../cluster/process.ts'
import { type ContainerdPlace, containerdConfig, networkConfig } from './containerd-config.ts'
import type { Image } from './image.ts'
import { PAUSE_IMAGE, pauseImage } from './images.ts'
import { type Leftovers, leftoversOf, outputOf } from './leftovers.ts'

/** Why tests with containers are skipped, for the list of reviewed skips. */
export const CONTAINERD_REASON =
  'be root and install containerd, runc, containernetworking-plugins, busybox-static and catatonit'

/** A containerd of one's own, with a bridge, a network and cgroups of its own. */
export interface Containerd extends ContainerdPlace {
  /** What `cgroupParent` of its pods has to begin with, without a slash at either end. */
  readonly cgroupRoot: string
  readonly pid: number
  /** Makes an image known to it, for the CRI. */
  load(image: Image): Promise<void>
  /** Ends it as a crash does. Its pods run on. */
  kill(): Promise<void>
  /** Starts it again after {@link kill}. */
  start(): Promise<void>
  /** What of it is on this machine. */
  leftovers(): Promise<Leftovers>
  /** Ends it and its pods, and takes away everything that they leave. */
  close(): Promise<void>
}

const PROGRAMS = [
  '/usr/bin/containerd',
  '/usr/bin/ctr',
  '/usr/sbin/runc',
  '/usr/lib/cni/bridge',
  '/usr/lib/cni/portmap',
  '/usr/bin/busybox',
  '/usr/bin/catatonit',
]
const READY_MS = 30_000
const NAMESPACE = 'k8s.io'
/** Processes that are killed are gone after this long, on a busy machine. */
const GONE_MS = 10_000

/** Whether this machine can run containers. */
export function hasContainerd(): boolean {
  return process.getuid?.() === 0 && PROGRAMS.every((path) => existsSync(path))
}

/**
 * Starts a containerd that holds the pause image and those given.
 *
 * @throws Error with the end of its log when it does not start.
 */
export async function startContainerd(images: readonly Image[] = []): Promise<Containerd> {
  const folder = await mkdtemp(join(tmpdir(), 'ctd-'))
  const [a = 0, b = 0, c = 0] = randomBytes(3)
  const place: ContainerdPlace = {
    folder,
    socket: join(folder, 'containerd.sock'),
    bridge: `tw${randomBytes(4).toString('hex')}`,
    // Any network will do that no other run has: one of 32,768.
    network: `10.${128 + (a % 128)}.${b}`,
  }
  const cgroupRoot = `tideway-${process.pid}-${c}${randomBytes(2).toString('hex')}`
  await mkdir(join(folder, 'cni'))
  const config = join(folder, 'config.toml')
  await writeFile(config, containerdConfig(place, PAUSE_IMAGE))
  await writeFile(join(folder, 'cni', '10-pods.conflist'), networkConfig(place))
  let program: RunningProgram | undefined
  const ctr = (...args: readonly string[]): Promise<string> =>
    outputOf('ctr', '-a', place.socket, '-n', NAMESPACE, ...args)
  const start = async (): Promise<void> => {
    const log = join(folder, 'containerd.log')
    program = startProgram('containerd', 'containerd', ['--config', config], log)
    const isUp = async (): Promise<boolean> => (await ctr('version')).includes('Server')
    await program.ready(isUp, READY_MS)
  }
  const self: Containerd = {
    ...place,
    cgroupRoot,
    get pid() {
      return program?.pid ?? -1
    },
    async load(image) {
      const path = join(folder, `${image.id.slice(-12)}.tar`)
      await writeFile(path, image.archive)
      const said = await ctr('images', 'import', path)
      await rm(path)
      if (said === '') throw new Error(`containerd did not take the image ${image.name}`)
    },
    async kill() {
      if (program === undefined) return
      process.kill(program.pid, 'SIGKILL')
      await program.stop()
      program = undefined
    },
    start,
    leftovers: () => leftoversOf(place, cgroupRoot),
    async close() {
      if (program !== undefined) await removeContainers(ctr)
      await program?.stop()
      program = undefined
      await clean(place, cgroupRoot)
    },
  }
  try {
    await start()
    for (const image of [pauseImage(), ...images]) await self.load(image)
  } catch (error) {
    await self.close()
    throw error
  }
  return self
}

/** Runs something with a containerd, which is gone afterwards, however it ends. */
export async function withContainerd<T>(
  images: readonly Image[],
  use: (containerd: Containerd) => Promise<T>,
): Promise<T> {
  const containerd = await startContainerd(images)
  try {
    return await use(containerd)
  } finally {
    await containerd.close()
  }
}

async function removeContainers(
  ctr: (...args: readonly string[]) => Promise<string>,
): Promise<void> {
  const names = async (...args: readonly string[]): Promise<readonly string[]> =>
    (await ctr(...args)).split('\n').filter((line) => line !== '')
  for (const id of await names('tasks', 'ls', '-q')) {
    await ctr('tasks', 'kill', '-a', '-s', 'SIGKILL', id)
  }
  for (const id of await names('tasks', 'ls', '-q')) await ctr('tasks', 'rm', '-f', id)
  for (const id of await names('containers', 'ls', '-q')) await ctr('containers', 'rm', id)
}

/** Takes away what {@link leftoversOf} finds, and then the folder. */
async function clean(place: ContainerdPlace, cgroupRoot: string): Promise<void> {
  const left = await leftoversOf(place, cgroupRoot)
  for (const line of left.processes) killPid(Number(line.split(' ')[0]))
  for (const group of left.cgroups) {
    const pids = await readFile(join(group, 'cgroup.procs'), 'utf8').catch(() => '')
    for (const pid of pids.split('\n').filter((each) => each !== '')) killPid(Number(pid))
  }
  for (const name of left.namespaces) await outputOf('ip', 'netns', 'del', name)
  for (const path of [...left.mounts].reverse()) await outputOf('umount', '-l', path)
  await outputOf('ip', 'link', 'del', place.bridge)
  await removeChains(place.bridge)
  const lastMs = performance.now() + GONE_MS
  for (const group of left.cgroups) {
    while (performance.now() < lastMs) {
      const isGone = await rmdir(group).then(
        () => true,
        (error: NodeJS.ErrnoException) => error.code === 'ENOENT',
      )
      if (isGone) break
      await delay(20)
    }
  }
  await rm(place.folder, { recursive: true, force: true })
}

function killPid(pid: number): void {
  try {
    if (pid > 1) process.kill(pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}

/** The rules of a pod whose network was never torn down: they carry the name of the network. */
async function removeChains(bridge: string): Promise<void> {
  const rules = (await outputOf('iptables-save', '-t', 'nat')).split('\n')
  const own = rules.filter((rule) => rule.includes(`name: \\"${bridge}\\"`))
  const chains = new Set(own.flatMap((rule) => /\b(CNI-[0-9A-Za-z-]+)$/.exec(rule)?.[1] ?? []))
  for (const chain of chains) {
    const jumps = rules.filter((rule) => rule.startsWith('-A ') && rule.endsWith(` ${chain}`))
    for (const rule of jumps) {
      await outputOf('sh', '-c', `iptables -t nat ${rule.replace(/^-A/, '-D')}`)
    }
    await outputOf('iptables', '-t', 'nat', '-F', chain)
    await outputOf('iptables', '-t', 'nat', '-X', chain)
  }
}
