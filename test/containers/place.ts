import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Image } from './image.ts'
import { type Leftovers, leftoversOf, outputOf } from './leftovers.ts'

/** Where an engine lives, and what it calls its own on this machine. */
export interface EnginePlace {
  readonly folder: string
  readonly socket: string
  /** The name of its bridge and of its network: at most 15 characters. */
  readonly bridge: string
  /** Such as `10.91.7`: its pods are in this network of 254 addresses. */
  readonly network: string
  /** What `cgroupParent` of its pods has to begin with, without a slash at either end. */
  readonly cgroupRoot: string
}

/** An engine of one's own, with a bridge, a network and cgroups of its own. */
export interface RunningEngine extends EnginePlace {
  readonly pid: number
  /** Makes an image known to it. */
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

/** Processes that are killed are gone after this long, on a busy machine. */
const GONE_MS = 10_000

/** A place that no other run has. */
export async function newPlace(
  prefix: string,
  socketName: string,
  parent: string = tmpdir(),
): Promise<EnginePlace> {
  const folder = await mkdtemp(join(parent, prefix))
  const [a = 0, b = 0, c = 0] = randomBytes(3)
  return {
    folder,
    socket: join(folder, socketName),
    bridge: `tw${randomBytes(4).toString('hex')}`,
    // Any network will do that no other run has: one of 32,768.
    network: `10.${128 + (a % 128)}.${b}`,
    cgroupRoot: `tideway-${process.pid}-${c}${randomBytes(2).toString('hex')}`,
  }
}

/** Takes away what {@link leftoversOf} finds, and then the folder. */
export async function cleanPlace(place: EnginePlace): Promise<void> {
  await clearMachine(place)
  await rm(place.folder, { recursive: true, force: true })
}

/** Ends all processes of an engine at once and takes away what {@link leftoversOf} finds. Its folder stays. */
export async function clearMachine(place: EnginePlace): Promise<void> {
  const left = await leftoversOf(place)
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
}

/** Kills a process that may have ended by itself. */
export function killPid(pid: number): void {
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
  // By the jump to it, and by its own rules: whoever made it may have ended between the two.
  const chains = new Set(
    own.flatMap((rule) => rule.match(/\bCNI-(?!HOSTPORT)[0-9A-Za-z-]+/g) ?? []),
  )
  for (const chain of chains) {
    const jumps = rules.filter((rule) => rule.startsWith('-A ') && rule.endsWith(` ${chain}`))
    for (const rule of jumps) {
      await outputOf('sh', '-c', `iptables -t nat ${rule.replace(/^-A/, '-D')}`)
    }
    await outputOf('iptables', '-t', 'nat', '-F', chain)
    await outputOf('iptables', '-t', 'nat', '-X', chain)
  }
}
