import { join } from 'node:path'
import { writeSecretFile } from 'tideway/adapters/kubernetes/server'
import { readJsonFile, readTextFile } from '../shared/private-files.ts'
import { EXIT, ProgramError } from '../shared/program-error.ts'
import { type Address, addressText, isNodeName, parseAddress } from '../shared/settings.ts'

/** Who this node is, and what proves it: `identity.json` in its data directory, mode 0600. */
export interface NodeIdentity {
  readonly node: string
  readonly fleet: string
  /** Where the cloud is, tried in turn. */
  readonly addresses: readonly Address[]
  /** The certificate of the cloud's authority, PEM. */
  readonly ca: string
  /** PEM. */
  readonly certificate: string
  /** PEM. Secret. */
  readonly key: string
  /** The id of the token that it joined with. */
  readonly token: string
}

function pathIn(directory: string): string {
  return join(directory, 'identity.json')
}

/**
 * Reads who this node is; undefined when it has not joined a fleet.
 *
 * @throws ProgramError `DATA_DIRECTORY_UNUSABLE` when the file is there and cannot be used.
 */
export async function readIdentity(directory: string): Promise<NodeIdentity | undefined> {
  const value = await readJsonFile(pathIn(directory))
  if (value === undefined && (await readTextFile(pathIn(directory))) === undefined) return undefined
  const { node, fleet, addresses, ca, certificate, key, token } = value ?? {}
  const places = (Array.isArray(addresses) ? addresses : []).map((text) =>
    parseAddress(String(text)),
  )
  const known = places.filter((address) => address !== undefined)
  const texts = [fleet, ca, certificate, key, token].every((text) => typeof text === 'string')
  if (typeof node !== 'string' || !isNodeName(node) || !texts || known.length === 0) {
    throw new ProgramError(
      'DATA_DIRECTORY_UNUSABLE',
      EXIT.dataDirectory,
      `${pathIn(directory)} is damaged; join again with a new token: edgecore join --token TOKEN`,
      { fields: { directory } },
    )
  }
  return { ...(value as unknown as NodeIdentity), addresses: known }
}

/** Writes down who this node is, whole or not at all. */
export async function writeIdentity(directory: string, identity: NodeIdentity): Promise<void> {
  const value = { ...identity, addresses: identity.addresses.map(addressText) }
  await writeSecretFile(pathIn(directory), `${JSON.stringify(value, undefined, 2)}\n`)
}

/** @throws ProgramError `DATA_DIRECTORY_FOREIGN` when the directory is that of another node. */
export function checkOwner(
  directory: string,
  identity: NodeIdentity,
  wanted: string | undefined,
): void {
  if (wanted === undefined || wanted === identity.node) return
  throw new ProgramError(
    'DATA_DIRECTORY_FOREIGN',
    EXIT.dataDirectory,
    `the data directory ${directory} is that of the node ${identity.node}, not ${wanted}; choose another with --data`,
    { fields: { directory, found: identity.node, wanted } },
  )
}
