import { killFamily } from '../kill-family.ts'
import { startOf } from '../process-table.ts'
import type { ProcessEvent } from './events.ts'

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
      this.#start = startOf(pid)
      this.#begin()
    }
    if (type === 'exited' && pid === this.#pid) setTimeout(() => this.#exit(exitCode), DRAIN_MS)
  }

  /** Kills it with everything that it started. Never rejects. */
  async kill(): Promise<void> {
    if (this.#pid !== undefined) await killFamily(this.#pid, await this.#start)
  }
}
