/** What went wrong with a connection, by the codes of Node, in the words of Go. */
const SOCKET_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ETIMEDOUT: 'connect: connection timed out',
}

const UNKNOWN_AUTHORITY = 'x509: certificate signed by unknown authority'

/** What is wrong with a certificate. */
const CERTIFICATE_TEXTS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'x509: certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'x509: certificate has expired or is not yet valid',
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
}

/** Why a request failed, as a client in Go tells it. */
export function failureText(error: unknown): string {
  if (!(error instanceof Error)) return 'EOF'
  const { name, message } = error
  const { code, address, port, hostname, cert } = error as {
    readonly code?: unknown
    readonly address?: unknown
    readonly port?: unknown
    readonly hostname?: unknown
    readonly cert?: { readonly subjectaltname?: string }
  }
  const key = typeof code === 'string' ? code : ''
  if (name === 'TimeoutError' || name === 'AbortError') return 'context deadline exceeded'
  if (SOCKET_TEXTS[key] !== undefined)
    return `dial tcp ${String(address)}:${String(port)}: ${SOCKET_TEXTS[key]}`
  if (key === 'ENOTFOUND' || key === 'EAI_AGAIN')
    return `dial tcp: lookup ${String(hostname)}: no such host`
  if (key === 'ECONNRESET' || key === 'EPIPE') return 'EOF'
  if (CERTIFICATE_TEXTS[key] !== undefined)
    return `tls: failed to verify certificate: ${CERTIFICATE_TEXTS[key]}`
  if (key === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `tls: failed to verify certificate: x509: certificate is valid for ${namesOf(cert)}, not ${wantedName(error)}`
  return message
}

function namesOf(cert: { readonly subjectaltname?: string } | undefined): string {
  return (cert?.subjectaltname ?? '').replace(/(?:DNS|IP Address):/g, '')
}

function wantedName(error: Error): string {
  const { host } = error as { readonly host?: unknown }
  return String(host)
}
