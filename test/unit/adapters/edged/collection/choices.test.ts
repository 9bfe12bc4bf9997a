import { describe, expect, test } from 'vitest'
import {
  podOfLogs,
  podsWithSurplus,
  surplusRuns,
} from '../../../../../src/adapters/edged/collection/dead-containers.ts'
import {
  bytesToFree,
  type ImageRecord,
  removableImages,
  usedPercent,
} from '../../../../../src/adapters/edged/collection/image-choice.ts'
import { imageCollectionSettings } from '../../../../../src/adapters/edged/collection/settings.ts'
import { ended, pod, run } from '../pods.ts'

describe('containers', () => {
  const of = pod()
  const dead = (attempt: number) => ended(of, 'main', 1, { attempt, finishedAtMs: attempt * 1000 })
  const ids = (runs: readonly { readonly id: string }[]): readonly string[] =>
    runs.map(({ id }) => id)

  test('one that has ended is kept, and for a minute the one before it', () => {
    expect(ids(surplusRuns([dead(0), dead(1), dead(2)], 2000))).toEqual(['main-0'])
    expect(ids(surplusRuns([dead(0), dead(1), dead(2)], 61_999))).toEqual(['main-0'])
    expect(ids(surplusRuns([dead(0), dead(1), dead(2)], 62_000))).toEqual(['main-0', 'main-1'])
    const runs = [dead(0), dead(1), run(of, 'main', { attempt: 2 })]
    expect(ids(surplusRuns(runs, 2000))).toEqual(['main-0'])
    expect(surplusRuns([dead(0)], 1e9)).toEqual([])
    expect(surplusRuns([run(of, 'main')], 1e9)).toEqual([])
  })

  test('pods are found by any container with too many', () => {
    const other = pod({}, { uid: 'u-2' })
    const spare = [dead(1), dead(0)]
    expect(podsWithSurplus([...spare, ended(other, 'main', 0)], 1e9)).toEqual(new Set(['u-1']))
    expect(podsWithSurplus(spare, 1000)).toEqual(new Set())
  })

  test('a folder of logs names its pod last', () => {
    expect(podOfLogs('default_web-0_2f1c')).toBe('2f1c')
    expect(podOfLogs('lost+found')).toBeUndefined()
  })
})

describe('images', () => {
  const limits = { highPercent: 85, lowPercent: 80, ageMsMin: 100 }
  const image = (id: string, over: Partial<ImageRecord> = {}): ImageRecord => ({
    ...{ id, sizeBytes: 1, seenAtMs: 0, usedAtMs: undefined, isInUse: false },
    ...over,
  })

  test('nothing is freed below the high mark, and down to the low mark from there on', () => {
    const disk = (available: number) => ({ available, capacity: 1000 })
    expect(bytesToFree(disk(151), limits)).toBe(49)
    expect(usedPercent(disk(151))).toBe(85)
    expect(bytesToFree(disk(160), limits)).toBe(0)
    expect(bytesToFree(disk(0), limits)).toBe(200)
    expect(bytesToFree(disk(0), { ...limits, highPercent: 100 })).toBe(0)
    expect(bytesToFree({ available: 0, capacity: 0 }, limits)).toBe(0)
    expect(bytesToFree({ available: 5000, capacity: 1000 }, limits)).toBe(0)
  })

  test('who was not used for longest goes first, nobody who is needed or new', () => {
    const images = [
      image('used late', { usedAtMs: 80 }),
      image('needed', { isInUse: true }),
      image('used early', { usedAtMs: 40 }),
      image('never used, new', { seenAtMs: 950 }),
      image('never used, later', { seenAtMs: 30 }),
      image('never used'),
    ]
    expect(removableImages(images, 100, 1000).map(({ id }) => id)).toEqual([
      ...['never used', 'never used, later', 'used early', 'used late'],
    ])
  })

  test('numbers that make no sense are refused', () => {
    expect(imageCollectionSettings({})).toMatchObject({ highPercent: 85, lowPercent: 80 })
    for (const options of [{ highPercent: 101 }, { lowPercent: 86 }, { ageMsMin: -1 }]) {
      expect(() => imageCollectionSettings(options)).toThrow('a number of imageCollection is wrong')
    }
  })
})
