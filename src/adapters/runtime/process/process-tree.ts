import type { Clock } from '../../../core/interfaces/clock.ts'
import { delay } from '../delay.ts'
import { send } from '../kill-family.ts'
import {
  allProcesses,
  familyOf,
  isAlive,
  type ProcessRow,
  processesWith,
} from '../process-table.ts'
import type { Cgroups } from './cgroup-files.ts'
import type { Claim, InsideProcess } from './container-files.ts'
import { LIMITS } from './limits.ts'

/** What is needed to find every process of one container. */
export interface TreeOptions {
  readonly id: string
  /** What the container has as TIDEWAY_CONTAINER_DIR: no other one on the machine has it. */
  readonly directory: string
  readonly claim: Claim
  readonly cgroups: Cgroups | undefined
  readonly clock: Clock
}

/** Rounds in which the script itself is spared, so that it can record the exit code. */
const SPARING_ROUNDS = 50

/**
 * All processes of one container: by cgroup where there is one; else the script's descendants, group
 * and session, and whatever carries the container's directory in its environment.
 */
export class ProcessTree {
  readonly #options: TreeOptions
  /** Processes seen once, so that those that leave the family later are still found. */
  readonly #known = new Map<number, string>()

  constructor(options: TreeOptions) {
    this.#options = options
  }

  /** Remembers who belongs to the container now. */
  async remember(): Promise<void> {
    for (const row of await this.#members()) this.#known.set(row.pid, row.start)
  }

  /**
   * Asks it to end: its first process, where it has a pid namespace of its own, as container engines
   * do; else its whole process group. What is gone is fine.
   */
  async ask(inside: InsideProcess | undefined): Promise<void> {
    await this.remember()
    if (inside?.isIsolated !== true) send(-this.#options.claim.pid, 'SIGTERM')
    else if (this.#known.has(inside.pid)) send(inside.pid, 'SIGTERM')
  }

  /**
   * Kills every process. The script goes last, and by itself unless it hangs.
   *
   * @returns whether nothing is left.
   */
  async kill(): Promise<boolean> {
    const { cgroups, id, claim, clock } = this.#options
    for (let round = 0; round < LIMITS.killRoundsMax; round += 1) {
      // Frozen processes cannot fork while they are listed. The signal takes effect on thawing.
      await cgroups?.freeze(id, true)
      const members = await this.#members(round % 10 === 0)
      const others = members.filter((row) => row.pid !== claim.pid)
      const spare = round < SPARING_ROUNDS
      for (const row of spare ? others : members) send(row.pid, 'SIGKILL')
      await cgroups?.freeze(id, false)
      if (members.length === 0 && (await this.#stragglers()).length === 0) return true
      if (spare && members.some((row) => row.pid === claim.pid)) send(claim.pid, 'SIGCONT')
      await delay(clock, LIMITS.killRoundMs)
    }
    return false
  }

  /**
   * Stops every process and waits until all are at rest.
   *
   * @returns how to let them go on; undefined, with all of them going on, when they did not rest.
   */
  async rest(): Promise<(() => Promise<void>) | undefined> {
    const { clock } = this.#options
    const goOn = (): Promise<void> => this.goOn()
    const deadline = clock.monotonicMs() + LIMITS.freezeMsMax
    const frozen = (await this.#options.cgroups?.freeze(this.#options.id, true)) ?? false
    if (!frozen) for (const row of await this.#members(true)) send(row.pid, 'SIGSTOP')
    while (clock.monotonicMs() < deadline) {
      if (await this.#isAtRest(frozen)) return goOn
      await delay(clock, LIMITS.startPollMs)
    }
    await goOn()
    return undefined
  }

  /** Undoes {@link rest}, also one that an earlier driver did not live to undo. */
  async goOn(): Promise<void> {
    await this.#options.cgroups?.freeze(this.#options.id, false)
    for (const row of await this.#members()) if (row.state === 'T') send(row.pid, 'SIGCONT')
  }

  async #isAtRest(frozen: boolean): Promise<boolean> {
    const { cgroups, id } = this.#options
    if (frozen && cgroups !== undefined) return await cgroups.isFrozen(id)
    const members = await this.#members(true)
    for (const row of members) if (row.state !== 'T') send(row.pid, 'SIGSTOP')
    return members.every((row) => row.state === 'T')
  }

  async #members(thorough = false): Promise<readonly ProcessRow[]> {
    const { cgroups, id, claim } = this.#options
    const rows = await allProcesses()
    const byPid = new Map(rows.map((row) => [row.pid, row]))
    const members = new Map<number, ProcessRow>()
    const leader = byPid.get(claim.pid)
    // Another process with the leader's pid means that the leader and its group are long gone.
    const isReused = leader !== undefined && leader.start !== claim.start
    const family = isReused ? [] : familyOf(claim.pid, rows, this.#known)
    const grouped = (await cgroups?.processes(id)) ?? []
    const marked = thorough && cgroups === undefined ? await this.#stragglers() : []
    for (const row of [...family, ...marked]) members.set(row.pid, row)
    for (const pid of grouped) {
      const row = byPid.get(pid)
      if (row !== undefined) members.set(pid, row)
    }
    return [...members.values()]
  }

  #stragglers(): Promise<readonly ProcessRow[]> {
    return processesWith(`TIDEWAY_CONTAINER_DIR=${this.#options.directory}`)
  }

  /** Whether the script lives. */
  isAlive(): Promise<boolean> {
    return isAlive(this.#options.claim.pid, this.#options.claim.start)
  }
}
