import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { createSigningKey, openSigningKey, type SigningKey } from '../identity/jwt.ts'
import { readIfThere, writeSecretFile } from './tls.ts'

const TOKEN_BYTES = 32

/** A token shorter than this could be guessed. */
const TOKEN_CHARACTERS_MIN = 16

/**
 * The bearer token kept in a file with mode 0600, made there when there is none.
 *
 * @throws Error when the file holds no usable token, or cannot be read or written.
 */
export async function loadOrCreateToken(path: string): Promise<string> {
  const known = (await readIfThere(path))?.trim()
  if (known !== undefined) {
    if (known.length < TOKEN_CHARACTERS_MIN || /\s/.test(known)) {
      throw new Error(
        `${path} holds no usable token: at least ${TOKEN_CHARACTERS_MIN} characters without spaces`,
      )
    }
    return known
  }
  const token = randomBytes(TOKEN_BYTES).toString('base64url')
  await writeSecretFile(path, `${token}\n`)
  return token
}

/**
 * The key kept in a file with mode 0600 that signs tokens of service accounts, made there when there is
 * none.
 *
 * @throws Error when the file holds no such key, or cannot be read or written.
 */
export async function loadOrCreateSigningKey(path: string): Promise<SigningKey> {
  const known = await readIfThere(path)
  if (known !== undefined) return openSigningKey(known)
  const pem = createSigningKey()
  await writeSecretFile(path, pem)
  return openSigningKey(pem)
}

/** The bearer token of a request. */
export function bearerToken(request: IncomingMessage): string | undefined {
  const match = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')
  return match?.[1]
}

/** Whether two tokens are equal, in a time that does not tell how far they agree. */
export function sameToken(a: string, b: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
