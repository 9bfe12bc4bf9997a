import type { Storage } from '../core/interfaces/storage.ts'
import { check, checkEqual, patternBytes } from './check.ts'
import {
  BYTES_MAX,
  batch,
  positionsOf,
  readAll,
  record,
  type StorageCheck,
} from './storage-fixture.ts'

/** What {@link Storage.read} and {@link Storage.drop} promise. */
export const readChecks: readonly StorageCheck[] = [
  {
    name: 'reads see every append that resolved before the read was called',
    async run({ storage }) {
      for (let position = 1; position <= 20; position++) {
        await storage.append(batch([record()]))
        const page = await storage.read({ after: position - 1, bytesMax: BYTES_MAX })
        checkEqual(positionsOf(page.records), [position], 'what is read right after the append')
      }
    },
  },
  {
    name: 'a read begins after one position and goes up to and with another',
    async run({ storage }) {
      await storage.append(batch(Array.from({ length: 9 }, () => record())))
      const part = await storage.read({ after: 3, upTo: 6, bytesMax: BYTES_MAX })
      checkEqual(positionsOf(part.records), [4, 5, 6], 'the part')
      checkEqual([part.upTo, part.end], [6, true], 'where the part ends')
      const all = await storage.read({ after: 8, bytesMax: BYTES_MAX })
      checkEqual([positionsOf(all.records), all.upTo, all.end], [[9], 9, true], 'up to the head')
      const past = await storage.read({ after: 9, bytesMax: BYTES_MAX })
      checkEqual([past.records, past.end], [[], true], 'after the head')
    },
  },
  {
    name: 'a page ends after the record that reaches bytesMax and holds at least one',
    async run({ storage }) {
      const bytes = new Uint8Array(10)
      await storage.append(batch(Array.from({ length: 7 }, () => record({ bytes }))))
      const sizes = async (bytesMax: number) => {
        const page = await storage.read({ after: 0, bytesMax })
        return page.records.length
      }
      checkEqual(
        [await sizes(0), await sizes(10), await sizes(11), await sizes(30), await sizes(1_000)],
        [1, 1, 2, 3, 7],
        'records on a page of 0, 10, 11, 30 and 1,000 bytes',
      )
      const page = await storage.read({ after: 0, bytesMax: 25 })
      checkEqual([page.upTo, page.end], [3, false], 'where a page that is not the last ends')
      checkEqual(
        positionsOf(await readAll(storage, { bytesMax: 25 })),
        [1, 2, 3, 4, 5, 6, 7],
        'all',
      )
    },
  },
  {
    name: 'a read by collections gives the records of these, in order of position',
    async run({ storage }) {
      await appendAcross(storage, ['a', 'b', 'c', 'a', 'a', 'b', 'c', 'b', 'a'])
      const of = async (...collections: string[]) =>
        positionsOf(await readAll(storage, { collections }))
      checkEqual(await of('a'), [1, 4, 5, 9], 'one collection')
      checkEqual(await of('b', 'a'), [1, 2, 4, 5, 6, 8, 9], 'two collections')
      checkEqual(await of('c', 'c'), [3, 7], 'a collection named twice')
      checkEqual(await of('none', 'c'), [3, 7], 'with one that is empty')
      checkEqual(await of(), [], 'no collection at all')
    },
  },
  {
    name: 'a read by collections is paged like any other',
    async run({ storage }) {
      const names = Array.from({ length: 120 }, (_, index) => `c${(index * 7) % 5}`)
      await appendAcross(storage, names)
      const expected = names.flatMap((name, index) =>
        name === 'c1' || name === 'c4' ? [index + 1] : [],
      )
      const paged = await readAll(storage, { collections: ['c4', 'c1'], bytesMax: 11 })
      checkEqual(positionsOf(paged), expected, 'every page together')
      const page = await storage.read({ after: 30, upTo: 90, bytesMax: 1e9, collections: ['c2'] })
      checkEqual(
        positionsOf(page.records),
        names.flatMap((name, index) =>
          name === 'c2' && index >= 30 && index < 90 ? [index + 1] : [],
        ),
        'a part of one collection',
      )
      checkEqual([page.upTo, page.end], [90, true], 'where the part ends')
    },
  },
  {
    name: 'a read by document gives the records of that document',
    async run({ storage }) {
      const documents = ['x', 'y', 'x', 'xy', 'x', 'y']
      await storage.append(batch(documents.map((document) => record({ document }))))
      checkEqual(positionsOf(await readAll(storage, { document: 'x' })), [1, 3, 5], 'document x')
      checkEqual(
        positionsOf(await readAll(storage, { document: 'y', bytesMax: 1 })),
        [2, 6],
        'document y, in pages',
      )
      checkEqual(await readAll(storage, { document: 'z' }), [], 'a document that is not there')
    },
  },
  {
    name: 'names that begin alike are not confused',
    async run({ storage }) {
      const names = ['a', 'a/', 'a/b', 'ab', 'a\u0000', 'a\u0001b', 'b']
      await storage.append(batch(names.map((name) => record({ document: name, collection: name }))))
      for (const [index, name] of names.entries()) {
        const one = [index + 1]
        checkEqual(positionsOf(await readAll(storage, { collections: [name] })), one, 'collection')
        checkEqual(positionsOf(await readAll(storage, { document: name })), one, 'document')
      }
    },
  },
  {
    name: 'bytes handed out belong to the caller',
    async run({ storage }) {
      const puts = [{ key: 'k', value: patternBytes(2, 16) }]
      await storage.append(batch([record({ bytes: patternBytes(1, 16) })], puts))
      for (const { bytes } of await readAll(storage)) bytes.fill(0)
      for (const value of await storage.get(['k'])) value?.fill(0)
      checkEqual((await readAll(storage))[0]?.bytes, patternBytes(1, 16), 'the record')
      checkEqual((await storage.get(['k']))[0], patternBytes(2, 16), 'the value')
    },
  },
  {
    name: 'drop removes records from every read and ignores unknown positions',
    async run({ storage }) {
      await appendAcross(storage, ['a', 'b', 'a', 'b', 'a', 'b'])
      await storage.drop([2, 3, 3, 99, 0])
      await storage.drop([2, 5])
      checkEqual(positionsOf(await readAll(storage)), [1, 4, 6], 'the log')
      checkEqual(positionsOf(await readAll(storage, { collections: ['a'] })), [1], 'collection a')
      checkEqual(
        positionsOf(await readAll(storage, { collections: ['b'] })),
        [4, 6],
        'collection b',
      )
      checkEqual(positionsOf(await readAll(storage, { document: 'd' })), [1, 4, 6], 'the document')
      const page = await storage.read({ after: 1, upTo: 3, bytesMax: BYTES_MAX })
      checkEqual([page.records, page.upTo, page.end], [[], 3, true], 'a part that is gone')
    },
  },
  {
    name: 'positions are never assigned again, also when the newest records were dropped',
    async run({ storage, reopen }) {
      await storage.append(batch([record(), record(), record()]))
      await storage.drop([2, 3])
      checkEqual(await storage.head(), 3, 'the head')
      const open = storage.supports.durable ? await reopen() : storage
      checkEqual(await open.head(), 3, 'the head later')
      const { first } = await open.append(batch([record()]))
      check(first === 4, 'a position was assigned twice')
      checkEqual(positionsOf(await readAll(open)), [1, 4], 'the log')
    },
  },
]

async function appendAcross(storage: Storage, collections: readonly string[]): Promise<void> {
  const bytes = new Uint8Array(5)
  await storage.append(batch(collections.map((collection) => record({ collection, bytes }))))
}
