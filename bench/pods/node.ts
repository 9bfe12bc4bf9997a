import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Relay } from '../../examples/demo/relay.ts'
import type { Containerd } from '../../test/containers/containerd.ts'
import type { Engine } from '../../test/containers/engine.ts'
import { PAUSE_IMAGE } from '../../test/containers/images.ts'
import { steadyPort } from '../../test/support/steady-port.ts'
import { ApiClient } from '../api/client.ts'
import { apiOf, joinToken, PROGRAMS, pidOf, startProgram, stopProgram } from '../programs.ts'

const LOOK_MS = 20

/** What the pods of a node are run with. */
export type RuntimeName = 'process' | 'cri' | 'docker' | 'podman'

/** What has the containers of a node. */
export type BenchEngine = Containerd | Engine

/** A cloudcore and one edgecore, which can be started again, with everything in one folder. */
export interface BenchNode {
  readonly runtime: RuntimeName
  readonly cloud: ApiClient
  readonly edge: ApiClient
  /** The process of edgecore, as it is now. */
  readonly edgePid: number
  readonly cloudPid: number
  /** The connection between the two. */
  readonly link: Relay
  /** What is in a file of the volume `config` of the only pod of the node; undefined when it is not there. */
  configFile(name: string): Promise<string | undefined>
  /** Where pods find a folder of the machine to say that they run. */
  readonly beacons: string
  /** Resolves when nothing is left of the pods that were deleted. */
  cleared(): Promise<void>
  /** Stops edgecore and starts it again. @returns how long that took until it was ready, in milliseconds. */
  restartEdge(): Promise<number>
  /** Stops both and the pods. */
  close(): Promise<void>
}

/** Starts both on free ports, and waits until the node can be used. */
export async function startNode(
  folder: string,
  runtime: RuntimeName,
  has: BenchEngine | undefined,
): Promise<BenchNode> {
  const cloudData = join(folder, 'cloud')
  const edgeData = join(folder, 'edge')
  const beacons = join(folder, 'beacons')
  await mkdir(beacons, { recursive: true })
  const api = ['--api-address', '127.0.0.1:0']
  const port = await steadyPort()
  const sync = ['--sync-address', `127.0.0.1:${port}`]
  const cloud = await startProgram('cloudcore', ['run', '--data', cloudData, ...api, ...sync])
  const token = await joinToken(cloudData)
  const engine = engineFlags(runtime, has)
  const link = await Relay.open({ host: '127.0.0.1', port })
  const args = ['--data', edgeData, ...api, ...engine, '--server', link.address]
  let edge = await startProgram('edgecore', ['--token', token, ...args])
  const [cloudApi, edgeApi] = [
    new ApiClient(await apiOf(cloudData, 'cloudcore')),
    new ApiClient(await apiOf(edgeData, 'edgecore')),
  ]
  await Promise.all([cloudApi, edgeApi].map(podsAllowed))
  return {
    runtime,
    cloud: cloudApi,
    edge: edgeApi,
    beacons,
    link,
    async configFile(name) {
      const pods = join(edgeData, 'pods/pods')
      const [uid = ''] = await readdir(pods).catch(() => [])
      return await readFile(join(pods, uid, 'volumes/config', name), 'utf8').catch(() => undefined)
    },
    get edgePid() {
      return pidOf(edge)
    },
    cloudPid: pidOf(cloud),
    async cleared() {
      const isEmpty = async (): Promise<boolean> =>
        (await readdir(join(edgeData, 'pods/pods')).catch(() => [])).length === 0
      while (!(await isEmpty())) await sleep(LOOK_MS)
    },
    async restartEdge() {
      await stopProgram(edge)
      const begin = performance.now()
      edge = await startProgram('edgecore', args)
      return performance.now() - begin
    },
    async close() {
      await stopProgram(edge)
      await stopProgram(cloud)
      await link.close()
      const stop = [join(PROGRAMS, 'edgecore/main.js'), 'stop-pods', '--data', edgeData, ...engine]
      await promisify(execFile)(process.execPath, stop)
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function engineFlags(runtime: RuntimeName, has: BenchEngine | undefined): readonly string[] {
  if (has === undefined) return []
  const pause = 'kind' in has ? ['--pause-image', PAUSE_IMAGE] : []
  return ['--runtime', runtime, '--runtime-endpoint', has.socket, ...pause]
}

/** Resolves when pods may be made: with the account that they run as. */
async function podsAllowed(client: ApiClient): Promise<void> {
  const path = '/api/v1/namespaces/default/serviceaccounts/default'
  const isThere = (): Promise<boolean> =>
    client.send({ path }).then(
      () => true,
      () => false,
    )
  while (!(await isThere())) await sleep(LOOK_MS)
}
