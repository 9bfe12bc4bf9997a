import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import type { NewRecord, RecordQuery, Storage } from '../../../../src/core/interfaces/storage.ts'
import { withRecentRecords } from '../../../../src/core/log/recent-records.ts'

function record(collection: string, size: number): NewRecord {
  return { document: `${collection}/d`, collection, bytes: new Uint8Array(size) }
}

/** A storage that counts the reads that reach it. */
function counted(): { storage: Storage; reads: () => number } {
  const inner = memoryStorage()
  let reads = 0
  const storage: Storage = {
    name: inner.name,
    supports: inner.supports,
    append: (batch) => inner.append(batch),
    head: () => inner.head(),
    read: (query) => {
      reads += 1
      return inner.read(query)
    },
    get: (keys) => inner.get(keys),
    scan: (prefix) => inner.scan(prefix),
    drop: (positions) => inner.drop(positions),
    close: () => inner.close(),
  }
  return { storage, reads: () => reads }
}

test('what was appended just now is read without the storage, what was before with it', async () => {
  const { storage, reads } = counted()
  await storage.append({ records: [record('a', 10), record('b', 10)], puts: [] })
  const log = withRecentRecords(storage)
  await log.append({ records: [record('a', 10), record('b', 10)], puts: [] })
  const page = await log.read({ after: 2, collections: ['b'], bytesMax: 1000 })
  expect(page.records.map(({ position }) => position)).toEqual([4])
  expect(page).toMatchObject({ upTo: 4, end: true })
  expect(reads()).toBe(0)
  expect((await log.read({ after: 1, bytesMax: 1000 })).records).toHaveLength(3)
  expect(reads()).toBe(1)
})

test('only the newest megabyte is kept', async () => {
  const { storage, reads } = counted()
  const log = withRecentRecords(storage)
  for (let i = 0; i < 40; i += 1) await log.append({ records: [record('a', 1 << 16)], puts: [] })
  await log.read({ after: 39, bytesMax: 1 })
  await log.read({ after: 33, bytesMax: 1 })
  expect(reads()).toBe(0)
  await log.read({ after: 20, bytesMax: 1 })
  expect(reads()).toBe(1)
})

test('an append that fails is not shown', async () => {
  const log = withRecentRecords(memoryStorage())
  await log.append({ records: [record('a', 1)], puts: [] })
  const wrong = { records: [record('a', 2)], puts: [], expectedHead: 7 }
  await expect(log.append(wrong)).rejects.toThrow()
  expect((await log.read({ after: 0, bytesMax: 99 })).records).toHaveLength(1)
})

type Step =
  | { readonly type: 'append'; readonly sizes: readonly number[] }
  | { readonly type: 'drop'; readonly positions: readonly number[] }
  | { readonly type: 'read'; readonly query: RecordQuery }

const name = fc.constantFrom('a', 'b', 'c')
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    type: fc.constant('append' as const),
    sizes: fc.array(fc.nat({ max: 300_000 }), { maxLength: 5 }),
  }),
  fc.record({
    type: fc.constant('drop' as const),
    positions: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 4 }),
  }),
  fc.record({
    type: fc.constant('read' as const),
    query: fc.record(
      {
        after: fc.nat({ max: 40 }),
        bytesMax: fc.nat({ max: 600_000 }),
        upTo: fc.nat({ max: 40 }),
        collections: fc.uniqueArray(name, { maxLength: 3 }),
      },
      { requiredKeys: ['after', 'bytesMax'] },
    ),
  }),
)

test('every read is as that of the storage alone', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const plain = memoryStorage()
      const log = withRecentRecords(memoryStorage())
      for (const { ...next } of steps) {
        if (next.type === 'append') {
          const records = next.sizes.map((size, i) => record('abc'[i % 3] ?? 'a', size))
          await Promise.all([plain, log].map((each) => each.append({ records, puts: [] })))
        } else if (next.type === 'drop') {
          await Promise.all([plain, log].map((each) => each.drop(next.positions)))
        } else {
          expect(shown(await log.read(next.query))).toEqual(shown(await plain.read(next.query)))
        }
      }
    }),
    { numRuns: 200 },
  )
})

function shown(page: Awaited<ReturnType<Storage['read']>>): unknown {
  const { records, upTo, end } = page
  return {
    upTo,
    end,
    records: records.map((each) => [each.position, each.collection, each.bytes.length]),
  }
}
