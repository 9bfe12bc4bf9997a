import { createHash, createPrivateKey, X509Certificate } from 'node:crypto'
import { request } from 'node:https'
import { connect, type DetailedPeerCertificate } from 'node:tls'
import { createSigningRequest } from 'tideway/adapters/kubernetes/server'
import {
  CLOUD_NAME,
  JOIN_BYTES_MAX,
  JOIN_PATH,
  type JoinAnswer,
  type JoinRequest,
  parseJoinAnswer,
  parseJoinRefusal,
} from '../shared/join-exchange.ts'
import type { JoinToken } from '../shared/join-token.ts'
import { EXIT, type ProgramCode, ProgramError, systemCode } from '../shared/program-error.ts'
import { type Address, addressText } from '../shared/settings.ts'
import type { NodeIdentity } from './node-identity.ts'

const ANSWER_MS = 15_000
/** A chain is two certificates; more is not looked at. */
const CHAIN_MAX = 4

/**
 * Lets this node into the fleet of a token: checks that it is that fleet's cloud which answers, then
 * sends the token and a certificate request. The key never leaves this machine.
 *
 * @throws ProgramError: `CLOUD_UNREACHABLE`, `CLOUD_FINGERPRINT_MISMATCH`, or the code of the cloud.
 */
export async function joinFleet(token: JoinToken): Promise<NodeIdentity> {
  const { address, ca } = await findCloud(token)
  const { node, id, secret, addresses } = token
  const { request: csr, key } = await createSigningRequest(`system:node:${node}`)
  const { certificate, fleet } = await ask(address, ca, { id, secret, node, csr })
  checkCertificate(certificate, ca, key)
  return { node, fleet, addresses, ca, certificate, key, token: id }
}

/** The first address that answers, with the certificate that the token's fingerprint names. */
async function findCloud(
  token: JoinToken,
): Promise<{ readonly address: Address; readonly ca: string }> {
  const failures: string[] = []
  for (const address of token.addresses) {
    const chain = await readChain(address).catch((error: unknown) => {
      failures.push(`${addressText(address)}: ${systemCode(error) ?? messageOf(error)}`)
      return undefined
    })
    if (chain === undefined) continue
    const authority = chain.find(
      (der) => createHash('sha256').update(der).digest('hex') === token.fingerprint,
    )
    if (authority !== undefined) return { address, ca: new X509Certificate(authority).toString() }
    throw new ProgramError(
      'CLOUD_FINGERPRINT_MISMATCH',
      EXIT.refused,
      `${addressText(address)} is not the cloud that the token is for: its certificate has another fingerprint. Nothing secret was sent. Somebody may stand in between, or the cloud was set up anew`,
      { fields: { address: addressText(address), expected: token.fingerprint } },
    )
  }
  throw unreachable(failures)
}

function unreachable(failures: readonly string[]): ProgramError {
  return new ProgramError(
    'CLOUD_UNREACHABLE',
    EXIT.unreachable,
    `the cloud cannot be reached (${failures.join('; ')}); check that cloudcore runs and that its --sync-address can be reached from here`,
    { fields: { failures } },
  )
}

/** The certificates that a server shows, as DER. Nothing is sent to it. */
function readChain(address: Address): Promise<readonly Buffer[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...address,
      servername: CLOUD_NAME,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
    })
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('no answer in time')))
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      const chain: Buffer[] = []
      let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true)
      while (next?.raw !== undefined && chain.length < CHAIN_MAX) {
        chain.push(next.raw)
        next = next.issuerCertificate === next ? undefined : next.issuerCertificate
      }
      socket.destroy()
      resolve(chain)
    })
  })
}

async function ask(address: Address, ca: string, body: JoinRequest): Promise<JoinAnswer> {
  const { status, text } = await post(address, ca, JSON.stringify(body)).catch((error: unknown) => {
    throw unreachable([`${addressText(address)}: ${systemCode(error) ?? messageOf(error)}`])
  })
  const answer = status === 200 ? parseJoinAnswer(text) : undefined
  if (answer !== undefined) return answer
  const refusal = parseJoinRefusal(text)
  const code = CODES.find((known) => known === refusal?.code) ?? 'JOIN_FAILED'
  const message = refusal?.message ?? `the answer (status ${status}) is not one of a cloudcore`
  throw new ProgramError(code, EXIT.refused, `the cloud refused: ${message}`, {
    fields: { status },
  })
}

const CODES: readonly ProgramCode[] = [
  'JOIN_TOKEN_UNKNOWN',
  'JOIN_TOKEN_WRONG',
  'JOIN_TOKEN_LOCKED',
  'JOIN_TOKEN_USED',
  'JOIN_TOKEN_EXPIRED',
  'JOIN_NODE_MISMATCH',
  'JOIN_REQUEST_INVALID',
  'JOIN_TOO_MANY_ATTEMPTS',
]

function post(
  address: Address,
  ca: string,
  body: string,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({
      ...address,
      method: 'POST',
      path: JOIN_PATH,
      ca,
      servername: CLOUD_NAME,
      agent: false,
      timeout: ANSWER_MS,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    })
    outgoing.once('timeout', () => outgoing.destroy(new Error('no answer in time')))
    outgoing.once('error', reject)
    outgoing.once('response', (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > JOIN_BYTES_MAX) response.destroy(new Error('the answer is too large'))
      })
      response.once('error', reject)
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    outgoing.end(body)
  })
}

function checkCertificate(pem: string, ca: string, key: string): void {
  try {
    const certificate = new X509Certificate(pem)
    const isOurs = certificate.checkPrivateKey(createPrivateKey(key))
    if (isOurs && certificate.verify(new X509Certificate(ca).publicKey)) return
  } catch {
    // Not a certificate at all: the same answer.
  }
  throw new ProgramError(
    'JOIN_FAILED',
    EXIT.refused,
    'the cloud answered with a certificate that does not fit',
  )
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
