import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import {
  certificateFingerprint,
  createAuthority,
  createSigningRequest,
  issueClientCertificate,
  issueServerCertificate,
  loadOrCreateAuthority,
  loadOrCreateToken,
  sameToken,
  writeKubeconfig,
} from '../../../../../src/adapters/kubernetes/server/index.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tls-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

describe('certificates', () => {
  test('of a server name what it is reached at, and are signed', async () => {
    const authority = await createAuthority()
    const { certificate, key } = await issueServerCertificate(authority, {
      names: ['cloud.example'],
      ips: ['127.0.0.1', '::1'],
    })
    const leaf = new X509Certificate(certificate)
    const root = new X509Certificate(authority.certificate)
    expect(root.ca).toBe(true)
    expect(leaf.ca).toBe(false)
    expect(leaf.verify(root.publicKey)).toBe(true)
    expect(leaf.checkIssued(root)).toBe(true)
    expect(leaf.checkHost('cloud.example')).toBe('cloud.example')
    expect(leaf.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(key).toContain('BEGIN PRIVATE KEY')
    expect(certificateFingerprint(authority.certificate)).toBe(
      root.fingerprint256.replaceAll(':', '').toLowerCase(),
    )
  })

  test('of a client say who the authority says it is, whatever was asked', async () => {
    const authority = await createAuthority()
    const { request } = await createSigningRequest('somebody-else')
    const subject = {
      commonName: 'system:node:edge-1',
      organizations: ['system:nodes', 'O=tricky, CN=admin'],
      days: 30,
    }
    const leaf = new X509Certificate(await issueClientCertificate(authority, request, subject))
    expect(leaf.toLegacyObject().subject).toMatchObject({
      CN: 'system:node:edge-1',
      O: ['system:nodes', 'O=tricky, CN=admin'],
    })
    expect(leaf.verify(new X509Certificate(authority.certificate).publicKey)).toBe(true)
    const days = (Date.parse(leaf.validTo) - Date.now()) / 86_400_000
    expect(days).toBeGreaterThan(29.9)
    expect(days).toBeLessThan(30.1)
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = publicKey.export({ type: 'spki', format: 'pem' }) as string
    expect(
      new X509Certificate(await issueClientCertificate(authority, pem, subject)).publicKey.export({
        type: 'spki',
        format: 'pem',
      }),
    ).toBe(pem)
  })

  test('a request that was tampered with is refused', async () => {
    const authority = await createAuthority()
    const { request } = await createSigningRequest('a')
    const der = Buffer.from(request.replace(/-----[^-]+-----/g, ''), 'base64')
    der[der.length - 5] = (der[der.length - 5] ?? 0) ^ 1
    const broken = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`
    await expect(
      issueClientCertificate(authority, broken, { commonName: 'a', organizations: [], days: 1 }),
    ).rejects.toThrow()
  })

  test('an authority is made once, with a key that nobody else reads', async () => {
    const directory = join(folder, 'ca')
    const first = await loadOrCreateAuthority(directory)
    expect(await loadOrCreateAuthority(directory)).toEqual(first)
    expect(await modeOf(join(directory, 'ca.key'))).toBe(0o600)
    expect((await readdir(directory)).sort()).toEqual(['ca.crt', 'ca.key'])
    await unlink(join(directory, 'ca.key'))
    await expect(loadOrCreateAuthority(directory)).rejects.toThrow(/ca.key is missing/)
  })
})

describe('what is handed to users', () => {
  test('a kubeconfig has mode 0600 and replaces the one before whole', async () => {
    const path = join(folder, 'deep', 'kubeconfig')
    const subject = { server: 'https://127.0.0.1:1', caPem: 'pem', token: 'secret', name: 'edge' }
    await writeKubeconfig(path, { ...subject, token: 'old' })
    await writeKubeconfig(path, subject)
    expect(await modeOf(path)).toBe(0o600)
    expect(parse(await readFile(path, 'utf8'))).toMatchObject({
      kind: 'Config',
      'current-context': 'edge',
      users: [{ user: { token: 'secret' } }],
      clusters: [
        { cluster: { server: 'https://127.0.0.1:1', 'certificate-authority-data': 'cGVt' } },
      ],
    })
    expect(await readdir(join(folder, 'deep'))).toEqual(['kubeconfig'])
  })

  test('a token is made once, and a useless one is refused', async () => {
    const path = join(folder, 'token')
    const token = await loadOrCreateToken(path)
    expect(token).toMatch(/^[\w-]{43}$/)
    expect(await loadOrCreateToken(path)).toBe(token)
    expect(await modeOf(path)).toBe(0o600)
    expect(sameToken(token, token)).toBe(true)
    expect(sameToken(token, `${token}x`)).toBe(false)
    await writeFile(path, '\n')
    await expect(loadOrCreateToken(path)).rejects.toThrow(/no usable token/)
  })
})
