import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

/** The lowest score that a process of this machine may be given by root (proc(5), oom_score_adj). */
export function lowestOomScore(isWhole: boolean): number {
  if (isWhole) return OOM_SCORE_MIN
  try {
    return Number(readFileSync('/proc/self/oom_score_adj', 'utf8'))
  } catch {
    return OOM_SCORE_MIN
  }
}

/** Whether this process may do all that its kernel knows: some machines keep something from their root. */
export async function hasAllCapabilities(): Promise<boolean> {
  try {
    const [status, last] = await Promise.all([
      readFile('/proc/self/status', 'utf8'),
      readFile('/proc/sys/kernel/cap_last_cap', 'utf8'),
    ])
    const bounds = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
    const all = (1n << BigInt(Number(last) + 1)) - 1n
    return (bounds & all) === all
  } catch {
    // Not Linux, so the engine is in a machine of its own, whose root is whole.
    return true
  }
}

const OOM_SCORE_MIN = -1000
