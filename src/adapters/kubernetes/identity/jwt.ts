import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
} from 'node:crypto'
import { isObject } from '../objects/read.ts'
import type { JsonObject } from '../objects/types.ts'

/** The public half of a key that signs tokens (RFC 7517): ECDSA on P-256. */
export interface PublicKey {
  /** The hash of the key, in base64url: two keys never share it. */
  readonly id: string
  readonly x: string
  readonly y: string
}

/** A key that signs tokens. */
export interface SigningKey {
  readonly publicKey: PublicKey
  /** A JSON Web Token with these claims (RFC 7519), signed with ES256. */
  sign(claims: JsonObject): string
}

/** A token taken apart; nothing of it is proven. */
export interface ParsedToken {
  readonly keyId: string
  readonly claims: JsonObject
  /** Whether a key signed it. */
  isSignedBy(key: PublicKey): boolean
}

/** A longer token is not looked at. */
export const TOKEN_CHARACTERS_MAX = 16_384

/** How the two numbers of a signature are written in a token (RFC 7518): side by side. */
const ENCODING = 'ieee-p1363'

/** A new signing key, PEM (PKCS #8). Secret. */
export function createSigningKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/**
 * Opens a signing key.
 *
 * @throws Error when it is no P-256 key in PEM form.
 */
export function openSigningKey(pem: string): SigningKey {
  const key = createPrivateKey(pem)
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1')
    throw new Error('a key that signs tokens must be an ECDSA key on P-256')
  const { x = '', y = '' } = createPublicKey(key).export({ format: 'jwk' })
  const publicKey = { id: keyIdOf(x, y) ?? '', x, y }
  const header = encode({ alg: 'ES256', kid: publicKey.id })
  return {
    publicKey,
    sign: (claims) => {
      const signed = `${header}.${encode(claims)}`
      const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: ENCODING })
      return `${signed}.${signature.toString('base64url')}`
    },
  }
}

/** Takes a token apart; undefined for what is no token of ours. */
export function parseToken(token: string): ParsedToken | undefined {
  if (token.length > TOKEN_CHARACTERS_MAX) return undefined
  const [header = '', payload = '', signature = '', ...rest] = token.split('.')
  if (rest.length > 0 || signature === '') return undefined
  const head = decode(header)
  const claims = decode(payload)
  if (head?.['alg'] !== 'ES256' || typeof head['kid'] !== 'string' || claims === undefined)
    return undefined
  const signed = Buffer.from(`${header}.${payload}`)
  return {
    keyId: head['kid'],
    claims,
    isSignedBy: (key) => isSignature(signed, Buffer.from(signature, 'base64url'), key),
  }
}

function isSignature(signed: Buffer, signature: Buffer, { x, y }: PublicKey): boolean {
  try {
    const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' })
    return verify('sha256', signed, { key, dsaEncoding: ENCODING }, signature)
  } catch {
    return false
  }
}

/** The key as a JSON Web Key. */
export function keyJson({ id, x, y }: PublicKey): JsonObject {
  return { use: 'sig', kty: 'EC', kid: id, crv: 'P-256', alg: 'ES256', x, y }
}

/** The key in a JSON Web Key that anybody may have written; its id is worked out, not believed. */
export function parseKey(value: unknown): PublicKey | undefined {
  if (!isObject(value) || value['kty'] !== 'EC' || value['crv'] !== 'P-256') return undefined
  const { x, y } = value
  if (typeof x !== 'string' || typeof y !== 'string') return undefined
  const id = keyIdOf(x, y)
  return id === undefined ? undefined : { id, x, y }
}

/** The SHA-256 of the key in its standard form, as kube-apiserver names keys. */
function keyIdOf(x: string, y: string): string | undefined {
  try {
    const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' })
    const bytes = key.export({ type: 'spki', format: 'der' })
    return createHash('sha256').update(bytes).digest('base64url')
  } catch {
    return undefined
  }
}

function encode(value: JsonObject): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function decode(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
