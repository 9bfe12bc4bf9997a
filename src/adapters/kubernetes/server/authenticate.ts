import type { IncomingMessage } from 'node:http'
import { type PeerCertificate, TLSSocket } from 'node:tls'
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
   * the groups. A function decides for each user, and may look at the certificate of the connection. Who
   * has a certificate that is not taken needs another proof, and is never anonymous.
   */
  readonly certificates?: boolean | ((user: User, request: IncomingMessage) => boolean) | undefined
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
    if (fromCertificate !== undefined && takes(options, fromCertificate, request))
      return authenticated(fromCertificate)
    const token = bearerToken(request)
    if (token === undefined) {
      const hasCredentials =
        request.headers.authorization !== undefined ||
        (certificates !== false && clientCertificate(request) !== undefined)
      return anonymous && !hasCredentials ? anonymousUser : undefined
    }
    const known = tokens.find((item) => sameToken(token, item.token))
    if (known !== undefined) return authenticated(known.user)
    const proof = accounts?.check(token)
    return proof !== undefined && 'user' in proof ? proof.user : undefined
  }
}

function takes(
  { certificates = false }: AuthenticatorOptions,
  user: User,
  request: IncomingMessage,
): boolean {
  return typeof certificates === 'function' ? certificates(user, request) : certificates
}

/**
 * The certificate with which a client opened its connection, whether it counts or not; undefined for
 * none.
 */
export function clientCertificate({ socket }: IncomingMessage): PeerCertificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  const certificate = socket.getPeerCertificate()
  // Without one, an empty object, or null once the connection is gone.
  return certificate?.raw === undefined ? undefined : certificate
}

/** The user that the client certificate of a connection names; undefined when none was proven. */
export function certificateUser(request: IncomingMessage): User | undefined {
  const { socket } = request
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const { subject } = clientCertificate(request) ?? {}
  const name: unknown = subject?.CN
  if (typeof name !== 'string' || name === '') return undefined
  const groups: unknown = subject?.O ?? []
  return { name, groups: (Array.isArray(groups) ? groups : [groups]).map(String) }
}
