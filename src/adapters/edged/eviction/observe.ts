import { readFile, stat, statfs } from 'node:fs/promises'
import type { RuntimeImages } from '../../runtime/index.ts'
import type { Observation, Observations, Signal } from './signals.ts'

/** How much there is of everything, and where images are. */
export interface NodeLook {
  readonly observations: Observations
  /** Images and containers are on another file system than the files of pods. */
  readonly isImageDiskApart: boolean
}

const IMAGE_SIGNALS: readonly Signal[] = ['imagefs.available', 'imagefs.inodesFree']

/** Looks at what a node has: a few short files, and one call for each file system. */
export class NodeObserver {
  readonly #directory: string
  readonly #images: RuntimeImages | undefined
  /** Engines do not move their images while they run. */
  #imageDirectory: string | undefined

  constructor(directory: string, images: RuntimeImages | undefined) {
    this.#directory = directory
    this.#images = images
  }

  /** Looks for these signals only. One that cannot be told is left out. */
  async look(signals: ReadonlySet<Signal>): Promise<NodeLook> {
    const found = new Map<Signal, Observation>()
    const add = (signal: Signal, observation: Observation | undefined): void => {
      if (signals.has(signal) && observation !== undefined) found.set(signal, observation)
    }
    if (signals.has('memory.available')) add('memory.available', await readMemory())
    if (signals.has('pid.available')) add('pid.available', await readPids())
    const nodeDisk = await readDisk(this.#directory)
    add('nodefs.available', nodeDisk?.bytes)
    add('nodefs.inodesFree', nodeDisk?.inodes)
    const images = await this.imageDirectory()
    if (images !== undefined && IMAGE_SIGNALS.some((signal) => signals.has(signal))) {
      const imageDisk = await readDisk(images)
      add('imagefs.available', imageDisk?.bytes)
      add('imagefs.inodesFree', imageDisk?.inodes)
    }
    return {
      observations: found,
      isImageDiskApart: images !== undefined && (await isApart(images, this.#directory)),
    }
  }

  /** Where images are. Undefined on a runtime without images, and while its engine does not say. */
  async imageDirectory(): Promise<string | undefined> {
    if (this.#images === undefined) return undefined
    // An engine that cannot be asked now is asked with the next look.
    this.#imageDirectory ??= (await this.#images.usage().catch(() => undefined))?.directory
    return this.#imageDirectory
  }
}

/** The space and the inodes of the file system of a directory; undefined when it cannot be told. */
export async function readDisk(
  directory: string,
): Promise<{ readonly bytes: Observation; readonly inodes: Observation | undefined } | undefined> {
  const found = await statfs(directory).catch(() => undefined)
  if (found === undefined || found.blocks === 0) return undefined
  const { bavail, blocks, bsize, ffree, files } = found
  return {
    bytes: { available: bavail * bsize, capacity: blocks * bsize },
    // Some file systems make inodes as they need them, and count none.
    inodes: files === 0 ? undefined : { available: ffree, capacity: files },
  }
}

async function isApart(a: string, b: string): Promise<boolean> {
  const [one, other] = await Promise.all([a, b].map((path) => stat(path).catch(() => undefined)))
  return one !== undefined && other !== undefined && one.dev !== other.dev
}

async function readMemory(): Promise<Observation | undefined> {
  return parseMemory(await readFile('/proc/meminfo', 'utf8').catch(() => ''))
}

/**
 * What is left of memory, by /proc/meminfo: all but the working set, as kubelet has it. File pages that
 * nobody has used for long and caches that the kernel gives back by itself are not part of that.
 */
export function parseMemory(meminfo: string): Observation | undefined {
  const bytes = (name: string): number | undefined => {
    const kibibytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(meminfo)?.[1]
    return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
  }
  const capacity = bytes('MemTotal')
  const free = bytes('MemFree')
  if (capacity === undefined || free === undefined) return undefined
  const idle = (bytes('Inactive\\(file\\)') ?? 0) + (bytes('SReclaimable') ?? 0)
  return { capacity, available: Math.min(free + idle, capacity) }
}

async function readPids(): Promise<Observation | undefined> {
  const paths = ['/proc/loadavg', '/proc/sys/kernel/pid_max', '/proc/sys/kernel/threads-max']
  const [load = '', ...limits] = await Promise.all(
    paths.map((path) => readFile(path, 'utf8').catch(() => '')),
  )
  return parsePids(load, limits)
}

/** How many processes there may still be: the fourth field of loadavg is "running/all" threads. */
export function parsePids(loadavg: string, limits: readonly string[]): Observation | undefined {
  const all = /\/(\d+)/.exec(loadavg)?.[1]
  const known = limits.map((text) => Number.parseInt(text, 10)).filter((limit) => limit > 0)
  if (all === undefined || known.length === 0) return undefined
  const capacity = Math.min(...known)
  return { capacity, available: Math.max(capacity - Number(all), 0) }
}
