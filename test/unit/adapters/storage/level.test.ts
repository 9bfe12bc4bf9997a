import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { levelStorage } from '../../../../src/adapters/storage/level/index.ts'
import {
  collectionPrefix,
  FORMAT_KEY,
  withPosition,
} from '../../../../src/adapters/storage/level/keys.ts'
import { mergeRanges, rangesOf } from '../../../../src/adapters/storage/position-ranges.ts'

let root: string
let directory: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tideway-level-'))
  directory = join(root, 'log')
})
afterEach(() => rm(root, { recursive: true, force: true }))

const batch = (size: number, document = 'd') => ({
  records: [{ document, collection: 'c', bytes: new Uint8Array(size).fill(7) }],
  puts: [],
})

async function openRaw(): Promise<ClassicLevel<Uint8Array, Uint8Array>> {
  const level = new ClassicLevel<Uint8Array, Uint8Array>(directory, {
    keyEncoding: 'view',
    valueEncoding: 'view',
  })
  await level.open()
  return level
}

test('refuses a LevelDB of another program', async () => {
  const level = await openRaw()
  await level.put(Uint8Array.of(1), Uint8Array.of(1))
  await level.close()
  await expect(levelStorage({ directory })).rejects.toMatchObject({
    code: 'STORAGE_FOREIGN',
    fields: { directory },
  })
})

test('a directory of ours whose format record is gone is damaged, not foreign, and not new', async () => {
  const storage = await levelStorage({ directory })
  await storage.append(batch(100))
  await storage.close()
  const level = await openRaw()
  await level.del(FORMAT_KEY)
  await level.close()
  const damaged = { code: 'STORAGE_CORRUPT', fields: { directory } }
  await expect(levelStorage({ directory })).rejects.toMatchObject(damaged)
  // All of it gone, as when LevelDB passes over tables that it cannot read: never taken for empty.
  const emptied = await openRaw()
  await emptied.clear()
  await emptied.compactRange(Uint8Array.of(0), Uint8Array.of(255))
  await emptied.put(Uint8Array.of(1), Uint8Array.of(1))
  await emptied.compactRange(Uint8Array.of(0), Uint8Array.of(255))
  await emptied.del(Uint8Array.of(1))
  await emptied.close()
  await expect(levelStorage({ directory })).rejects.toMatchObject(damaged)
})

test('refuses a newer format and leaves it as it is', async () => {
  const level = await openRaw()
  const newer = new TextEncoder().encode('tideway-level 2')
  await level.put(FORMAT_KEY, newer)
  await level.close()
  await expect(levelStorage({ directory })).rejects.toMatchObject({
    code: 'STORAGE_FOREIGN',
    fields: { directory, found: 'tideway-level 2', readable: 'tideway-level 1' },
  })
  const after = await openRaw()
  expect(new Uint8Array((await after.get(FORMAT_KEY)) ?? [])).toEqual(newer)
  await after.close()
})

test('says what is wrong with a path that is a file', async () => {
  await writeFile(directory, 'not a directory')
  await expect(levelStorage({ directory })).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  await expect(levelStorage({ directory: '' })).rejects.toMatchObject({
    code: 'USAGE_INVALID_ARGUMENT',
    fields: { field: 'directory' },
  })
})

test('finds a part of the log that LevelDB leaves out without a word', async () => {
  const storage = await levelStorage({ directory })
  for (let count = 0; count < 9; count++) await storage.append(batch(40_000))
  await storage.close()
  const log = (await readdir(directory)).find((name) => name.endsWith('.log')) ?? ''
  const bytes = await readFile(join(directory, log))
  const middle = bytes.length >> 1
  bytes[middle] = (bytes[middle] ?? 0) ^ 0xff
  await writeFile(join(directory, log), bytes)
  await expect(levelStorage({ directory })).rejects.toMatchObject({
    code: 'STORAGE_CORRUPT',
    fields: { directory, position: 5 },
  })
  // It is found again by the next opener: nothing was remembered as checked.
  await expect(levelStorage({ directory })).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
})

