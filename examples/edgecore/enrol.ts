import type { Logger } from 'tideway'
import { certificateFingerprint } from 'tideway/adapters/kubernetes/server'
import { decodeJoinToken, type JoinToken } from '../shared/join-token.ts'
import { refuseDirectoryOf } from '../shared/private-files.ts'
import { EXIT, ProgramError } from '../shared/program-error.ts'
import { joinFleet } from './join-fleet.ts'
import { checkOwner, type NodeIdentity, readIdentity, writeIdentity } from './node-identity.ts'

/** What decides who this node is. */
export interface EnrolmentOptions {
  readonly directory: string
  readonly token: string | undefined
  readonly name: string | undefined
}

/**
 * The identity of this node: the one in its data directory, or a new one when a token is given that it
 * has not been used with. The directory has to be locked by the caller.
 *
 * @throws ProgramError, with what is wrong.
 */
export async function enrol(options: EnrolmentOptions, logger: Logger): Promise<NodeIdentity> {
  const { directory, name } = options
  const token = options.token === undefined ? undefined : decodeJoinToken(options.token)
  await refuseDirectoryOf('cloudcore', directory)
  const known = await readIdentity(directory)
  if (known !== undefined) checkOwner(directory, known, name ?? token?.node)
  if (token === undefined || token.id === known?.token) {
    if (known !== undefined) return known
    throw notJoined(directory)
  }
  checkToken(token, known, options)
  const identity = await joinFleet(token)
  await writeIdentity(directory, identity)
  logger.info('joined the fleet', { node: identity.node, fleet: identity.fleet })
  return identity
}

function notJoined(directory: string): ProgramError {
  return new ProgramError(
    'NOT_JOINED',
    EXIT.usage,
    `the data directory ${directory} belongs to no node yet; give --token, made by "cloudcore token create --node NAME"`,
    { fields: { directory } },
  )
}

function checkToken(
  token: JoinToken,
  known: NodeIdentity | undefined,
  { directory, name }: EnrolmentOptions,
): void {
  if (name !== undefined && name !== token.node) {
    throw new ProgramError(
      'JOIN_NODE_MISMATCH',
      EXIT.refused,
      `the token lets the node ${token.node} in, not ${name}; leave --name out, or make a token for ${name}`,
      { fields: { found: token.node, wanted: name } },
    )
  }
  if (known === undefined || certificateFingerprint(known.ca) === token.fingerprint) return
  throw new ProgramError(
    'DATA_DIRECTORY_FOREIGN',
    EXIT.dataDirectory,
    `the data directory ${directory} is that of the fleet ${known.fleet}, and the token is for another; choose another with --data`,
    { fields: { directory, fleet: known.fleet } },
  )
}
