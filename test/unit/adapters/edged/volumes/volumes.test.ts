import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ConfigSource } from '../../../../../src/adapters/edged/environment/env.ts'
import { writeAtomicDirectory } from '../../../../../src/adapters/edged/volumes/atomic-directory.ts'
import { prepareHostPath } from '../../../../../src/adapters/edged/volumes/host-path.ts'
import {
  type VolumeFile,
  volumeFiles,
} from '../../../../../src/adapters/edged/volumes/volume-files.ts'
import type { JsonObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { pod } from '../pods.ts'

const metadata = { name: 'app', namespace: 'shop' }
const source: ConfigSource = {
  accountToken: (audience, seconds) =>
    seconds === 3_600
      ? { token: `${seconds} ${audience ?? ''}` }
      : { problem: 'failed to fetch token: no' },
  configMap: (name) =>
    name === 'app'
      ? {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata,
          data: { a: '1', b: '2' },
          binaryData: { c: 'AAE=' },
        }
      : undefined,
  secret: (name) =>
    name === 'key'
      ? { apiVersion: 'v1', kind: 'Secret', metadata, data: { password: 'aHVudGVyMg==' } }
      : undefined,
}

function read(volume: JsonObject, spec: JsonObject = {}): unknown {
  const fields = { pod: pod(spec), podIPs: [], hostIPs: [], allocatable: {} }
  const result = volumeFiles(volume, source, fields)
  if (result.type === 'missing') return result.message
  const entries = [...result.files].map(([path, { bytes, mode }]) => [
    path,
    `${Buffer.from(bytes).toString('latin1')} ${mode.toString(8)}`,
  ])
  return Object.fromEntries(entries)
}

describe('the files of a volume', () => {
  test.each<[string, JsonObject, string]>([
    ['nobody in particular', {}, '644'],
    ['a group', { fsGroup: 2000 }, '600'],
    ['a user', { runAsUser: 1000 }, '600'],
  ])('the token of a pod that is %s', (_name, securityContext, mode) => {
    const volume = { projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } }
    expect(read(volume, { securityContext })).toEqual({ token: `3600  ${mode}` })
  })

  test.each<[string, JsonObject, unknown]>([
    ['a config map', { configMap: { name: 'app' } }, { a: '1 644', b: '2 644', c: '\0\u0001 644' }],
    [
      'with a mode',
      { secret: { secretName: 'key', defaultMode: 0o400 } },
      { password: 'hunter2 400' },
    ],
    [
      'items',
      { configMap: { name: 'app', items: [{ key: 'a', path: 'x/y', mode: 0o600 }] } },
      { 'x/y': '1 600' },
    ],
    [
      'a missing item',
      { configMap: { name: 'app', items: [{ key: 'z', path: 'z' }] } },
      'configmap references non-existent config key: z',
    ],
    [
      'a missing optional item',
      { configMap: { name: 'app', optional: true, items: [{ key: 'z', path: 'z' }] } },
      {},
    ],
    ['a missing secret', { secret: { secretName: 'no' } }, 'secret "no" not found'],
    ['a missing optional config map', { configMap: { name: 'no', optional: true } }, {}],
    [
      'a way out of the volume',
      { configMap: { name: 'app', items: [{ key: 'a', path: '../../etc/passwd' }] } },
      'invalid path: "../../etc/passwd"',
    ],
    [
      'a way out in the middle',
      { configMap: { name: 'app', items: [{ key: 'a', path: 'x/../../y' }] } },
      'invalid path: "x/../../y"',
    ],
    [
      'the downward API',
      { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
      { labels: 'app="web"\ntier="front" 644' },
    ],
    [
      'projected',
      {
        projected: {
          defaultMode: 0o440,
          sources: [
            { configMap: { name: 'app', items: [{ key: 'a', path: 'a' }] } },
            { secret: { name: 'key' } },
          ],
        },
      },
      { a: '1 440', password: 'hunter2 440' },
    ],
    [
      'projected, the token of the account',
      { projected: { sources: [{ serviceAccountToken: { path: 'token', audience: 'vault' } }] } },
      { token: '3600 vault 644' },
    ],
    [
      'projected, a token that nobody issues',
      { projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 601 } }] } },
      'failed to fetch token: no',
    ],
    [
      'projected, unknown',
      { projected: { sources: [{ clusterTrustBundle: { path: 'ca' } }] } },
      'projected source clusterTrustBundle is not supported',
    ],
  ])('%s', (_name, volume, expected) => {
    expect(read(volume)).toEqual(expected)
  })
})

