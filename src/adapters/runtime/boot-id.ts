import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { isNotFound } from './atomic-file.ts'

/**
 * What identifies this run of the machine: another value means that it was rebooted and that no
 * process of before lives. Empty where the system does not tell.
 *
 * @throws where it cannot be read at the moment, such as with EMFILE.
 */
export async function bootId(): Promise<string> {
  try {
    return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
  } catch (error) {
    // Not Linux. Anything else says nothing of the machine.
    if (!isNotFound(error)) throw error
  }
  try {
    const result = await promisify(execFile)('/usr/sbin/sysctl', ['-n', 'kern.bootsessionuuid'])
    return result.stdout.trim()
  } catch {
    return ''
  }
}
