import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { loadOrIssueServerCertificate } from '../../../../../src/adapters/kubernetes/server/kept-certificate.ts'
import {
  createAuthority,
  issueServerCertificate,
} from '../../../../../src/adapters/kubernetes/server/tls.ts'

const SUBJECT = { names: ['localhost', 'edge-1'], ips: ['127.0.0.1', '::1'] }

describe('a kept server certificate', () => {
  let directory: string
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tideway-kept-'))
  })
  afterEach(() => rm(directory, { recursive: true, force: true }))

  const path = (name: string): string => join(directory, `api.${name}`)

  test('is the same at the next start, and its key is private', async () => {
    const authority = await createAuthority()
    const first = await loadOrIssueServerCertificate(authority, directory, 'api', SUBJECT)
    expect(await loadOrIssueServerCertificate(authority, directory, 'api', SUBJECT)).toEqual(first)
    expect((await stat(path('key'))).mode & 0o777).toBe(0o600)
  })

  test('is issued anew for another authority, another name, another address', async () => {
    const authority = await createAuthority()
    let last = await loadOrIssueServerCertificate(authority, directory, 'api', SUBJECT)
    const names = { ...SUBJECT, names: [...SUBJECT.names, 'edge-1.example'] }
    const ips = { ...names, ips: [...SUBJECT.ips, '192.0.2.7'] }
    for (const subject of [names, ips]) {
      const next = await loadOrIssueServerCertificate(authority, directory, 'api', subject)
      expect(next).not.toEqual(last)
      last = next
    }
    const other = await loadOrIssueServerCertificate(await createAuthority(), directory, 'api', ips)
    expect(other).not.toEqual(last)
  })

  test('is issued anew when it soon ends, is damaged, or belongs to another key', async () => {
    const authority = await createAuthority()
    const soon = await issueServerCertificate(authority, { ...SUBJECT, days: 20 })
    await writeFile(path('crt'), soon.certificate)
    await writeFile(path('key'), soon.key)
    const fresh = await loadOrIssueServerCertificate(authority, directory, 'api', SUBJECT)
    expect(fresh).not.toEqual(soon)
    await writeFile(path('key'), soon.key)
    const paired = await loadOrIssueServerCertificate(authority, directory, 'api', SUBJECT)
    expect(paired.certificate).not.toBe(fresh.certificate)
    await writeFile(path('crt'), 'no certificate')
    await loadOrIssueServerCertificate(authority, directory, 'api', SUBJECT)
    expect(await readFile(path('crt'), 'utf8')).toContain('BEGIN CERTIFICATE')
  })
})
