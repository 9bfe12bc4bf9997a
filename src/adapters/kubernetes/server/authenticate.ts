import type { IncomingMessage } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { AccountTokens } from '../identity/account-tokens.ts'
import { anonymousUser, authenticated, type User } from '../identity/user.ts'
import { bearerToken, sameToken } from './token.ts'

/** The ways in which a request may prove who sends it. Each that is left out is not taken. */
export interface AuthenticatorOptions {
  /** Secrets that are users by themselves. */
  readonly tokens?: readonly { readonly token: string; readonly user: User }[] | undefined
  /** Tokens of service accounts. */
  readonly accounts?: AccountTokens | undefined
  /**
   * Whether a client certificate of the server's authority is taken: its CN is the user, its Os are
   * the groups. A function decides for each user.
   */
  readonly certificates?: boolean | ((user: User) => boolean) | undefined
  /** Whether a request without any credentials is `system:anonymous`. Default: it is refused. */
  readonly anonymous?: boolean | undefined
}

/** Makes an `authenticate` of these ways: undefined for a request that proves nothing. */
export function createAuthenticator(
  options: AuthenticatorOptions,
): (request: IncomingMessage) => User | undefined {
  const { tokens = [], accounts, certificates = false, anonymous = false } = options
  return (request) => {
    const fromCertificate = certificates === false ? undefined : certificateUser(request)
    if (fromCertificate !== undefined && (certificates === true || takes(options, fromCertificate)))
      return authenticated(fromCertificate)
    const token = bearerToken(request)
    if (token === undefined) {
      const hasCredentials = request.headers.authorization !== undefined
      return anonymous && !hasCredentials ? anonymousUser : undefined
    }
    const known = tokens.find((item) => sameToken(token, item.token))
    if (known !== undefined) return authenticated(known.user)
    const proof = accounts?.check(token)
    return proof !== undefined && 'user' in proof ? proof.user : undefined
  }
}

function takes({ certificates }: AuthenticatorOptions, user: User): boolean {
  return typeof certificates === 'function' && certificates(user)
}

/** The user that the client certificate of a connection names; undefined when none was proven. */
export function certificateUser({ socket }: IncomingMessage): User | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const { subject } = socket.getPeerCertificate()
  const name: unknown = subject?.CN
  if (typeof name !== 'string' || name === '') return undefined
  const groups: unknown = subject.O ?? []
  return { name, groups: (Array.isArray(groups) ? groups : [groups]).map(String) }
}
