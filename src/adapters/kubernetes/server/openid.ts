import type { AccountTokens } from '../identity/account-tokens.ts'
import { keyJson } from '../identity/jwt.ts'
import type { JsonObject } from '../objects/types.ts'
import type { Reply } from './respond.ts'

const CONFIGURATION = '/.well-known/openid-configuration'
const KEYS = '/openid/v1/jwks'

/** How long others may keep the keys. */
const MAX_AGE_SECONDS = 3_600

/**
 * The answer to a path of OpenID Connect discovery, by which others find the keys that tokens of
 * service accounts are checked with; undefined for another path.
 *
 * @param address host:port of this server.
 */
export function answerOpenId(
  accounts: AccountTokens | undefined,
  path: string,
  address: string,
): Reply | undefined {
  if (accounts === undefined) return undefined
  const clean = path.replace(/\/+$/, '')
  if (clean === KEYS)
    return publicReply('application/jwk-set+json', { keys: accounts.keys().map(keyJson) })
  if (clean !== CONFIGURATION) return undefined
  return publicReply('application/json', {
    issuer: accounts.issuer,
    jwks_uri: `https://${address}${KEYS}`,
    response_types_supported: ['id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  })
}

function publicReply(contentType: string, body: JsonObject): Reply {
  const headers = { 'Cache-Control': `public, max-age=${MAX_AGE_SECONDS}` }
  return { code: 200, contentType, text: JSON.stringify(body), headers }
}
