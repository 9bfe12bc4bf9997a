import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { levelStorage } from '../../../../src/adapters/storage/level/index.ts'
import {
  decodeRun,
  encodeRun,
  type IndexEntry,
  RUN_LENGTH_MAX,
} from '../../../../src/adapters/storage/level/index-run.ts'
import {
  afterPrefix,
  collectionPrefix,
  documentPrefix,
  recordKey,
  withPosition,
} from '../../../../src/adapters/storage/level/keys.ts'
import { memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import type { NewRecord, Storage } from '../../../../src/core/interfaces/storage.ts'
import { checkStorage } from '../../../../src/index.ts'

let root: string
let directory: string
let storage: Storage
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tideway-runs-'))
  directory = join(root, 'log')
  storage = await levelStorage({ directory })
})
afterEach(async () => {
  await storage.close()
  await rm(root, { recursive: true, force: true })
})

const record = (document: string, collection = 'c', size = 10): NewRecord => ({
  document,
  collection,
  bytes: new Uint8Array(size).fill(size & 0xff),
})

async function append(from: Storage, records: readonly NewRecord[]): Promise<void> {
  await from.append({ records, puts: [] })
}

type Raw = ClassicLevel<Uint8Array, Uint8Array>

/** Looks at the directory, or changes it, while nobody has it open. */
async function raw<Result>(run: (level: Raw) => Promise<Result>): Promise<Result> {
  await storage.close()
  const level: Raw = new ClassicLevel(directory, { keyEncoding: 'view', valueEncoding: 'view' })
  await level.open()
  try {
    return await run(level)
  } finally {
    await level.close()
    storage = await levelStorage({ directory, acceptDamage: true })
  }
}

/** The positions of each run under a prefix. */
function runsUnder(prefix: Uint8Array): Promise<readonly (readonly number[] | undefined)[]> {
  return raw(async (level) => {
    const runs = await level.iterator({ gte: prefix, lt: afterPrefix(prefix) }).all()
    return runs.map(([key, value]) => decodeRun(key, value)?.map(({ position }) => position))
  })
}

async function positionsOf(
  from: Storage,
  query: Partial<Parameters<Storage['read']>[0]>,
): Promise<readonly number[]> {
  const page = await from.read({ after: 0, bytesMax: 1e9, ...query })
  return page.records.map(({ position }) => position)
}

test('a run says what it was made of, and a run of one is no longer than its size', () => {
  const prefix = documentPrefix('d')
  const runs: readonly (readonly IndexEntry[])[] = [
    [{ position: 7, bytes: 0xffff_ffff }],
    [
      { position: 1, bytes: 0 },
      { position: 2, bytes: 127 },
      { position: 2 ** 40, bytes: 128 },
      { position: Number.MAX_SAFE_INTEGER, bytes: 0xffff_ffff },
    ],
    Array.from({ length: RUN_LENGTH_MAX }, (_, index) => ({ position: 3 * index + 1, bytes: 300 })),
  ]
  for (const run of runs) {
    const key = withPosition(prefix, run.at(-1)?.position ?? 0)
    const value = encodeRun(key, run)
    expect(decodeRun(key, value)).toEqual(run)
    for (let at = 0; at < value.length; at += 1) {
      const damaged = value.slice()
      damaged[at] = (damaged[at] ?? 0) ^ 0x10
      expect(decodeRun(key, damaged)).toBe(undefined)
      expect(decodeRun(key, value.subarray(0, at))).toBe(undefined)
    }
    expect(decodeRun(withPosition(prefix, 8), value)).toBe(undefined)
  }
  const one = withPosition(prefix, 7)
  expect(encodeRun(one, [{ position: 7, bytes: 1 }]).length).toBe(8)
})

