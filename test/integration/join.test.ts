import { stat } from 'node:fs/promises'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import {
  createAuthority,
  createSigningRequest,
  issueServerCertificate,
} from 'tideway/adapters/kubernetes/server'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLOUD_NAME, JOIN_PATH } from '../../examples/shared/join-exchange.ts'
import {
  decodeJoinToken,
  encodeJoinToken,
  newTokenSecret,
} from '../../examples/shared/join-token.ts'
import { runCli, TestFleet } from './fleet-programs.ts'

let fleet: TestFleet
beforeAll(async () => {
  fleet = await TestFleet.create()
  await fleet.startCloud()
})
afterAll(() => fleet.close())

function joinWith(token: string, node: string, args: readonly string[] = []) {
  return runCli('edgecore', ['join', '--token', token, '--data', fleet.data(node), ...args])
}

/** Sends a request to join as no edgecore would. */
async function rawJoin(body: string): Promise<{ readonly status: number; readonly text: string }> {
  const [host, port] = fleet.syncAddress().split(':')
  return await new Promise((resolve, reject) => {
    const outgoing = request({
      host,
      port,
      path: JOIN_PATH,
      method: 'POST',
      servername: CLOUD_NAME,
      rejectUnauthorized: false,
      agent: false,
    })
    outgoing.once('error', reject)
    outgoing.once('response', (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
      response.once('error', reject)
    })
    outgoing.end(body)
  })
}

test('a token lets its node in, once, and the credentials are private', async () => {
  const token = await fleet.token('edge-1')
  const first = await joinWith(token, 'edge-1')
  expect(first.stderr + first.stdout).toContain('edge-1 is a node of the fleet')
  expect(first.code).toBe(0)
  expect((await stat(join(fleet.data('edge-1'), 'identity.json'))).mode & 0o777).toBe(0o600)
  expect((await stat(fleet.data('edge-1'))).mode & 0o777).toBe(0o700)

  const second = await joinWith(token, 'edge-1-again')
  expect(second.code).toBe(4)
  expect(second.stderr).toContain('JOIN_TOKEN_USED')
  const { stdout } = await runCli('cloudcore', ['token', 'list', '--data', fleet.data('cloud')])
  expect(stdout).toMatch(new RegExp(`${decodeJoinToken(token).id} +edge-1 +used`))
})

test('a token that was deleted is unknown', async () => {
  const token = await fleet.token('edge-2')
  const { id } = decodeJoinToken(token)
  const removed = await runCli('cloudcore', ['token', 'delete', id, '--data', fleet.data('cloud')])
  expect(removed.code).toBe(0)
  const result = await joinWith(token, 'edge-2')
  expect(result.code).toBe(4)
  expect(result.stderr).toContain('JOIN_TOKEN_UNKNOWN')
})

test('a token expires', async () => {
  const result = await joinWith(await fleet.token('edge-3', ['--ttl', '1ms']), 'edge-3')
  expect(result.code).toBe(4)
  expect(result.stderr).toContain('JOIN_TOKEN_EXPIRED')
})

test('a token lets no other node in', async () => {
  const token = await fleet.token('edge-4')
  const named = await joinWith(token, 'edge-4', ['--name', 'edge-5'])
  expect(named.stderr).toContain('JOIN_NODE_MISMATCH')
  // A token that was changed on the way to name another node.
  const forged = encodeJoinToken({ ...decodeJoinToken(token), node: 'edge-5' })
  const result = await joinWith(forged, 'edge-5')
  expect(result.code).toBe(4)
  expect(result.stderr).toContain('JOIN_NODE_MISMATCH')
  expect((await joinWith(token, 'edge-4')).code).toBe(0)
})

