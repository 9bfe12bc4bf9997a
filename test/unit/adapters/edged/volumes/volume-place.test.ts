import { chmod, mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { memoryVolumeBytes } from '../../../../../src/adapters/edged/volumes/memory-volume.ts'
import {
  belongsTo,
  giveToGroup,
  groupMode,
} from '../../../../../src/adapters/edged/volumes/volume-group.ts'
import type { JsonObject } from '../../../../../src/adapters/kubernetes/objects/types.ts'
import { pod } from '../pods.ts'

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tideway-volume-'))
})
afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

describe('the size of a volume in memory', () => {
  const limited = (...limits: (string | undefined)[]): JsonObject => ({
    containers: limits.map((memory, index) => ({
      name: `c${index}`,
      image: 'a',
      resources: memory === undefined ? {} : { limits: { memory } },
    })),
  })
  test.each<[string, JsonObject, JsonObject, number]>([
    ['is that of the machine', {}, limited(undefined), 1000],
    ['is its own limit', { sizeLimit: '64' }, limited(undefined), 64],
    ['is no more than there is', { sizeLimit: '1Gi' }, limited(undefined), 1000],
    ['is what the pod may have', {}, limited('100', '200'), 300],
    ['is the least of all', { sizeLimit: '250' }, limited('100', '200'), 250],
    ['is not limited by some containers', {}, limited('100', undefined), 1000],
    ['is not limited to nothing', { sizeLimit: '0' }, limited(undefined), 1000],
  ])('%s', (_, emptyDir, spec, bytes) => {
    expect(memoryVolumeBytes(emptyDir, pod(spec), 1000)).toBe(bytes)
  })
})

describe('the group of a volume', () => {
  test.each([
    [0o644, false, true, 0o664],
    [0o400, false, false, 0o440],
    [0o600, false, false, 0o640],
    [0o755, true, true, 0o2775],
    [0o777, true, true, 0o2777],
    [0o700, true, false, 0o2750],
  ])('%o becomes what the group needs', (mode, isDirectory, isWritable, expected) => {
    expect(groupMode(mode, isDirectory, isWritable)).toBe(expected)
  })

  test('gets all that is in it, and nothing that links lead to', async () => {
    const gid = process.getgid?.() ?? 0
    const inner = join(directory, 'volume', 'inner')
    const outside = join(directory, 'outside')
    await mkdir(inner, { recursive: true })
    await writeFile(join(inner, 'file'), '')
    await writeFile(outside, '')
    for (const path of [join(inner, 'file'), outside]) await chmod(path, 0o600)
    await symlink(outside, join(inner, 'link'))
    const group = { gid, isWritable: true }
    const volume = join(directory, 'volume')
    await chmod(volume, 0o700)
    expect(await belongsTo(volume, group)).toBe(false)
    expect(await giveToGroup(volume, group)).toBe(true)
    expect(await belongsTo(volume, group)).toBe(true)
    const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o7777
    expect(await modeOf(inner)).toBe(0o2775)
    expect(await modeOf(join(inner, 'file'))).toBe(0o660)
    expect(await modeOf(outside)).toBe(0o600)
  })
})
