import { randomBytes } from 'node:crypto'
import { EXIT, ProgramError } from './program-error.ts'
import { type Address, addressText, isNodeName, parseAddress } from './settings.ts'

/** What a join token says: where the cloud is, how to know it, and what lets one node in once. */
export interface JoinToken {
  /** Where to reach the cloud, tried in this order. */
  readonly addresses: readonly Address[]
  /** SHA-256 of the certificate of the cloud's authority, 64 hex digits. */
  readonly fingerprint: string
  readonly node: string
  readonly id: string
  readonly secret: string
}

const PREFIX = 'tideway-join-1.'
const TOKEN_CHARACTERS_MAX = 4_096
const ADDRESSES_MAX = 16
const ID = /^[a-z0-9]{10}$/
const SECRET = /^[A-Za-z0-9_-]{43}$/
const FINGERPRINT = /^[0-9a-f]{64}$/
const ID_LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** A new id for a token: it is no secret and names what is stored of it. */
export function newTokenId(): string {
  return [...randomBytes(10)].map((byte) => ID_LETTERS[byte % ID_LETTERS.length]).join('')
}

/** A new secret: 32 random bytes. */
export function newTokenSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** The one line that is carried to the node. */
export function encodeJoinToken({ addresses, ...token }: JoinToken): string {
  const text = JSON.stringify({ ...token, addresses: addresses.map(addressText) })
  return PREFIX + Buffer.from(text).toString('base64url')
}

/**
 * Reads a token.
 *
 * @throws ProgramError `JOIN_TOKEN_MALFORMED`, without repeating the token.
 */
export function decodeJoinToken(text: string): JoinToken {
  if (text.length > TOKEN_CHARACTERS_MAX) throw malformed('it is too long')
  if (!text.startsWith(PREFIX)) throw malformed(`it does not start with ${PREFIX}`)
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(text.slice(PREFIX.length), 'base64url').toString('utf8'))
  } catch {
    throw malformed('it was cut or changed on the way')
  }
  if (typeof value !== 'object' || value === null) throw malformed('it holds no token')
  const { addresses, fingerprint, node, id, secret } = value as Record<string, unknown>
  const places = Array.isArray(addresses) && addresses.length <= ADDRESSES_MAX ? addresses : []
  const parsed = places.map((place) =>
    typeof place === 'string' ? parseAddress(place) : undefined,
  )
  const known = parsed.filter((address) => address !== undefined)
  if (known.length === 0 || known.length !== parsed.length)
    throw malformed('its addresses are wrong')
  if (!matches(FINGERPRINT, fingerprint)) throw malformed('its fingerprint is wrong')
  if (typeof node !== 'string' || !isNodeName(node)) throw malformed('its node is not a DNS label')
  if (!matches(ID, id) || !matches(SECRET, secret)) throw malformed('its id or secret is wrong')
  return { addresses: known, fingerprint, node, id, secret }
}

function matches(pattern: RegExp, value: unknown): value is string {
  return typeof value === 'string' && pattern.test(value)
}

function malformed(why: string): ProgramError {
  return new ProgramError(
    'JOIN_TOKEN_MALFORMED',
    EXIT.usage,
    `--token is not a join token: ${why}; make one with "cloudcore token create --node NAME"`,
    { fields: { field: '--token', why } },
  )
}
