import { expect, test } from 'vitest'
import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { StorageCorruptError } from '../../../../src/core/errors.ts'
import type { Storage } from '../../../../src/core/interfaces/storage.ts'
import { checkStorage } from '../../../../src/core/log/check-storage.ts'

const RECORDS = 40

async function filled(medium: MemoryMedium): Promise<Storage> {
  const storage = memoryStorage({ medium })
  for (let n = 1; n <= RECORDS; n++) {
    const bytes = new Uint8Array(100_000).fill(n)
    const record = { document: `d${n % 4}`, collection: `c${n % 3}`, bytes }
    await storage.append({ records: [record], puts: [{ key: `k${n % 7}`, value: bytes }] })
  }
  await storage.drop([4, 5])
  return storage
}

test('a storage without damage is found whole', async () => {
  const storage = await filled(new MemoryMedium())
  expect(await checkStorage(storage)).toEqual({
    records: RECORDS - 2,
    values: 7,
    positions: [],
    unindexed: [],
    keys: [],
  })
})

test('every damaged record is named, and dropping them leaves a whole log', async () => {
  const medium = new MemoryMedium()
  const storage = await filled(medium)
  const damaged = [1, 2, 13, 14, 20, RECORDS]
  for (const position of damaged) medium.corrupt(position)
  const found = await checkStorage(storage)
  expect(found).toMatchObject({ records: RECORDS - 2 - damaged.length, positions: damaged })
  await storage.drop(found.positions)
  expect(await checkStorage(storage)).toMatchObject({
    records: RECORDS - 2 - damaged.length,
    positions: [],
    unindexed: [],
  })
  expect(await storage.head()).toBe(RECORDS)
})

test('damaged values are named, all of them', async () => {
  const storage = await filled(new MemoryMedium())
  const damaged = new Set(['k0', 'k3', 'k6'])
  const broken: Storage = Object.assign(Object.create(storage) as Storage, {
    head: () => storage.head(),
    read: (query: Parameters<Storage['read']>[0]) => storage.read(query),
    async *scan(prefix: string, range?: Parameters<Storage['scan']>[1]) {
      for await (const entry of storage.scan(prefix, range)) {
        if (damaged.has(entry.key)) {
          throw new StorageCorruptError('a stored value does not match its checksum', {
            fields: { key: entry.key },
          })
        }
        yield entry
      }
    },
  })
  expect(await checkStorage(broken)).toMatchObject({ values: 4, keys: [...damaged] })
})

test('records that an index lost are named', async () => {
  const storage = await filled(new MemoryMedium())
  const lost: Storage = Object.assign(Object.create(storage) as Storage, {
    head: () => storage.head(),
    scan: (prefix: string) => storage.scan(prefix),
    async read(query: Parameters<Storage['read']>[0]) {
      const page = await storage.read(query)
      const isGone = (position: number) =>
        (query.collections !== undefined && position === 9) ||
        (query.document !== undefined && position === 21)
      return { ...page, records: page.records.filter(({ position }) => !isGone(position)) }
    },
  })
  expect(await checkStorage(lost)).toMatchObject({ positions: [], unindexed: [9, 21] })
  expect(await checkStorage(lost, { indexes: false })).toMatchObject({ unindexed: [] })
})

test('damage that has no place is an error', async () => {
  const storage = await filled(new MemoryMedium())
  const broken: Storage = Object.assign(Object.create(storage) as Storage, {
    head: () => storage.head(),
    read: () => Promise.reject(new StorageCorruptError('nothing can be read')),
  })
  await expect(checkStorage(broken)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
})
