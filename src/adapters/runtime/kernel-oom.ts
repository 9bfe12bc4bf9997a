import { closeSync, constants, openSync, readSync } from 'node:fs'

const KERNEL_LOG = '/dev/kmsg'
/** The kernel keeps some thousands of records, each shorter than this. */
const RECORDS_MAX = 100_000
const RECORD_BYTES_MAX = 8_192

/**
 * Whether the kernel has told that it ended a process of this container because its memory was short,
 * and has not forgotten it. For engines that do not tell, or were away when it happened.
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
      if (isOomOf(text, containerId)) return true
    }
    return false
  } finally {
    closeSync(log)
  }
}

/** By the group that the process was in, which engines name by their container; systemd calls it a scope. */
function isOomOf(record: string, containerId: string): boolean {
  if (!record.includes('oom-kill:')) return false
  return [`${containerId},task=`, `${containerId}.scope,task=`].some((end) => record.includes(end))
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