test('what is written together is one entry for each collection and document, of bounded length', async () => {
  await append(storage, [record('a')])
  await append(storage, [record('a'), record('b'), record('a', 'other')])
  await append(
    storage,
    Array.from({ length: 600 }, () => record('a')),
  )
  expect(await runsUnder(documentPrefix('b'))).toEqual([[3]])
  expect(await runsUnder(collectionPrefix('other'))).toEqual([[4]])
  const runs = await runsUnder(documentPrefix('a'))
  expect(runs.slice(0, 2)).toEqual([[1], [2, 4]])
  expect(runs.slice(2).map((run) => run?.length)).toEqual([256, 256, 88])
  expect(runs.flat()).toEqual(await positionsOf(storage, { document: 'a' }))
})

test('reads begin, end and break off inside of runs', async () => {
  const records = Array.from({ length: 700 }, (_, index) =>
    record(`d${index % 3}`, `c${index % 2}`, index % 50),
  )
  const expected = memoryStorage()
  for (const [from, to] of [
    [0, 300],
    [300, 301],
    [301, 700],
  ]) {
    await append(storage, records.slice(from, to))
    await append(expected, records.slice(from, to))
  }
  const ranges = [0, 190, 299, 380].flatMap((after) =>
    [after, after + 1, after + 90, 699, 800].map((upTo) => ({ after, upTo })),
  )
  for (const which of [
    { document: 'd1' },
    { collections: ['c0'] },
    { collections: ['c1', 'c0'] },
  ]) {
    const queries = ranges.flatMap((range) =>
      [0, 700, 1e6].map((bytesMax) => ({ ...which, ...range, bytesMax })),
    )
    const pagesOf = (from: Storage) =>
      Promise.all(
        queries.map(async (query) => {
          const { records, upTo, end } = await from.read(query)
          return { query, upTo, end, positions: records.map(({ position }) => position) }
        }),
      )
    expect(await pagesOf(storage)).toEqual(await pagesOf(expected))
  }
})

test('dropping leaves of a run what was not dropped', async () => {
  const expected = memoryStorage()
  let head = 0
  for (const size of [1, 40, 300, 1, 1, 600, 7]) {
    const records = Array.from({ length: size }, (_, index) =>
      record(`d${(index * index) % 5}`, `c${index % 2}`),
    )
    await append(storage, records)
    await append(expected, records)
    head += size
  }
  let seed = 7
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647
    return seed / 2_147_483_647
  }
  const left = new Set(Array.from({ length: head }, (_, index) => index + 1))
  for (const part of [0.001, 0.01, 0.1, 0.3, 0.5, 1]) {
    const dropped = [...left].filter(() => part === 1 || random() < part)
    for (const position of dropped) left.delete(position)
    await storage.drop(dropped.sort(() => random() - 0.5))
    await expected.drop(dropped)
    for (const query of [{}, { document: 'd4' }, { document: 'd0' }, { collections: ['c1'] }]) {
      expect(await positionsOf(storage, query)).toEqual(await positionsOf(expected, query))
    }
    expect(await checkStorage(storage)).toMatchObject({ records: left.size, unindexed: [] })
  }
  for (const prefix of [collectionPrefix('c0'), documentPrefix('d1')]) {
    expect(await runsUnder(prefix)).toEqual([])
  }
})

test.each([
  ['by itself', 400, [400]],
  ['with others of it', 400, [390, 391, 395, 400]],
  ['in the middle of the log', 100, [100]],
])(
  'a damaged run is told of by its end, and made anew from the records when that is dropped, %s',
  async (_, last, dropped) => {
    const records = Array.from({ length: 100 }, (_, index) => record(`d${index % 4}`))
    for (let count = 0; count < 4; count += 1) await append(storage, records)
    const key = withPosition(collectionPrefix('c'), last)
    await raw(async (level) => {
      const value = await level.get(key)
      if (value === undefined) throw new Error('there is no such run')
      value[9] = (value[9] ?? 0) ^ 1
      await level.put(key, value)
    })
    const damage = { code: 'STORAGE_CORRUPT', fields: { directory, position: last } }
    await expect(positionsOf(storage, { collections: ['c'] })).rejects.toMatchObject(damage)
    const before = Array.from({ length: last - 1 }, (_, index) => index + 1)
    expect(await positionsOf(storage, { collections: ['c'], upTo: last - 1 })).toEqual(before)
    const inside = { collections: ['c'], after: last - 50, upTo: last - 30 }
    expect(await positionsOf(storage, inside)).toEqual(before.slice(last - 50, last - 30))
    expect(await positionsOf(storage, { collections: ['c'], after: last })).toHaveLength(400 - last)
    expect((await positionsOf(storage, { document: 'd1' })).length).toBe(100)
    const found = await checkStorage(storage)
    expect(found).toMatchObject({ records: 400, positions: [], unindexed: [last] })

    await storage.drop(dropped)
    const left = 400 - dropped.length
    expect(await positionsOf(storage, { collections: ['c'] })).toHaveLength(left)
    expect(await checkStorage(storage)).toMatchObject({
      records: left,
      positions: [],
      unindexed: [],
    })
    const runs = await runsUnder(collectionPrefix('c'))
    expect(runs).toHaveLength(4)
    expect(runs.flat()).toHaveLength(left)
  },
)