describe('on disk', () => {
  let directory = ''
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tideway-volume-'))
  })
  afterEach(async () => {
    await rm(directory, { recursive: true, force: true })
  })

  const file = (text: string, mode = 0o644): VolumeFile => ({ bytes: Buffer.from(text), mode })

  test('an update replaces everything at once, through one link', async () => {
    const volume = join(directory, 'v')
    expect(
      await writeAtomicDirectory(
        volume,
        new Map([
          ['a', file('1')],
          ['d/b', file('2', 0o600)],
        ]),
      ),
    ).toBe(true)
    expect(await readFile(join(volume, 'a'), 'utf8')).toBe('1')
    expect((await stat(join(volume, 'd/b'))).mode & 0o777).toBe(0o600)
    expect(await readlink(join(volume, 'a'))).toBe('..data/a')
    const before = await readlink(join(volume, '..data'))
    expect(await writeAtomicDirectory(volume, new Map([['a', file('3')]]))).toBe(true)
    expect(await readFile(join(volume, 'a'), 'utf8')).toBe('3')
    expect(await readlink(join(volume, '..data'))).not.toBe(before)
    expect((await readdir(volume)).sort()).toEqual(
      [await readlink(join(volume, '..data')), '..data', 'a'].sort(),
    )
  })

  test('the directory gets the mode that is asked for', async () => {
    const made = join(directory, 'made')
    await writeAtomicDirectory(made, new Map([['a', file('1')]]), undefined, 0o1777)
    expect((await stat(made)).mode & 0o7777).toBe(0o1777)
  })

  test('the same files change nothing, and a link that was removed comes back', async () => {
    const files = new Map([['a', file('1')]])
    await writeAtomicDirectory(directory, files)
    expect(await writeAtomicDirectory(directory, files)).toBe(false)
    await rm(join(directory, 'a'))
    expect(await writeAtomicDirectory(directory, files)).toBe(true)
    expect(await readFile(join(directory, 'a'), 'utf8')).toBe('1')
  })

  test('files that others put there stay', async () => {
    await writeAtomicDirectory(directory, new Map([['a', file('1')]]))
    await writeFile(join(directory, 'mine'), 'x')
    await writeAtomicDirectory(directory, new Map([['b', file('1')]]))
    expect((await readdir(directory)).filter((name) => !name.startsWith('..')).sort()).toEqual([
      'b',
      'mine',
    ])
  })

  test('hostPath types are checked, and made where that is asked for', async () => {
    const check = (name: string, type: string) =>
      prepareHostPath({ path: join(directory, name), type })
    await mkdir(join(directory, 'dir'))
    await writeFile(join(directory, 'file'), '')
    await chmod(directory, 0o755)
    expect(await check('dir', 'Directory')).toBeUndefined()
    expect(await check('file', 'File')).toBeUndefined()
    expect(await check('none', '')).toBeUndefined()
    expect(await check('made', 'DirectoryOrCreate')).toBeUndefined()
    expect(await check('made-file', 'FileOrCreate')).toBeUndefined()
    expect(await check('file', 'Directory')).toContain('is not a directory')
    expect(await check('none', 'Socket')).toContain('is not a socket')
    expect(await check('x/y', 'FileOrCreate')).toContain('is not a directory')
    expect(await check('dir', 'Bogus')).toContain('unknown type')
    expect((await readdir(directory)).sort()).toEqual(['dir', 'file', 'made', 'made-file'])
  })
})
