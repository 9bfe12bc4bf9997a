import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { EnginePlace } from './place.ts'

/** What containers leave behind on a machine when nobody tears them down. */
export interface Leftovers {
  readonly mounts: readonly string[]
  readonly cgroups: readonly string[]
  readonly namespaces: readonly string[]
  readonly chains: readonly string[]
  readonly links: readonly string[]
  readonly processes: readonly string[]
}

const CGROUPS = '/sys/fs/cgroup'
const NAMESPACES = '/run/netns'
/** What engines call the network of a pod: containerd, and podman. */
const OWN_NAMESPACE = /^(?:cni|netns)-/
/** An engine, and what keeps its containers and its ports. */
const PROGRAMS = /containerd|docker|podman|conmon/

/** Runs a command. @returns what it wrote to stdout; an empty text when it failed. */
export async function outputOf(command: string, ...args: readonly string[]): Promise<string> {
  const done = await promisify(execFile)(command, [...args]).catch(() => ({ stdout: '' }))
  return done.stdout
}

/**
 * Everything on this machine that belongs to an engine: to its folder, to its bridge, or to its
 * cgroups. Another one's is never in it.
 */
export async function leftoversOf(place: EnginePlace): Promise<Leftovers> {
  const { folder, bridge, network, cgroupRoot } = place
  const mounts = (await readFile('/proc/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`))
  const links = (await outputOf('ip', '-o', 'link', 'show'))
    .split('\n')
    .filter((line) => line.includes(` ${bridge}:`) || line.includes(`master ${bridge} `))
  const rules = (await outputOf('iptables-save', '-t', 'nat'))
    .split('\n')
    .filter((line) => line.includes(`name: \\"${bridge}\\"`))
  return {
    mounts,
    cgroups: await cgroupsOf(cgroupRoot),
    namespaces: await namespacesOf(network),
    chains: rules,
    links,
    processes: await processesOf(place),
  }
}

/** The groups below `root` in every hierarchy, deepest first, the root itself included. */
export async function cgroupsOf(root: string): Promise<readonly string[]> {
  const found: string[] = []
  const walk = async (path: string): Promise<void> => {
    const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined)
    if (entries === undefined) return
    for (const entry of entries) if (entry.isDirectory()) await walk(join(path, entry.name))
    found.push(path)
  }
  for (const name of await readdir(CGROUPS).catch(() => [])) await walk(join(CGROUPS, name, root))
  await walk(join(CGROUPS, root))
  return found
}

/** The network namespaces with an address in the network of the bridge. */
async function namespacesOf(network: string): Promise<readonly string[]> {
  const names = await readdir(NAMESPACES).catch(() => [])
  const own: string[] = []
  for (const name of names.filter((each) => OWN_NAMESPACE.test(each))) {
    const addresses = await outputOf('ip', '-n', name, '-o', 'addr')
    if (addresses.includes(` ${network}.`)) own.push(name)
  }
  return own
}

async function processesOf({ folder, socket, network }: EnginePlace): Promise<readonly string[]> {
  const found: string[] = []
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    const isOurs = [`${folder}/`, socket, `\0${network}.`].some((each) => words.includes(each))
    if (isOurs && PROGRAMS.test(words)) found.push(`${pid} ${words.replaceAll('\0', ' ')}`)
  }
  return found
}
