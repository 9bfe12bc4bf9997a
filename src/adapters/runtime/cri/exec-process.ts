import { setTimeout as sleep } from 'node:timers/promises'
import { allProcesses, familyOf, processOf } from '../process-table.ts'
import type { ProcessEvent } from './events.ts'

const LOOK_MS = 20
const KILL_ROUNDS_MAX = 50
/** What a process has written before its end arrives within this. */
const DRAIN_MS = 500

/**
 * The process that an engine started for a session, as far as its events tell: to kill it, for which
 * the interface has no call, and to know its end although others still hold its output.
 *
 * Events name no session, so only one may be beginning in a container at a time. Where an engine
 * tells no such events the process is not known: then it runs on when its session ends, and its
 * session ends with the last who holds its output. With kubelet it is always so.
 */
export class ExecProcess {
  /** Resolves when it is known; never where no events are told. */
  readonly began: Promise<void>
  /** Resolves with its exit code a moment after it has ended; never where that is not told. */
  readonly exited: Promise<number>
  readonly #containerId: string
  #pid: number | undefined
  #start: Promise<string | undefined> | undefined
  #begin: () => void = () => undefined
  #exit: (exitCode: number) => void = () => undefined

  constructor(containerId: string) {
    this.#containerId = containerId
    this.began = new Promise((resolve) => {
      this.#begin = resolve
    })
    this.exited = new Promise((resolve) => {
      this.#exit = resolve
    })
  }

  /** Something was told of a process. */
  notice({ type, containerId, pid, exitCode }: ProcessEvent): void {
    if (containerId !== this.#containerId) return
    if (type === 'started' && this.#pid === undefined) {
      this.#pid = pid
      this.#start = processOf(pid).then((row) => row?.start)
      this.#begin()
    }
    if (type === 'exited' && pid === this.#pid) setTimeout(() => this.#exit(exitCode), DRAIN_MS)
  }

  /** Kills it with everything that it started. Never rejects. */
  async kill(): Promise<void> {
    const leader = this.#pid
    if (leader === undefined) return
    const start = await this.#start
    const known = new Map<number, string>()
    for (let round = 0; round < KILL_ROUNDS_MAX; round += 1) {
      const rows = await allProcesses().catch(() => [])
      // A later process may have got its number.
      const own = rows.filter((row) => row.pid !== leader || row.start === start)
      const family = familyOf(leader, own, known)
      if (family.length === 0) return
      for (const row of family) {
        known.set(row.pid, row.start)
        killOne(row.pid)
      }
      await sleep(LOOK_MS)
    }
  }
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}
