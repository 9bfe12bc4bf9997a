import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { startCluster } from '../../test/cluster/cluster.ts'
import { apiOf, cpuMsOf, memoryOf, pidOf, startProgram, stopProgram } from '../programs.ts'
import type { ApiTarget } from './client.ts'

/** A Kubernetes API that runs in processes of its own, with an empty log or database. */
export interface ApiSystem {
  readonly target: ApiTarget
  /** Everything that serves it: its memory and CPU are theirs together. */
  readonly pids: readonly number[]
  close(): Promise<void>
}

/** kube-apiserver on etcd, which syncs each write to the disk, as cloudcore does. */
export async function startKubeApiServer(): Promise<ApiSystem> {
  const cluster = await startCluster({ syncsToDisk: true })
  const { url, caPem, token, pids } = cluster
  return { target: { url, caPem, token }, pids: Object.values(pids), close: cluster.close }
}

/** cloudcore as it is installed, without what would act on the pods of the measurement. */
export async function startCloudcore(directory: string): Promise<ApiSystem> {
  const data = await mkdtemp(join(directory, 'cloudcore-'))
  const addresses = ['--api-address', '127.0.0.1:0', '--sync-address', '127.0.0.1:0']
  const args = ['run', '--data', data, ...addresses, '--scheduler', 'false']
  const child = await startProgram('cloudcore', args)
  return {
    target: await apiOf(data, 'cloudcore'),
    pids: [pidOf(child)],
    close: async () => {
      await stopProgram(child)
      await rm(data, { recursive: true, force: true })
    },
  }
}

/** CPU that all processes of a server have used so far, in milliseconds. */
export async function cpuMsOfAll(system: ApiSystem): Promise<number> {
  return sum(await Promise.all(system.pids.map(cpuMsOf)))
}

/** Resident memory of all processes of a server, and what of it is not backed by files. */
export async function memoryOfAll(
  system: ApiSystem,
): Promise<{ readonly rssBytes: number; readonly anonymousBytes: number }> {
  const all = await Promise.all(system.pids.map(memoryOf))
  return {
    rssBytes: sum(all.map(({ rssBytes }) => rssBytes)),
    anonymousBytes: sum(all.map(({ anonymousBytes }) => anonymousBytes)),
  }
}

function sum(figures: readonly number[]): number {
  return figures.reduce((all, one) => all + one, 0)
}
