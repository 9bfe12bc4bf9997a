import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const PROGRAMS = fileURLToPath(new URL('../dist/examples', import.meta.url))
const READY_MS = 30_000

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
  const cloud = start('cloudcore', [
    'run',
    '--data',
    cloudData,
    ...ports,
    '--sync-address',
    '127.0.0.1:0',
    '--log-level',
    'info',
  ])
  await ready(cloud)
  const run = promisify(execFile)
  const create = [
    join(PROGRAMS, 'cloudcore/main.js'),
    'token',
    'create',
    '--data',
    cloudData,
    '--node',
    'bench',
  ]
  const token = (await run(process.execPath, create)).stdout.trim()
  const edge = start('edgecore', [
    '--token',
    token,
    '--data',
    edgeData,
    ...ports,
    '--stop-pods-on-exit',
  ])
  await ready(edge)
  return {
    cloudKubeconfig: join(cloudData, 'kubeconfig'),
    cloudPid: pidOf(cloud),
    edgePid: pidOf(edge),
    stop: async () => {
      for (const child of [edge, cloud]) {
        child.kill('SIGTERM')
        if (child.exitCode === null) await once(child, 'exit')
      }
      await rm(directory, { recursive: true, force: true })
    },
  }
}

function start(program: string, args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [join(PROGRAMS, program, 'main.js'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
}

/** Resolves at the program's line `ready`. */
async function ready(child: ChildProcess): Promise<void> {
  let lines = ''
  const timeout = AbortSignal.timeout(READY_MS)
  while (!lines.includes('"msg":"ready"')) {
    if (child.stderr === null || child.exitCode !== null)
      throw new Error(`a program did not start: ${lines}`)
    const [chunk] = (await once(child.stderr, 'data', { signal: timeout })) as [Buffer]
    lines += chunk.toString()
  }
  child.stderr?.resume()
}

function pidOf(child: ChildProcess): number {
  if (child.pid === undefined) throw new Error('a program has no process')
  return child.pid
}

/** Resident memory of a process in bytes, and what of it is not backed by files (Linux). */
export async function memoryOf(
  pid: number,
): Promise<{ readonly rssBytes: number; readonly anonymousBytes: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? Number.NaN) * 1024
  return { rssBytes: field('VmRSS'), anonymousBytes: field('RssAnon') }
}
