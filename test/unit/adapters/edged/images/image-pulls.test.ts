import { describe, expect, test } from 'vitest'
import { goDuration } from '../../../../../src/adapters/edged/go-duration.ts'
import { parseImageName } from '../../../../../src/adapters/edged/images/image-name.ts'
import {
  endOfWaitMs,
  nextPullWait,
  PULL_BACKOFF,
  type PullWait,
} from '../../../../../src/adapters/edged/images/pull-backoff.ts'
import { loginsFor } from '../../../../../src/adapters/edged/images/registry-logins.ts'
import { nodeImages } from '../../../../../src/adapters/edged/node/node-images.ts'
import type { KubeObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`

describe('the name of an image', () => {
  test.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36'],
    ['team/app', 'docker.io/team/app:latest'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest'],
    ['index.docker.io/team/app:2', 'docker.io/team/app:2'],
    ['localhost/app', 'localhost/app:latest'],
    ['127.0.0.1:5000/a/b/c:v1.2_3-x', '127.0.0.1:5000/a/b/c:v1.2_3-x'],
    ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10'],
    ['[2001:db8::1]:5000/app', '[2001:db8::1]:5000/app:latest'],
    ['Host/app', 'Host/app:latest'],
    [`busybox@${DIGEST}`, `docker.io/library/busybox@${DIGEST}`],
    [`quay.io/a/b:1@${DIGEST}`, `quay.io/a/b@${DIGEST}`],
    ['a__b/c-d--e.f', 'docker.io/a__b/c-d--e.f:latest'],
  ])('%s stands for %s', (text, reference) => {
    expect(parseImageName(text)).toMatchObject({ reference })
  })

  test.each([
    ['', 'invalid reference format'],
    ['a b', 'invalid reference format'],
    ['busybox:', 'invalid reference format'],
    ['busybox:a:b', 'invalid reference format'],
    [':tag', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['a___b', 'invalid reference format'],
    ['-a', 'invalid reference format'],
    ['busybox@sha256:12', 'invalid reference format'],
    [`busybox@${DIGEST}@${DIGEST}`, 'invalid reference format'],
    [`busybox:${'t'.repeat(129)}`, 'invalid reference format'],
    ['Busybox', 'invalid reference format: repository name (library/Busybox) must be lowercase'],
    ['quay.io/Team/app', 'invalid reference format: repository name (Team/app) must be lowercase'],
    ['a'.repeat(256), 'repository name must not be more than 255 characters'],
    [
      'ab'.repeat(32),
      `invalid repository name (${'ab'.repeat(32)}), cannot specify 64-byte hexadecimal strings`,
    ],
  ])('%s is none', (text, problem) => {
    expect(parseImageName(text)).toEqual({ problem })
  })

  test('keeps repository, tag and digest apart', () => {
    expect(parseImageName(`quay.io/a/b:1@${DIGEST}`)).toMatchObject({
      repository: 'quay.io/a/b',
      tag: '1',
      digest: DIGEST,
    })
    expect(parseImageName('busybox')).toMatchObject({ tag: 'latest', digest: undefined })
  })
})

describe('logins for a registry', () => {
  test.each([
    // What kubelet takes for a match, and what not.
    ['kubernetes.io', 'kubernetes.io/app', true],
    ['*.docker.io', 'prefix.docker.io/app', true],
    ['prefix.*.io', 'prefix.docker.io/app', true],
    ['prefix.docker.*', 'prefix.docker.io/app', true],
    ['*.docker.io/path', 'prefix.docker.io/path/app', true],
    ['*.docker.io:8888', 'prefix.docker.io:8888/app', true],
    ['https://registry.example/v1/', 'registry.example/app', true],
    ['http://registry.example/v2/team', 'registry.example/team/app', true],
    ['registry.exampl?', 'registry.example/app', true],
    ['*.docker.io', 'docker.io/library/app', false],
    ['*.docker.io', 'a.b.docker.io/app', false],
    ['*', 'docker.io/library/app', false],
    ['prefix.*.com', 'prefix.docker.io/app', false],
    ['registry.example:8888', 'registry.example/app', false],
    ['registry.example/team', 'registry.example/other/app', false],
    ['', 'registry.example/app', false],
    ['https://index.docker.io/v1/', 'docker.io/library/app', true],
    ['docker.io', 'docker.io/library/app', true],
    ['https://index.docker.io/v1/', 'registry.example/app', false],
  ])('of %j are offered for %s: %s', (place, repository, isFound) => {
    const logins = loginsFor(repository, [config({ [place]: { username: 'u', password: 'p' } })])
    expect(logins).toEqual(isFound ? [{ username: 'u', password: 'p' }] : [])
  })

  test('come with the most specific place first, over all secrets', () => {
    const secrets = [
      config({ 'registry.example': { username: 'all', password: '' } }),
      config({ 'registry.example/team': { username: 'team', password: '' } }),
    ]
    const names = loginsFor('registry.example/team/app', secrets).map((login) => login.username)
    expect(names).toEqual(['team', 'all'])
  })

  test('are read from auth before the names, with colons in the password', () => {
    const auth = Buffer.from('user:pass:word').toString('base64')
    const secret = config({ 'registry.example': { auth, username: 'other', password: 'x' } })
    expect(loginsFor('registry.example/app', [secret])).toEqual([
      { username: 'user', password: 'pass:word' },
    ])
  })

  test('are read from the older kind of secret, too', () => {
    const entries = { 'registry.example': { username: 'u', password: 'p' } }
    const secret: KubeObject = {
      ...config({}),
      type: 'kubernetes.io/dockercfg',
      data: { '.dockercfg': base64(entries) },
    }
    expect(loginsFor('registry.example/app', [secret])).toHaveLength(1)
  })

  test.each([
    ['of another type', { type: 'Opaque' }],
    ['without data', { data: {} }],
    ['that are no JSON', { data: { '.dockerconfigjson': 'e3s=' } }],
    [
      'whose auth is no pair',
      { data: { '.dockerconfigjson': base64({ auths: { r: { auth: 'YQ==' } } }) } },
    ],
  ])('%s count for nothing', (_, over) => {
    expect(loginsFor('r/app', [{ ...config({ r: {} }), ...over }])).toEqual([])
  })
})

test('a node lists its 50 largest images, with five names each', () => {
  const images = Array.from({ length: 60 }, (_, index) => ({
    id: `sha256:${index}`,
    tags: ['a:1', 'a:2', 'a:3', 'a:4'],
    digests: ['a@sha256:1', 'a@sha256:2'],
    sizeBytes: index,
  }))
  const listed = nodeImages(images)
  expect(listed).toHaveLength(50)
  expect(listed[0]).toEqual({
    names: ['a@sha256:1', 'a@sha256:2', 'a:1', 'a:2', 'a:3'],
    sizeBytes: 59,
  })
  expect(listed.at(-1)?.['sizeBytes']).toBe(10)
})

describe('the wait after failed pulls', () => {
  test('is 10 s, then twice as long each time, up to 5 min', () => {
    const delays: number[] = []
    let wait: PullWait | undefined
    let nowMs = 1_000
    for (let failures = 0; failures < 7; failures += 1) {
      wait = nextPullWait(wait, PULL_BACKOFF, nowMs)
      delays.push(wait.delayMs / 1000)
      expect(endOfWaitMs(wait)).toBe(nowMs + wait.delayMs)
      nowMs = endOfWaitMs(wait)
    }
    expect(delays).toEqual([10, 20, 40, 80, 160, 300, 300])
  })

  test('begins anew when the last failure is long ago', () => {
    const last = { failedAtMs: 0, delayMs: 300_000 }
    expect(nextPullWait(last, PULL_BACKOFF, 600_000).delayMs).toBe(300_000)
    expect(nextPullWait(last, PULL_BACKOFF, 600_001).delayMs).toBe(10_000)
  })

  test.each([
    [0, '0s'],
    [85.9, '85ms'],
    [1_234, '1.234s'],
    [3_000, '3s'],
    [123_500, '2m3.5s'],
    [3_661_000, '1h1m1s'],
  ])('%d ms read %s, as Go prints them', (ms, text) => {
    expect(goDuration(ms)).toBe(text)
  })
})

function config(auths: object): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'registry', namespace: 'shop' },
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': base64({ auths }) },
  }
}

function base64(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64')
}
