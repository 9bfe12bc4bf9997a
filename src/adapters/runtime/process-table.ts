import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/** One process of the host. */
export interface ProcessRow {
  readonly pid: number
  readonly parent: number
  readonly group: number
  /** 0 where the system does not tell. */
  readonly session: number
  /** `Z` zombie, `T` stopped; only the first letter. */
  readonly state: string
  /** What tells this process from a later one with the same pid. Compared, never computed with. */
  readonly start: string
}

const run = promisify(execFile)
const HAS_PROC = existsSync('/proc/self/stat')
const PS_BYTES_MAX = 16 * 1024 * 1024

/** The process `pid`, or undefined when it is gone or a zombie. */
export async function processOf(pid: number): Promise<ProcessRow | undefined> {
  const row = HAS_PROC ? await readProc(pid) : (await ps(['-p', String(pid)]))[0]
  return row === undefined || row.state === 'Z' || row.state === 'X' ? undefined : row
}

/** Whether the process that had this pid and start time still lives. */
export async function isAlive(pid: number, start: string): Promise<boolean> {
  const row = await processOf(pid)
  return row !== undefined && row.start === start
}

/** Whether some process has this pid: perhaps a zombie, perhaps another one. Takes microseconds. */
export function isPresent(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Every process that can be seen, zombies left out. */
export async function allProcesses(): Promise<readonly ProcessRow[]> {
  if (!HAS_PROC) return (await ps(['-A'])).filter((row) => row.state !== 'Z')
  const names = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name))
  const rows = await Promise.all(names.map((name) => processOf(Number(name))))
  return rows.filter((row) => row !== undefined)
}

/**
 * Picks the processes that belong together: the leader, its descendants, its group, its session and
 * all descendants of those. Processes in `known` (pid to start time) count as well, so that one that
 * was seen before and has left since is found again.
 */
export function familyOf(
  leader: number,
  rows: readonly ProcessRow[],
  known: ReadonlyMap<number, string> = new Map(),
): readonly ProcessRow[] {
  const isIn = (row: ProcessRow): boolean =>
    row.pid === leader ||
    row.group === leader ||
    row.session === leader ||
    known.get(row.pid) === row.start
  const members = new Map(rows.filter(isIn).map((row) => [row.pid, row]))
  let before = -1
  while (before !== members.size) {
    before = members.size
    for (const row of rows) if (members.has(row.parent)) members.set(row.pid, row)
  }
  return [...members.values()]
}

/** The processes whose environment holds `NAME=value`. Empty where the system does not tell. */
export async function processesWith(variable: string): Promise<readonly ProcessRow[]> {
  if (!HAS_PROC) return []
  const rows = await allProcesses()
  const found = await Promise.all(
    rows.map(async (row) => {
      const environment = await readFile(`/proc/${row.pid}/environ`, 'latin1').catch(() => '')
      return environment.split('\0').includes(variable) ? row : undefined
    }),
  )
  return found.filter((row) => row !== undefined)
}

/** Reads one line of /proc/PID/stat (proc(5)). */
export function parseStat(text: string): ProcessRow | undefined {
  const open = text.indexOf('(')
  const close = text.lastIndexOf(')')
  if (open < 0 || close < open) return undefined
  const fields = text.slice(close + 2).split(' ')
  const [state, parent, group, session] = fields
  const start = fields[19]
  if (state === undefined || parent === undefined || start === undefined) return undefined
  return {
    pid: Number(text.slice(0, open)),
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    state,
    start,
  }
}

/** Reads one line of `ps -o pid=,ppid=,pgid=,stat=,lstart=`. */
export function parsePs(line: string): ProcessRow | undefined {
  const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S)\S*\s+(.+?)\s*$/.exec(line)
  if (match === null) return undefined
  const [, pid, parent, group, state = '', start = ''] = match
  return {
    pid: Number(pid),
    parent: Number(parent),
    group: Number(group),
    session: 0,
    state,
    start,
  }
}

async function readProc(pid: number): Promise<ProcessRow | undefined> {
  try {
    return parseStat(await readFile(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    // Gone between listing and reading, or never there.
    return undefined
  }
}

async function ps(which: readonly string[]): Promise<readonly ProcessRow[]> {
  try {
    const columns = ['-o', 'pid=,ppid=,pgid=,stat=,lstart=']
    const env = { LC_ALL: 'C', PATH: '/bin:/usr/bin' }
    const result = await run('ps', [...which, ...columns], { env, maxBuffer: PS_BYTES_MAX })
    return result.stdout
      .split('\n')
      .map(parsePs)
      .filter((row) => row !== undefined)
  } catch {
    // ps exits with 1 when no process matches.
    return []
  }
}
