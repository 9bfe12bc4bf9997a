import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { joinToken, pidOf, startProgram, stopProgram } from './programs.ts'

/** A cloudcore and an edgecore as processes of their own, with everything in a temporary directory. */
export interface Fleet {
  readonly cloudKubeconfig: string
  readonly cloudPid: number
  readonly edgePid: number
  /** Stops both and the pods, and removes every file. */
  stop(): Promise<void>
}

/** Starts the built programs on free ports and waits until the node is ready to be used. */
export async function startFleet(): Promise<Fleet> {
  const directory = await mkdtemp(join(tmpdir(), 'tideway-bench-'))
  const cloudData = join(directory, 'cloud')
  const edgeData = join(directory, 'edge')
  const ports = ['--api-address', '127.0.0.1:0']
  const cloud = await startProgram('cloudcore', [
    'run',
    '--data',
    cloudData,
    ...ports,
    '--sync-address',
    '127.0.0.1:0',
    '--log-level',
    'info',
  ])
  const token = await joinToken(cloudData)
  const edge = await startProgram('edgecore', [
    '--token',
    token,
    '--data',
    edgeData,
    ...ports,
    '--stop-pods-on-exit',
  ])
  return {
    cloudKubeconfig: join(cloudData, 'kubeconfig'),
    cloudPid: pidOf(cloud),
    edgePid: pidOf(edge),
    stop: async () => {
      for (const child of [edge, cloud]) await stopProgram(child)
      await rm(directory, { recursive: true, force: true })
    },
  }
}
