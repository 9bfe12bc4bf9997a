import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { SharedLook } from './shared-look.ts'

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
/** Files of /proc that are open at once: each costs a descriptor, of which there are few. */
const OPEN_FILES_MAX = 64
/** A process that is gone, before its file was opened or after, or that is not ours to look into. */
const UNSEEN: ReadonlySet<unknown> = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM'])

/** The process `pid`, or undefined when it is gone or a zombie. @throws as {@link allProcesses}. */
export async function processOf(pid: number): Promise<ProcessRow | undefined> {
  const row = HAS_PROC ? await readProc(pid) : (await ps(['-p', String(pid)]))[0]
  return row === undefined || row.state === 'Z' || row.state === 'X' ? undefined : row
}

/** What tells a process from a later one with its pid; undefined when nobody can say. Never rejects. */
export async function startOf(pid: number): Promise<string | undefined> {
  const row = await processOf(pid).catch(() => undefined)
  return row?.start
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

const rows = new SharedLook(lookAtRows)
const environments = new SharedLook(lookAtEnvironments)

/**
 * Every process that can be seen, zombies left out: all who ask at the same time share one look.
 *
 * @throws where the system does not let us look, such as with EMFILE: then nobody is gone.
 */
export function allProcesses(): Promise<readonly ProcessRow[]> {
  return rows.take()
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

/**
 * The processes whose environment holds `NAME=value`. Empty where the system does not tell.
 *
 * @throws as {@link allProcesses}.
 */
export async function processesWith(variable: string): Promise<readonly ProcessRow[]> {
  if (!HAS_PROC) return []
  const all = await environments.take()
  return all.filter(({ variables }) => variables.has(variable)).map(({ row }) => row)
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

async function lookAtRows(): Promise<readonly ProcessRow[]> {
  if (!HAS_PROC) return (await ps(['-A'])).filter((row) => row.state !== 'Z')
  const names = (await readdir('/proc')).filter((name) => /^[0-9]+$/.test(name))
  const found = await inTurns(names, (name) => processOf(Number(name)))
  return found.filter((row) => row !== undefined)
}

interface Environment {
  readonly row: ProcessRow
  readonly variables: ReadonlySet<string>
}

async function lookAtEnvironments(): Promise<readonly Environment[]> {
  return await inTurns(await allProcesses(), async (row) => {
    const text = (await readOf(row.pid, 'environ')) ?? ''
    return { row, variables: new Set(text.split('\0')) }
  })
}

/** Asks about many, few of them at a time. */
async function inTurns<T, R>(all: readonly T[], ask: (one: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = []
  for (let at = 0; at < all.length; at += OPEN_FILES_MAX) {
    answers.push(...(await Promise.all(all.slice(at, at + OPEN_FILES_MAX).map(ask))))
  }
  return answers
}

async function readProc(pid: number): Promise<ProcessRow | undefined> {
  const text = await readOf(pid, 'stat')
  return text === undefined ? undefined : parseStat(text)
}

/** A file of a process; undefined where the process cannot be seen (any more). */
async function readOf(pid: number, name: string): Promise<string | undefined> {
  try {
    return await readFile(`/proc/${pid}/${name}`, 'latin1')
  } catch (error) {
    if (UNSEEN.has((error as NodeJS.ErrnoException).code)) return undefined
    throw error
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
