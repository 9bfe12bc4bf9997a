import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
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
const KERNEL_LOG = '/dev/kmsg'
/** The kernel keeps some thousands of records, each shorter than this. */
const RECORDS_MAX = 100_000
const RECORD_BYTES_MAX = 8_192

/**
 * Whether the kernel has told that it ended a process of this container because its memory was short,
 * and has not forgotten it. For engines that do not tell.
 */
export function wasShortOfMemory(containerId: string): boolean {
  let log: number
  try {
    log = openSync(KERNEL_LOG, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch {
    return false
  }
  try {
    const record = Buffer.alloc(RECORD_BYTES_MAX)
    for (let count = 0; count < RECORDS_MAX; count += 1) {
      const text = nextRecord(log, record)
      if (text === undefined) return false
      if (text.includes('oom-kill:') && text.includes(`${containerId},task=`)) return true
    }
    return false
  } finally {
    closeSync(log)
  }
}

/** @returns undefined when there are no more; an empty text for one that was overwritten meanwhile. */
function nextRecord(log: number, record: Buffer): string | undefined {
  try {
    return record.toString('utf8', 0, readSync(log, record))
  } catch (error) {
    const isOverwritten = error instanceof Error && 'code' in error && error.code === 'EPIPE'
    return isOverwritten ? '' : undefined
  }
}
