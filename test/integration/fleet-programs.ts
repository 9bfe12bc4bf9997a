import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  packageRoot,
  programPath,
  RunningProgram,
  startProgram,
} from '../../examples/demo/program.ts'
import { Relay } from '../../examples/demo/relay.ts'
import { ApiClient, readAccess } from '../../examples/shared/api-client.ts'
import { steadyPort } from '../support/steady-port.ts'

/** The package whose built programs are run. */
export const ROOT: string = packageRoot(import.meta.url)

/** How a command ended, and what it said. */
export interface CommandResult {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

type Name = 'cloudcore' | 'edgecore'
type Environment = Readonly<Record<string, string>>
const POLL_MS = 100
const WAIT_MS = 30_000

/** Runs a command of a program to its end. */
export function runCli(
  name: Name,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [programPath(ROOT, name), ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
    })
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString()
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** Waits until something is there, and gives it. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs: number = WAIT_MS,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  let last: unknown
  while (performance.now() < deadline) {
    try {
      const found = await look()
      if (found !== undefined && found !== false) return found
    } catch (error) {
      last = error
    }
    await sleep(POLL_MS)
  }
  throw new Error(`not in time: ${what}`, { cause: last })
}

/** Real cloudcore and edgecore processes in one temporary directory. */
export class TestFleet {
  readonly directory: string
  readonly #programs: RunningProgram[] = []
  readonly #edges = new Set<string>()
  #logs = 0

  private constructor(directory: string) {
    this.directory = directory
  }

  static async create(): Promise<TestFleet> {
    return new TestFleet(await mkdtemp(join(tmpdir(), 'tideway-test-')))
  }

  /** The data directory of a program, or of a node. */
  data(name: string): string {
    return join(this.directory, name)
  }

  kubeconfig(name: string): string {
    return join(this.data(name), 'kubeconfig')
  }

  async api(name: string): Promise<ApiClient> {
    const program = name === 'cloud' ? 'cloudcore' : 'edgecore'
    return new ApiClient(await readAccess(this.data(name), program), program, this.data(name))
  }

  /** Where edges dial the cloud, as `HOST:PORT`. */
  syncAddress(): string {
    const text = readFileSync(join(this.data('cloud'), 'endpoints.json'), 'utf8')
    const [address = ''] = (JSON.parse(text) as { readonly sync: readonly string[] }).sync
    return address
  }

  /** A link to the cloud that can be cut, for edges to dial instead. */
  async openRelay(): Promise<Relay> {
    const [host = '', port] = this.syncAddress().split(':')
    return await Relay.open({ host, port: Number(port) })
  }

  /** Edges dial it where no other program is let in while it is away. */
  async startCloud(args: readonly string[] = []): Promise<RunningProgram> {
    const sync = `127.0.0.1:${await steadyPort()}`
    const ports = ['--api-address', '127.0.0.1:0', '--sync-address', sync]
    return await this.#start('cloudcore', ['--data', this.data('cloud'), ...ports, ...args])
  }

  async token(node: string, args: readonly string[] = []): Promise<string> {
    const create = ['token', 'create', '--data', this.data('cloud'), '--node', node]
    const { code, stdout, stderr } = await runCli('cloudcore', [...create, ...args])
    if (code !== 0) throw new Error(stderr)
    return stdout.trim()
  }

  /** What starts an edgecore on the directory of a node. */
  edgeArgs(node: string, args: readonly string[] = []): readonly string[] {
    this.#edges.add(node)
    return ['--data', this.data(node), '--api-address', '127.0.0.1:0', ...args]
  }

  startEdge(
    node: string,
    args: readonly string[] = [],
    env: Environment = {},
  ): Promise<RunningProgram> {
    return this.#start('edgecore', this.edgeArgs(node, args), env)
  }

  /** Makes a token, joins and runs, and waits until the cloud is there. */
  async joinEdge(node: string): Promise<RunningProgram> {
    const edge = await this.startEdge(node, ['--token', await this.token(node)])
    await edge.line('connected to the cloud')
    return edge
  }

  /** A program that is expected to end by itself. */
  launch(name: Name, args: readonly string[], env: Environment = {}): RunningProgram {
    const logFile = this.#logFile(name)
    const program = new RunningProgram({ root: ROOT, name, args, env, logFile })
    this.#programs.push(program)
    return program
  }

  async close(): Promise<void> {
    await Promise.all(this.#programs.map((program) => program.stop()))
    for (const node of this.#edges)
      await runCli('edgecore', ['stop-pods', '--data', this.data(node)])
    await rm(this.directory, { recursive: true, force: true })
  }

  async #start(
    name: Name,
    args: readonly string[],
    env: Environment = {},
  ): Promise<RunningProgram> {
    const logFile = this.#logFile(name)
    const program = await startProgram({ root: ROOT, name, args, env, logFile })
    this.#programs.push(program)
    return program
  }

  #logFile(name: string): string {
    this.#logs += 1
    return join(this.directory, `${name}-${this.#logs}.log`)
  }
}