test('takes a torn end of the log for an append that was never acknowledged', async () => {
  const storage = await levelStorage({ directory })
  for (let count = 0; count < 5; count++) await storage.append(batch(1_000))
  await storage.close()
  const log = (await readdir(directory)).find((name) => name.endsWith('.log')) ?? ''
  const bytes = await readFile(join(directory, log))
  await writeFile(join(directory, log), bytes.subarray(0, bytes.length - 500))
  const reopened = await levelStorage({ directory })
  expect(await reopened.head()).toBe(4)
  expect(await reopened.append(batch(1))).toEqual({ first: 5, head: 5 })
  await reopened.close()
})

test('reports an index entry that is damaged', async () => {
  const storage = await levelStorage({ directory })
  await storage.append(batch(10))
  await storage.close()
  const level = await openRaw()
  await level.put(withPosition(collectionPrefix('c'), 1), new Uint8Array(8))
  await level.close()
  const reopened = await levelStorage({ directory })
  const query = { after: 0, bytesMax: 1, collections: ['c'] }
  await expect(reopened.read(query)).rejects.toMatchObject({
    code: 'STORAGE_CORRUPT',
    fields: { directory, position: 1 },
  })
  await reopened.close()
})

test('shares one sync among concurrent appends', async () => {
  const storage = await levelStorage({ directory })
  await Promise.all(Array.from({ length: 500 }, () => storage.append(batch(10))))
  await storage.close()
  const level = await openRaw()
  const counter = await level.get(new TextEncoder().encode('mbatch'))
  await level.close()
  expect(counter?.at(-1)).toBeLessThan(5)
})

test('joins dropped positions into few ranges', async () => {
  expect(rangesOf([1, 2, 3, 5, 7, 8])).toEqual([
    { first: 1, last: 3 },
    { first: 5, last: 5 },
    { first: 7, last: 8 },
  ])
  expect(
    mergeRanges([
      { first: 5, last: 6 },
      { first: 1, last: 4 },
      { first: 8, last: 9 },
    ]),
  ).toEqual([
    { first: 1, last: 6 },
    { first: 8, last: 9 },
  ])
  const storage = await levelStorage({ directory })
  await storage.append({
    records: Array.from({ length: 100 }, () => batch(1).records).flat(),
    puts: [],
  })
  for (const step of [2, 3, 5, 1]) {
    await storage.drop(
      Array.from({ length: 99 }, (_, index) => index + 1).filter((n) => n % step === 0),
    )
  }
  await storage.close()
  const level = await openRaw()
  const ranges = await level.keys({ gte: Uint8Array.of(0x68), lt: Uint8Array.of(0x69) }).all()
  await level.close()
  expect(ranges.length).toBe(1)
  const reopened = await levelStorage({ directory })
  const { records } = await reopened.read({ after: 0, bytesMax: 1e6 })
  expect(records.map(({ position }) => position)).toEqual([100])
  await reopened.close()
})

test('refuses what no storage takes', async () => {
  const storage = await levelStorage({ directory })
  const refusals: readonly [Promise<unknown>, string][] = [
    [storage.append(batch(1, '')), 'record.document'],
    [storage.append(batch(1, 'é'.repeat(257))), 'record.document'],
    [storage.append(batch(1, 'half \ud83d')), 'record.document'],
    [storage.append({ ...batch(1), expectedHead: -1 }), 'expectedHead'],
    [storage.read({ after: 0.5, bytesMax: 1 }), 'after'],
    [storage.read({ after: 0, bytesMax: Number.NaN }), 'bytesMax'],
    [storage.read({ after: 0, bytesMax: 1, document: 'd', collections: [] }), 'document'],
    [storage.get(['']), 'key'],
  ]
  for (const [refused, field] of refusals) {
    await expect(refused).rejects.toMatchObject({
      code: 'USAGE_INVALID_ARGUMENT',
      fields: { field },
    })
  }
  expect(await storage.head()).toBe(0)
  await storage.close()
})
