import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Listener } from '../../../../src/core/interfaces/transport.ts'
import { nodeWebSocket, webSocketServer } from '../../../../src/transports/websocket/server.ts'
import { skipUnless } from '../../../support/skip.ts'

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'] as const
const OPENSSL_REASON = 'certificates are made with it: install openssl'

interface Identity {
  readonly cert: string
  readonly key: string
}

let directory: string
let hasOpenssl = false
let ca: Identity
let otherCa: Identity
let edge: Identity
let listener: Listener | undefined
let address: string

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tideway-tls-'))
  try {
    openssl('version')
  } catch {
    return
  }
  hasOpenssl = true
  ca = authority('cloud')
  otherCa = authority('stranger')
  edge = issue('cloud', 'edge-1', 2)
  listener = await webSocketServer({
    tls: {
      ...issue('cloud', 'cloud.example', 3),
      ca: ca.cert,
      requestCert: true,
      rejectUnauthorized: false,
    },
    authenticate: (request) => principalOf(request),
  })
  address = listener.addresses[0] ?? ''
})
beforeEach((context) => skipUnless(context, hasOpenssl, 'openssl', OPENSSL_REASON))
afterAll(async () => {
  await listener?.close()
  rmSync(directory, { recursive: true, force: true })
})

test('a client certificate tells who dials', async () => {
  const iterator = listener?.[Symbol.asyncIterator]()
  const credentials = { ca: ca.cert, ...edge, servername: 'cloud.example' }
  const dialed = await nodeWebSocket({ credentials: () => credentials }).dial(address)
  const accepted = (await iterator?.next())?.value
  expect(address).toMatch(/^wss:\/\/127\.0\.0\.1:/)
  expect(accepted?.principal).toBe('edge-1')
  dialed.send(new Uint8Array(300_000).fill(3))
  const message = await accepted?.[Symbol.asyncIterator]().next()
  expect(message?.value?.length).toBe(300_000)
  await dialed.close()
})

test('a certificate of another authority is refused with 401', async () => {
  const stranger = issue('stranger', 'edge-1', 4)
  for (const identity of [stranger, {}]) {
    const credentials = { ca: ca.cert, ...identity, servername: 'cloud.example' }
    await expect(nodeWebSocket({ credentials }).dial(address)).rejects.toMatchObject({
      retryable: false,
      fields: { status: 401 },
    })
  }
})

test('a server is dialled only when its certificate is trusted and its own', async () => {
  const cases = [
    [{ servername: 'cloud.example' }, 'SELF_SIGNED_CERT_IN_CHAIN'],
    [{ ca: otherCa.cert, servername: 'cloud.example' }, 'SELF_SIGNED_CERT_IN_CHAIN'],
    [{ ca: ca.cert, servername: 'other.example' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [{ ca: ca.cert }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ] as const
  for (const [credentials, reason] of cases) {
    await expect(nodeWebSocket({ credentials }).dial(address)).rejects.toMatchObject({
      code: 'TRANSPORT_DIAL_FAILED',
      fields: { reason },
    })
  }
  const pinned = { ca: ca.cert, ...edge, checkServerIdentity: () => undefined }
  const dialed = await nodeWebSocket({ credentials: pinned }).dial(address)
  await dialed.close()
})

test('credentials that cannot be had or used fail the dial', async () => {
  const lost = nodeWebSocket({ credentials: () => Promise.reject(new Error('no such file')) })
  await expect(lost.dial(address)).rejects.toMatchObject({
    message: 'the credentials for the dial are not available',
    retryable: true,
  })
  const broken = nodeWebSocket({ credentials: { cert: 'no PEM', key: 'no PEM' } })
  await expect(broken.dial(address)).rejects.toMatchObject({ code: 'TRANSPORT_DIAL_FAILED' })
})

function principalOf(request: IncomingMessage): string | undefined {
  const socket = request.socket as TLSSocket
  const name = socket.authorized ? socket.getPeerCertificate().subject.CN : undefined
  return typeof name === 'string' ? name : undefined
}

function authority(name: string): Identity {
  const path = join(directory, name)
  openssl('req', '-x509', ...NEW_KEY, '-subj', `/CN=${name}`, '-days', '2', ...outputs(path, 'crt'))
  return read(path)
}

function issue(by: string, name: string, serial: number): Identity {
  const path = join(directory, `${by}-${name}`)
  const signer = join(directory, by)
  writeFileSync(`${path}.ext`, `subjectAltName=DNS:${name}\n`)
  openssl('req', ...NEW_KEY, '-subj', `/CN=${name}`, ...outputs(path, 'csr'))
  openssl(
    ...['x509', '-req', '-in', `${path}.csr`, '-CA', `${signer}.crt`, '-CAkey', `${signer}.key`],
    ...['-set_serial', String(serial), '-days', '2', '-extfile', `${path}.ext`],
    ...['-out', `${path}.crt`],
  )
  return read(path)
}

function outputs(path: string, kind: string): readonly string[] {
  return ['-keyout', `${path}.key`, '-out', `${path}.${kind}`]
}

function read(path: string): Identity {
  return { cert: readFileSync(`${path}.crt`, 'utf8'), key: readFileSync(`${path}.key`, 'utf8') }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' })
}