test('a damaged run with damaged and missing records in it is whole once all of them are dropped', async () => {
  await append(
    storage,
    Array.from({ length: 100 }, (_, index) => record(`d${index % 4}`)),
  )
  await append(storage, [record('d9', 'other')])
  await raw(async (level) => {
    for (const key of [recordKey(20), withPosition(collectionPrefix('c'), 100)]) {
      const value = await level.get(key)
      if (value === undefined) throw new Error('there is no such entry')
      value[value.length - 1] = (value.at(-1) ?? 0) ^ 1
      await level.put(key, value)
    }
    await level.del(recordKey(100))
    // Nobody has looked at it since it was written.
    await level.del(new TextEncoder().encode('mverified'))
  })
  const { positions, unindexed } = await checkStorage(storage)
  expect([positions, unindexed]).toEqual([[20, 100], []])
  const collection = { collections: ['c'] }
  for (const [upTo, position] of [
    [101, 100],
    [99, 20],
  ]) {
    const damage = { code: 'STORAGE_CORRUPT', fields: { position } }
    await expect(positionsOf(storage, { ...collection, upTo })).rejects.toMatchObject(damage)
  }
  await storage.drop(positions)
  expect(await positionsOf(storage, collection)).toHaveLength(98)
  expect(await checkStorage(storage)).toMatchObject({
    records: 99,
    positions: [],
    unindexed: [],
  })
})

test('a log with an entry for each record, as it may have been written, is read and dropped alike', async () => {
  const records = Array.from({ length: 30 }, (_, index) => record(`d${index % 2}`))
  await append(storage, records)
  await raw(async (level) => {
    for (const prefix of [collectionPrefix('c'), documentPrefix('d0'), documentPrefix('d1')]) {
      for (const [key, value] of await level
        .iterator({ gte: prefix, lt: afterPrefix(prefix) })
        .all()) {
        for (const entry of decodeRun(key, value) ?? []) {
          const single = withPosition(prefix, entry.position)
          await level.put(single, encodeRun(single, [entry]))
        }
      }
    }
  })
  await append(storage, records)
  expect(await positionsOf(storage, { collections: ['c'] })).toHaveLength(60)
  await storage.drop([1, 2, 30, 31, 60])
  expect(await positionsOf(storage, { collections: ['c'] })).toHaveLength(55)
  expect(await checkStorage(storage)).toMatchObject({ records: 55, unindexed: [] })
})

test('a copy of the files at any moment has whole runs only', async () => {
  const appends = Array.from({ length: 40 }, async (_, index) => {
    await append(
      storage,
      Array.from({ length: 1 + index * 3 }, () => record(`d${index % 3}`)),
    )
    const copy = join(root, `copy-${index}`)
    if (index % 10 !== 0) return
    await cp(directory, copy, { recursive: true, filter: (file) => !file.endsWith('LOCK') })
    const killed = await levelStorage({ directory: copy })
    const head = await killed.head()
    expect(await checkStorage(killed)).toMatchObject({
      records: head,
      positions: [],
      unindexed: [],
    })
    await killed.close()
  })
  await Promise.all(appends)
})
