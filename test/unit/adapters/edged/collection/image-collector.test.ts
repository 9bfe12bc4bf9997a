import { tmpdir } from 'node:os'
import { beforeEach, expect, test } from 'vitest'
import { ImageCollector } from '../../../../../src/adapters/edged/collection/image-collector.ts'
import {
  type ImageStatus,
  type ImageStoreUsage,
  RuntimeError,
  type RuntimeImages,
} from '../../../../../src/adapters/runtime/index.ts'
import { consoleLogger } from '../../../../../src/index.ts'
import { ManualClock } from '../../reconciler/manual-clock.ts'

/** More than any disk has: one of them is always enough. */
const HUGE = 1e18

/** Images in memory, said to be on the disk of this machine. */
class Shelf implements RuntimeImages {
  readonly here = new Map<string, ImageStatus>()
  readonly used = new Set<string>()
  isReadOnly = false

  put(id: string, sizeBytes: number): void {
    this.here.set(id, { id, tags: [`localhost/${id}:1`], digests: [], sizeBytes })
  }

  image(reference: string): Promise<ImageStatus | undefined> {
    return Promise.resolve(this.here.get(reference))
  }

  pullImage(): Promise<ImageStatus> {
    return Promise.reject(new RuntimeError('PullFailed', 'there is no registry'))
  }

  images(): Promise<readonly ImageStatus[]> {
    return Promise.resolve([...this.here.values()])
  }

  removeImage(id: string): Promise<void> {
    if (this.isReadOnly) return Promise.reject(new RuntimeError('Unavailable', 'read-only'))
    this.here.delete(id)
    return Promise.resolve()
  }

  inUse(): Promise<ReadonlySet<string>> {
    return Promise.resolve(this.used)
  }

  usage(): Promise<ImageStoreUsage> {
    return Promise.resolve({ directory: tmpdir(), usedBytes: 0 })
  }
}

let shelf: Shelf
let clock: ManualClock
let told: string[]
const wanted = new Set<string>()

beforeEach(() => {
  shelf = new Shelf()
  clock = new ManualClock()
  told = []
  wanted.clear()
})

function collector(highPercent: number): ImageCollector {
  return new ImageCollector({
    ...{ images: shelf, clock, logger: consoleLogger('silent') },
    limits: { highPercent, lowPercent: 0, ageMsMin: 1000 },
    wanted: () => wanted,
    tell: (reason, message) => told.push(`${reason}: ${message}`),
  })
}

test('the one that was not used for longest goes, and only once it is old enough', async () => {
  for (const id of ['early', 'late', 'running']) shelf.put(id, HUGE)
  for (const id of ['early', 'late', 'running']) shelf.used.add(id)
  const own = collector(0)
  await own.collect()
  shelf.used.delete('early')
  clock.advance(500)
  await own.collect()
  shelf.used.delete('late')
  clock.advance(499)
  await own.collect()
  expect([...shelf.here.keys()]).toEqual(['early', 'late', 'running'])
  clock.advance(1)
  shelf.put('new', HUGE)
  await own.collect()
  expect([...shelf.here.keys()]).toEqual(['late', 'running', 'new'])
  await own.collect()
  expect([...shelf.here.keys()]).toEqual(['running', 'new'])
})

test('one that a pod names stays, though nothing runs of it', async () => {
  shelf.put('next', HUGE)
  wanted.add('localhost/next:1')
  const own = collector(0)
  await own.collect()
  clock.advance(2000)
  await own.collect()
  expect(await own.removeUnused()).toBe(0)
  wanted.clear()
  clock.advance(1)
  expect(await own.removeUnused()).toBe(HUGE)
})

test('that it was not enough is told at once, that it fails from the second time on', async () => {
  shelf.put('small', 10)
  const own = collector(0)
  await own.collect()
  clock.advance(2000)
  await own.collect()
  expect(shelf.here.size).toBe(0)
  const message =
    /^Insufficient free disk space on the node's image filesystem \(\d+% of [\d.]+ \w+ used\)\. Failed to free sufficient space by deleting unused images \(freed (?:0|10) bytes\)\. /
  expect(told.map((each) => each.split(': ')[0])).toEqual([
    ...['FreeDiskSpaceFailed', 'FreeDiskSpaceFailed', 'ImageGCFailed'],
  ])
  for (const each of told) expect(each.slice(each.indexOf(': ') + 2)).toMatch(message)
})

test('an engine that refuses is told from the second time on', async () => {
  shelf.put('stuck', HUGE)
  const own = collector(0)
  await own.collect()
  told.length = 0
  clock.advance(2000)
  shelf.isReadOnly = true
  await own.collect()
  await own.collect()
  expect(told).toEqual(['ImageGCFailed: read-only', 'ImageGCFailed: read-only'])
})
