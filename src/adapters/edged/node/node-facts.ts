import { readFile, statfs } from 'node:fs/promises'
import { arch, availableParallelism, networkInterfaces, platform, release, totalmem } from 'node:os'
import { bootId } from '../../runtime/boot-id.ts'
import type { Threshold } from '../eviction/thresholds.ts'
import { allocatableOf, hugePages, swapBytes, systemUuid } from './node-allocatable.ts'
import { kubeArch, type NodeFacts } from './node-status.ts'

/** What {@link readNodeFacts} is told. */
export interface NodeFactsOptions {
  readonly name: string
  readonly version: string
  readonly runtimeVersion: string
  /** Where pods live: the space of its file system is the node's. */
  readonly directory: string
  readonly addresses: readonly string[] | undefined
  readonly capacity: Readonly<Record<string, string>> | undefined
  /** When pods are evicted: what has to stay free is not for them. */
  readonly thresholds: readonly Threshold[]
}

const PODS_MAX = 110

/** Looks at this machine: at everything but what runs short. */
export async function readNodeFacts(
  options: NodeFactsOptions,
): Promise<Omit<NodeFacts, 'pressure'>> {
  const disk = await statfs(options.directory)
  const capacity = {
    cpu: String(availableParallelism()),
    'ephemeral-storage': `${Math.floor((disk.blocks * disk.bsize) / 1024)}Ki`,
    ...(await hugePages()),
    memory: `${Math.floor(totalmem() / 1024)}Ki`,
    pods: String(PODS_MAX),
    ...options.capacity,
  }
  const machineID = (await readFile('/etc/machine-id', 'utf8').catch(() => '')).trim()
  return {
    name: options.name,
    addresses: options.addresses ?? [firstAddress()],
    capacity,
    allocatable: allocatableOf(capacity, options.thresholds),
    os: platform(),
    arch: kubeArch(arch()),
    kernelVersion: release(),
    osImage: await osImage(),
    machineID,
    systemUUID: (await systemUuid()) ?? machineID,
    swapBytes: await swapBytes(),
    bootID: await bootId(),
    runtimeVersion: options.runtimeVersion,
    version: options.version,
  }
}

async function osImage(): Promise<string> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '')
  return /^PRETTY_NAME="?(.*?)"?$/m.exec(text)?.[1] ?? `${platform()} ${release()}`
}

function firstAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  const found = all.find((address) => !address.internal && address.family === 'IPv4')
  return found?.address ?? '127.0.0.1'
}
