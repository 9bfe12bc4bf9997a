import { join } from 'node:path'
import { readJsonFile } from '../shared/private-files.ts'
import { EXIT, ProgramError } from '../shared/program-error.ts'
import { type Address, parseAddress } from '../shared/settings.ts'

/** Where a running cloudcore can be reached: `endpoints.json` in its data directory. */
export interface CloudEndpoints {
  readonly fleet: string
  readonly pid: number
  /** Such as `https://127.0.0.1:6443`. */
  readonly api: string
  /** What edges dial, as `HOST:PORT`. */
  readonly sync: readonly string[]
  /** SHA-256 of the certificate of the authority, hex. */
  readonly fingerprint: string
  /** Such as `http://127.0.0.1:9464`; absent when it is off. */
  readonly metrics?: string | undefined
}

/**
 * Reads what a join token needs to know.
 *
 * @throws ProgramError `NOT_RUNNING` when cloudcore was never started there.
 */
export async function readEndpoints(
  directory: string,
): Promise<{ readonly addresses: readonly Address[]; readonly fingerprint: string }> {
  const value = await readJsonFile(join(directory, 'endpoints.json'))
  const sync: readonly unknown[] = Array.isArray(value?.['sync']) ? value['sync'] : []
  const addresses = sync
    .map((text) => (typeof text === 'string' ? parseAddress(text) : undefined))
    .filter((address) => address !== undefined)
  const fingerprint = value?.['fingerprint']
  if (addresses.length > 0 && typeof fingerprint === 'string') return { addresses, fingerprint }
  throw new ProgramError(
    'NOT_RUNNING',
    EXIT.unreachable,
    `cloudcore has never been started with the data directory ${directory}; start it, or name its directory with --data`,
    { fields: { directory } },
  )
}
