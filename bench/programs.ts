import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { readAccess } from '../examples/shared/api-client.ts'
import type { ApiTarget } from './api/client.ts'

/** Where the built programs are. */
export const PROGRAMS: string = fileURLToPath(new URL('../dist/examples', import.meta.url))

const READY_MS = 60_000

/** USER_HZ is 100 wherever Node runs on Linux. */
const TICK_MS = 10

/** Starts a built program and resolves when it says that everything is up. */
export async function startProgram(
  program: 'cloudcore' | 'edgecore',
  args: readonly string[],
): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(PROGRAMS, program, 'main.js'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let lines = ''
  const signal = AbortSignal.timeout(READY_MS)
  while (!lines.includes('"msg":"ready"')) {
    if (child.stderr === null || child.exitCode !== null) {
      throw new Error(`${program} did not start: ${lines}`)
    }
    const [chunk] = (await once(child.stderr, 'data', { signal })) as [Buffer]
    lines += chunk.toString()
  }
  child.stderr?.resume()
  return child
}

/** A token that lets a node into the fleet of a running cloudcore. */
export async function joinToken(cloudData: string): Promise<string> {
  const main = join(PROGRAMS, 'cloudcore', 'main.js')
  const create = [main, 'token', 'create', '--data', cloudData, '--node', 'bench']
  return (await promisify(execFile)(process.execPath, create)).stdout.trim()
}

/** The API of a program that runs with a data directory. */
export async function apiOf(data: string, program: 'cloudcore' | 'edgecore'): Promise<ApiTarget> {
  const { server, ca, token } = await readAccess(data, program)
  return { url: server, caPem: ca, token }
}

/** Stops a program in good order; resolves when it is gone. */
export async function stopProgram(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  if (child.exitCode === null) await once(child, 'exit')
}

export function pidOf(child: ChildProcess): number {
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

/** CPU of all threads of a process since its start, in milliseconds (Linux, in steps of 10 ms). */
export async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // After the name, which may have spaces: utime and stime are the fields 14 and 15 (proc_pid_stat(5)).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}
