import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ApiClient, readAccess } from '../shared/api-client.ts'
import { parseAddress } from '../shared/settings.ts'
import { type ProgramOptions, type RunningProgram, runCommand, startProgram } from './program.ts'
import { Relay } from './relay.ts'

/** The names of the two nodes. The link of the first one goes through the relay. */
export const NODES = ['edge-1', 'edge-2'] as const
export type NodeName = (typeof NODES)[number]

/** One replica as the demo reaches it. */
export interface Site {
  readonly directory: string
  readonly kubeconfig: string
  readonly api: ApiClient
}

/** A cloud and two edges as processes of their own, in a temporary directory. */
export class Fleet {
  readonly directory: string
  readonly relay: Relay
  readonly cloud: Site
  readonly #edges: Map<NodeName, Site>
  readonly #root: string
  readonly #programs: Map<string, RunningProgram>
  #closing: Promise<void> | undefined

  constructor(
    root: string,
    directory: string,
    relay: Relay,
    programs: Map<string, RunningProgram>,
    cloud: Site,
    edges: Map<NodeName, Site>,
  ) {
    this.#root = root
    this.directory = directory
    this.relay = relay
    this.#programs = programs
    this.cloud = cloud
    this.#edges = edges
  }

  edge(node: NodeName): Site {
    const site = this.#edges.get(node)
    if (site === undefined) throw new Error(`there is no node ${node}`)
    return site
  }

  program(name: string): RunningProgram {
    const program = this.#programs.get(name)
    if (program === undefined) throw new Error(`${name} does not run`)
    return program
  }

  /** Ends an edgecore as a crash would. */
  async crash(node: NodeName): Promise<void> {
    await this.program(node).kill()
  }

  /**
   * Starts an edgecore on what the last one left.
   *
   * @param server where it dials the cloud. Default: where it always did.
   */
  async restart(node: NodeName, server?: string): Promise<void> {
    const options = edgeOptions(this.#root, this.directory, node)
    const args = server === undefined ? options.args : [...options.args, '--server', server]
    this.#programs.set(node, await startProgram({ ...options, args }))
    this.#edges.set(node, await siteOf(join(this.directory, node), 'edgecore'))
  }

  /** Lets everything run on after this process, and so without the relay. */
  async release(): Promise<void> {
    const { host, port } = syncAddressOf(this.cloud.directory)
    await this.crash('edge-1')
    await this.restart('edge-1', `${host}:${port}`)
    await this.relay.close()
    for (const program of this.#programs.values()) program.release()
  }

  /** Stops the pods and the programs and removes the directory. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    for (const program of [...this.#programs.values()].reverse()) await program.stop()
    for (const node of NODES) {
      // Only a node that was killed, or did not start, has pods left.
      await runCommand(this.#root, 'edgecore', ['stop-pods', '--data', join(this.directory, node)])
    }
    await this.relay.close()
    await rm(this.directory, { recursive: true, force: true })
  }
}

/** Starts the whole fleet. What was started is stopped again when something fails. */
export async function startFleet(root: string): Promise<Fleet> {
  const directory = await mkdtemp(join(tmpdir(), 'tideway-demo-'))
  const programs = new Map<string, RunningProgram>()
  let relay: Relay | undefined
  try {
    const cloudDirectory = join(directory, 'cloud')
    const ports = ['--api-address', '127.0.0.1:0', '--sync-address', '127.0.0.1:0']
    programs.set(
      'cloudcore',
      await startProgram({
        root,
        name: 'cloudcore',
        args: ['--data', cloudDirectory, ...ports],
        logFile: join(directory, 'cloudcore.log'),
      }),
    )
    relay = await Relay.open(syncAddressOf(cloudDirectory))
    const edges = new Map<NodeName, Site>()
    await Promise.all(
      NODES.map(async (node) => {
        const through = node === 'edge-1' && relay !== undefined ? ['--server', relay.address] : []
        const create = ['token', 'create', '--data', cloudDirectory, '--node', node]
        const token = await runCommand(root, 'cloudcore', [...create, ...through])
        await mkdir(join(directory, node), { mode: 0o700 })
        programs.set(node, await startProgram(edgeOptions(root, directory, node, token)))
        edges.set(node, await siteOf(join(directory, node), 'edgecore'))
      }),
    )
    const cloud = await siteOf(cloudDirectory, 'cloudcore')
    return new Fleet(root, directory, relay, programs, cloud, edges)
  } catch (error) {
    for (const program of programs.values()) await program.stop()
    await relay?.close()
    await rm(directory, { recursive: true, force: true })
    throw error
  }
}

function edgeOptions(
  root: string,
  directory: string,
  node: string,
  token?: string,
): ProgramOptions {
  return {
    root,
    name: 'edgecore',
    args: ['--data', join(directory, node), '--api-address', '127.0.0.1:0', '--stop-pods-on-exit'],
    logFile: join(directory, `${node}.log`),
    // Not on the command line, where other users of the machine could read it.
    env: token === undefined ? {} : { TIDEWAY_EDGECORE_TOKEN: token },
  }
}

async function siteOf(directory: string, program: string): Promise<Site> {
  const api = new ApiClient(await readAccess(directory, program), program, directory)
  return { directory, kubeconfig: join(directory, 'kubeconfig'), api }
}

function syncAddressOf(directory: string): { readonly host: string; readonly port: number } {
  const { sync } = JSON.parse(readFileSync(join(directory, 'endpoints.json'), 'utf8')) as {
    sync: string[]
  }
  const address = parseAddress(sync[0] ?? '')
  if (address === undefined) throw new Error('cloudcore did not say where edges dial')
  return address
}