test('a wrong secret is refused, and after five of them the token is of no use', async () => {
  const token = decodeJoinToken(await fleet.token('edge-6'))
  const wrong = encodeJoinToken({ ...token, secret: newTokenSecret() })
  for (let attempt = 0; attempt < 5; attempt += 1) {
    expect((await joinWith(wrong, 'edge-6')).stderr).toContain('JOIN_TOKEN_WRONG')
  }
  expect((await joinWith(encodeJoinToken(token), 'edge-6')).stderr).toContain('JOIN_TOKEN_LOCKED')
})

test('somebody in between gets nothing secret', async () => {
  const authority = await createAuthority('somebody')
  const { certificate, key } = await issueServerCertificate(authority, {
    names: [CLOUD_NAME],
    ips: [],
  })
  const heard: Buffer[] = []
  const cert = `${certificate}\n${authority.certificate}`
  const server = createServer({ cert, key }, (socket) => {
    socket.on('data', (bytes: Buffer) => heard.push(bytes))
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  const token = await fleet.token('edge-7', ['--server', `127.0.0.1:${port}`])
  const result = await joinWith(token, 'edge-7')
  server.close()
  expect(result.code).toBe(4)
  expect(result.stderr).toContain('CLOUD_FINGERPRINT_MISMATCH')
  expect(Buffer.concat(heard).length).toBe(0)
})

test('a cloud that cannot be reached is said to be so', async () => {
  const token = await fleet.token('edge-8', ['--server', '127.0.0.1:1'])
  const result = await joinWith(token, 'edge-8')
  expect(result.code).toBe(6)
  expect(result.stderr).toContain('CLOUD_UNREACHABLE')
  expect(result.stderr).toContain('ECONNREFUSED')
})

test('what is no token, and what is no request, is refused with what is allowed', async () => {
  const malformed = await joinWith('tideway-join-1.e30', 'edge-9')
  expect(malformed.code).toBe(2)
  expect(malformed.stderr).toContain('JOIN_TOKEN_MALFORMED')
  for (const body of ['', '[]', '{"id":1}', 'x'.repeat(20_000)]) {
    const { status, text } = await rawJoin(body)
    expect(status).toBe(400)
    expect(text).toContain('JOIN_REQUEST_INVALID')
  }
})

test('a request without a valid signature gets no certificate', async () => {
  const { id, secret, node } = decodeJoinToken(await fleet.token('edge-10'))
  const { request: csr } = await createSigningRequest()
  const lines = csr.trimEnd().split('\n')
  const middle = Math.floor(lines.length / 2)
  lines[middle] = [...(lines[middle] ?? '')].reverse().join('')
  const { status, text } = await rawJoin(
    JSON.stringify({ id, secret, node, csr: lines.join('\n') }),
  )
  expect(status).toBe(400)
  expect(text).toContain('JOIN_REQUEST_INVALID')
})

test('a token needs a node name and a cloudcore that runs', async () => {
  const nameless = await runCli('cloudcore', ['token', 'create', '--data', fleet.data('cloud')])
  expect(nameless.code).toBe(2)
  expect(nameless.stderr).toContain('--node: it is missing')
  const badName = await runCli('cloudcore', ['token', 'create', '--node', 'Edge_1'])
  expect(badName.code).toBe(2)
  expect(badName.stderr).toContain('a DNS label')
  const nowhere = ['token', 'create', '--node', 'edge-1', '--data', fleet.data('nowhere')]
  const idle = await runCli('cloudcore', nowhere)
  expect(idle.code).toBe(6)
  expect(idle.stderr).toContain('NOT_RUNNING')
})

// Last: afterwards this machine has to wait a minute.
test('who fails too often has to wait', async () => {
  const token = await fleet.token('edge-11')
  let status = 0
  for (let attempt = 0; attempt < 25 && status !== 429; attempt += 1) {
    status = (await rawJoin('{}')).status
  }
  expect(status).toBe(429)
  const late = await joinWith(token, 'edge-11')
  expect(late.stderr).toContain('JOIN_TOO_MANY_ATTEMPTS')
})
