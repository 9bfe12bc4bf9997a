import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Relay } from '../../examples/demo/relay.ts'
import type { Containerd } from '../../test/containers/containerd.ts'
import { ApiClient, type ApiTarget } from '../api/client.ts'
import { PROGRAMS, pidOf, startProgram, stopProgram } from '../programs.ts'

const LOOK_MS = 20

/** What the pods of a node are run with. */
export type RuntimeName = 'process' | 'cri'

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
  containerd: Containerd | undefined,
): Promise<BenchNode> {
  const cloudData = join(folder, 'cloud')
  const edgeData = join(folder, 'edge')
  const beacons = join(folder, 'beacons')
  await mkdir(beacons, { recursive: true })
  const api = ['--api-address', '127.0.0.1:0']
  const port = await freePort()
  const sync = ['--sync-address', `127.0.0.1:${port}`]
  const cloud = await startProgram('cloudcore', ['run', '--data', cloudData, ...api, ...sync])
  const main = join(PROGRAMS, 'cloudcore/main.js')
  const create = [main, 'token', 'create', '--data', cloudData, '--node', 'bench']
  const token = (await promisify(execFile)(process.execPath, create)).stdout.trim()
  const engine =
    containerd === undefined ? [] : ['--runtime', 'cri', '--runtime-endpoint', containerd.socket]
  const link = await Relay.open({ host: '127.0.0.1', port })
  const args = ['--data', edgeData, ...api, ...engine, '--server', link.address]
  let edge = await startProgram('edgecore', ['--token', token, ...args])
  const [cloudApi, edgeApi] = [
    new ApiClient(await targetOf(cloudData)),
    new ApiClient(await targetOf(edgeData)),
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

async function targetOf(data: string): Promise<ApiTarget> {
  const config = await readFile(join(data, 'kubeconfig'), 'utf8')
  const field = (name: string): string =>
    new RegExp(`${name}: *"?([^"\\s]+)"?`).exec(config)?.[1] ?? ''
  const caPem = Buffer.from(field('certificate-authority-data'), 'base64').toString('utf8')
  return { url: field('server'), caPem, token: field('token') }
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

/** A port that nobody has, for a program that does not tell which one it took. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
