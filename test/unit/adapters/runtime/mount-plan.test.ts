import { describe, expect, test } from 'vitest'
import type { Mount } from '../../../../src/adapters/runtime/index.ts'
import {
  cleanMountPath,
  type HostView,
  type PathKind,
  planMounts,
} from '../../../../src/adapters/runtime/process/mount-plan.ts'

const FILES: Readonly<Record<string, PathKind>> = {
  '/': 'dir',
  '/etc': 'dir',
  '/etc/passwd': 'file',
  '/run': 'dir',
  '/srv': 'dir',
  '/srv/app': 'dir',
  '/v/data': 'dir',
  '/v/config': 'dir',
  '/v/file': 'file',
  '/var': 'dir',
  '/var/run': 'dir',
}
const LINKS: Readonly<Record<string, string>> = { '/var/run': '/run' }

const host: HostView = {
  kind: async (path) => FILES[path] ?? 'missing',
  real: async (path) => LINKS[path] ?? path,
}

const mount = (source: string, path: string, readOnly = false): Mount => ({
  volume: source.slice(3),
  source,
  path,
  readOnly,
})

describe('where a volume goes', () => {
  test.each<[string, readonly Mount[], readonly string[]]>([
    ['nothing to mount', [], []],
    [
      'over a directory that exists',
      [mount('/v/data', '/srv/app')],
      ['bind', 'dir', 'rw', '/v/data', '/srv/app'],
    ],
    [
      'a file over a file',
      [mount('/v/file', '/etc/passwd', true)],
      ['bind', 'file', 'ro', '/v/file', '/etc/passwd'],
    ],
    [
      'a layer over the nearest directory when the path is missing',
      [mount('/v/data', '/etc/app/data')],
      ['layer', '/etc', 'bind', 'dir', 'rw', '/v/data', '/etc/app/data'],
    ],
    [
      'a new root when the first part is missing',
      [mount('/v/data', '/data/deep')],
      ['root', 'bind', 'dir', 'rw', '/v/data', '/data/deep'],
    ],
    [
      'one layer for nested ones',
      [mount('/v/data', '/srv/app/x'), mount('/v/config', '/srv/y')],
      [
        ...['layer', '/srv'],
        ...['bind', 'dir', 'rw', '/v/data', '/srv/app/x'],
        ...['bind', 'dir', 'rw', '/v/config', '/srv/y'],
      ],
    ],
    [
      'through a link of the host',
      [mount('/v/data', '/var/run/app')],
      ['layer', '/run', 'bind', 'dir', 'rw', '/v/data', '/run/app'],
    ],
    [
      'outer volumes before inner ones',
      [mount('/v/config', '/srv/app/config'), mount('/v/data', '/srv/app')],
      [
        ...['bind', 'dir', 'rw', '/v/data', '/srv/app'],
        ...['bind', 'dir', 'rw', '/v/config', '/srv/app/config'],
      ],
    ],
  ])('%s', async (_name, mounts, steps) => {
    expect((await planMounts(mounts, [], host)).steps).toEqual(steps)
  })

  test('a mount point inside another volume is made in that volume', async () => {
    const mounts = [mount('/v/data', '/srv/app'), mount('/v/file', '/srv/app/etc/file')]
    const plan = await planMounts(mounts, [], host)
    expect(plan.make).toEqual([{ kind: 'file', path: '/v/data/etc/file' }])
  })

  test('directories to keep are named first', async () => {
    const plan = await planMounts([mount('/v/data', '/srv/app')], ['/a', '/b'], host)
    expect(plan.steps.slice(0, 4)).toEqual(['keep', '/a', 'keep', '/b'])
  })

  test.each([
    [mount('/v/none', '/srv/app'), 'there is nothing at /v/none'],
    [mount('/v/data', '/etc/passwd'), 'is a directory but /etc/passwd is a file'],
    [mount('/v/file', '/srv/app'), 'is a file but /srv/app is a directory'],
  ])('%j is refused', async (bad, message) => {
    await expect(planMounts([bad], [], host)).rejects.toMatchObject({
      reason: 'InvalidSpec',
      message: expect.stringContaining(message),
    })
  })
})

test.each([
  ['/a/b', '/a/b'],
  ['/a//b/', '/a/b'],
  ['a/b', '/a/b'],
  ['/a/../../b/.', '/b'],
])('the mount path %s is %s', (given, clean) => {
  expect(cleanMountPath(given)).toBe(clean)
})
