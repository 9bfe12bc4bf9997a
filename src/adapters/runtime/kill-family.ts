import { kill } from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { allProcesses, familyOf } from './process-table.ts'

/** What is left after so many rounds ends with its container. */
const ROUNDS_MAX = 250
const ROUND_MS = 20

/**
 * Kills a process that leads others, and everything that descends from it. Never rejects.
 *
 * @param start what tells it from a later process with its number, as a row of the table of
 * processes has it. Default: it is there now.
 */
export async function killFamily(leader: number, start?: string): Promise<void> {
  const known = new Map<number, string>()
  let first = start
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const rows = await allProcesses().catch(() => undefined)
    if (rows === undefined) {
      // Nobody could look: not a sign that nobody is there.
      await sleep(ROUND_MS)
      continue
    }
    first ??= rows.find((row) => row.pid === leader)?.start
    const own = rows.filter((row) => row.pid !== leader || row.start === first)
    const family = familyOf(leader, own, known)
    if (family.length === 0) return
    for (const row of family) {
      known.set(row.pid, row.start)
      send(row.pid, 'SIGKILL')
    }
    await sleep(ROUND_MS)
  }
}

/** Sends a signal to a process that may be gone, or not ours. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    kill(pid, signal)
  } catch {
    // ESRCH: it ended meanwhile. EPERM: it is not ours.
  }
}
