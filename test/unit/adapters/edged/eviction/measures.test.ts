import { link, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DiskMeter } from '../../../../../src/adapters/edged/eviction/disk-meter.ts'
import { DiskWalk } from '../../../../../src/adapters/edged/eviction/disk-walk.ts'
import {
  NodeObserver,
  parseMemory,
  parsePids,
} from '../../../../../src/adapters/edged/eviction/observe.ts'
import { podPaths } from '../../../../../src/adapters/edged/pod-paths.ts'
import { ManualClock } from '../../reconciler/manual-clock.ts'
import { pod } from '../pods.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tideway-measures-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

describe('what a directory takes', () => {
  test('every file once, whatever it is called, in steps', async () => {
    await mkdir(join(directory, 'a/b'), { recursive: true })
    for (let at = 0; at < 50; at += 1) await writeFile(join(directory, 'a/b', `${at}`), 'x')
    await writeFile(join(directory, 'large'), Buffer.alloc(300_000, 1))
    await link(join(directory, 'large'), join(directory, 'a/again'))
    await symlink('/usr', join(directory, 'elsewhere'))
    const walk = new DiskWalk(directory)
    let steps = 0
    while (!walk.isDone) {
      expect(await walk.step(1)).toBeGreaterThan(0)
      steps += 1
    }
    expect(steps).toBe(3)
    // Two directories and the one that was named, 51 files, one link.
    expect(walk.use.inodes).toBe(55)
    expect(walk.use.bytes).toBeGreaterThanOrEqual(300_000)
    expect(walk.use.bytes).toBeLessThan(300_000 + 60 * 8192)
  })

  test('one that is not there takes nothing', async () => {
    const walk = new DiskWalk(join(directory, 'none'))
    await walk.step(10)
    expect([walk.isDone, walk.use]).toEqual([true, { bytes: 0, inodes: 0 }])
  })
})

describe('what pods have on the disk', () => {
  const volumes = [{ name: 'v', emptyDir: {} }]
  const of = pod({ volumes: [...volumes, { name: 'm', emptyDir: { medium: 'Memory' } }] })

  test('is measured in steps, and anew when it is old', async () => {
    const paths = podPaths(directory, of)
    const volume = join(paths.directory, 'volumes/v')
    await mkdir(volume, { recursive: true })
    await mkdir(join(paths.logs, 'main'), { recursive: true })
    await writeFile(join(paths.logs, 'main/0.log'), Buffer.alloc(9000, 1))
    const clock = new ManualClock()
    const meter = new DiskMeter({ directory, clock, periodMs: 60_000, entriesMax: 1 })
    await meter.step([of])
    expect(meter.diskOf(of.uid)).toBeUndefined()
    await meter.complete([of])
    const first = meter.diskOf(of.uid)
    expect([...(first?.volumes.keys() ?? [])]).toEqual(['v'])
    expect(first?.logs.get('main')?.bytes).toBeGreaterThanOrEqual(9000)

    await writeFile(join(volume, 'more'), Buffer.alloc(50_000, 1))
    await meter.complete([of])
    expect(meter.diskOf(of.uid)).toBe(first)
    clock.advance(60_000)
    await meter.complete([of])
    expect(meter.diskOf(of.uid)?.volumes.get('v')?.bytes).toBeGreaterThanOrEqual(50_000)
    meter.keepOnly([])
    expect(meter.diskOf(of.uid)).toBeUndefined()
  })
})

describe('what a machine has', () => {
  test('memory is all but the working set', () => {
    const meminfo = [
      ...['MemTotal:  1000 kB', 'MemFree:  100 kB', 'Inactive:  70 kB'],
      ...['Inactive(file):  50 kB', 'SReclaimable:  7 kB', ''],
    ].join('\n')
    expect(parseMemory(meminfo)).toEqual({ available: 157 * 1024, capacity: 1000 * 1024 })
    expect(parseMemory('')).toBeUndefined()
  })

  test('processes are bounded by the lesser limit', () => {
    expect(parsePids('0.1 0.2 0.3 2/300 999', ['4194304\n', '1000\n'])).toEqual({
      available: 700,
      capacity: 1000,
    })
    expect(parsePids('', ['1000'])).toBeUndefined()
    expect(parsePids('0.1 0.2 0.3 2/300 999', ['', ''])).toBeUndefined()
  })

  test('only what is asked for is looked at', async () => {
    const observer = new NodeObserver(directory, undefined)
    const { observations, isImageDiskApart } = await observer.look(new Set(['nodefs.available']))
    expect([...observations.keys()]).toEqual(['nodefs.available'])
    expect(isImageDiskApart).toBe(false)
    const seen = observations.get('nodefs.available')
    expect(seen?.available).toBeLessThanOrEqual(seen?.capacity ?? 0)
  })
})
