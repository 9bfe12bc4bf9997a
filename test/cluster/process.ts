import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** One program of a cluster that runs. */
export interface RunningProgram {
  readonly name: string
  readonly pid: number
  /**
   * Resolves once `isReady` does with true.
   *
   * @throws Error with the end of its log when the program ends first, or after `withinMs`.
   */
  ready(isReady: () => Promise<boolean>, withinMs: number): Promise<void>
  /** Ends it: asks, and after {@link STOP_MS} ends it without asking. Resolves when it is gone. */
  stop(): Promise<void>
}

/** How long a program gets to stop in good order. */
const STOP_MS = 3_000

/** How often a program is asked whether it is ready. */
const POLL_MS = 100

/** How much of a log an error carries. */
const LOG_CHARACTERS = 4_000

const running = new Set<ChildProcess>()
let isHooked = false

/**
 * Starts a program whose output goes to a file, in the folder of that file, where it may drop things.
 * It ends with this process at the latest.
 */
export function startProgram(
  name: string,
  path: string,
  args: readonly string[],
  logPath: string,
): RunningProgram {
  const log = openSync(logPath, 'a')
  const child = spawn(path, args, { cwd: dirname(logPath), stdio: ['ignore', log, log] })
  closeSync(log)
  running.add(child)
  if (!isHooked) process.on('exit', killAll)
  isHooked = true
  let failure: string | undefined
  child.on('error', (error) => {
    failure = error.message
  })
  const gone = new Promise<void>((resolve) => {
    const end = (): void => {
      running.delete(child)
      failure ??= `it ended with ${child.exitCode ?? child.signalCode ?? 'nothing'}`
      resolve()
    }
    child.on('exit', end)
    child.on('error', end)
  })
  const ready = async (isReady: () => Promise<boolean>, withinMs: number): Promise<void> => {
    const lastMs = performance.now() + withinMs
    while (!(await isReady())) {
      if (failure === undefined && performance.now() < lastMs) {
        await delay(POLL_MS)
        continue
      }
      const text = await readFile(logPath, 'utf8').catch(() => '')
      const why = failure ?? `it was not ready after ${withinMs} ms`
      throw new Error(`${name} did not start: ${why}\n${text.slice(-LOG_CHARACTERS)}`)
    }
  }
  const stop = async (): Promise<void> => {
    if (failure === undefined) child.kill('SIGTERM')
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await gone
    clearTimeout(force)
  }
  return { name, pid: child.pid ?? -1, ready, stop }
}

function killAll(): void {
  for (const child of running) child.kill('SIGKILL')
}
