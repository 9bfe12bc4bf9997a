import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import {
  type Authority,
  loadOrCreateAuthority,
  writeSecretFile,
} from 'tideway/adapters/kubernetes/server'
import { makePrivateDirectory, readTextFile } from '../shared/private-files.ts'
import { EXIT, ProgramError } from '../shared/program-error.ts'

/** What makes this fleet this fleet, kept in the data directory. */
export interface FleetIdentity {
  readonly fleet: string
  /** Signs the certificates of the API, of the sync port and of every node. */
  readonly authority: Authority
}

/**
 * Reads the identity of the fleet, or makes one in a directory that has none.
 *
 * @throws ProgramError when the directory cannot be used, or is that of a fleet of another name.
 */
export async function openFleetIdentity(
  directory: string,
  wanted: string | undefined,
): Promise<FleetIdentity> {
  await makePrivateDirectory(directory)
  const path = join(directory, 'fleet')
  const known = (await readTextFile(path))?.trim()
  if (known !== undefined && wanted !== undefined && known !== wanted) {
    throw new ProgramError(
      'DATA_DIRECTORY_FOREIGN',
      EXIT.dataDirectory,
      `the data directory ${directory} is that of the fleet ${known}, not ${wanted}; leave --fleet out, or choose another directory with --data`,
      { fields: { directory, found: known, wanted } },
    )
  }
  const fleet = known ?? wanted ?? `fleet-${randomBytes(4).toString('hex')}`
  if (known === undefined) await writeSecretFile(path, `${fleet}\n`)
  return { fleet, authority: await loadOrCreateAuthority(join(directory, 'pki')) }
}
