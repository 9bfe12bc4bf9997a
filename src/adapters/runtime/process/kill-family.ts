import type { Clock } from '../../../core/interfaces/clock.ts'
import { allProcesses, familyOf } from '../process-table.ts'
import { delay } from './delay.ts'
import { LIMITS } from './limits.ts'
import { send } from './process-tree.ts'

/**
 * Kills a process that leads a session, and everything that descends from it. Gives up after
 * {@link LIMITS.killRoundsMax} rounds; what is left then ends with the container. Never rejects.
 */
export async function killFamily(leader: number, clock: Clock): Promise<void> {
  const known = new Map<number, string>()
  let start: string | undefined
  for (let round = 0; round < LIMITS.killRoundsMax; round += 1) {
    const rows = await allProcesses().catch(() => [])
    start ??= rows.find((row) => row.pid === leader)?.start
    // A later process may have got the pid of the leader.
    const own = rows.filter((row) => row.pid !== leader || row.start === start)
    const family = familyOf(leader, own, known)
    if (family.length === 0) return
    for (const row of family) {
      known.set(row.pid, row.start)
      send(row.pid, 'SIGKILL')
    }
    await delay(clock, LIMITS.killRoundMs)
  }
}
