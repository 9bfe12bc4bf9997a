import type { Appended } from '../core/interfaces/storage.ts'
import { check, checkCode, checkEqual, patternBytes, rejectionOf, within } from './check.ts'
import { batch, positionsOf, readAll, record, type StorageCheck } from './storage-fixture.ts'

const COUNT = 40

/** What {@link Storage.append} promises. */
export const appendChecks: readonly StorageCheck[] = [
  {
    name: 'positions start at 1 and follow without a gap',
    async run({ storage }) {
      checkEqual(await storage.head(), 0, 'the head of an empty log')
      const first = await storage.append(batch([record(), record()]))
      checkEqual(whereOf(first), { first: 1, head: 2 }, 'the first append')
      const second = await storage.append(batch([record()]))
      checkEqual(whereOf(second), { first: 3, head: 3 }, 'the second')
      checkEqual(await storage.head(), 3, 'the head')
      checkEqual(positionsOf(await readAll(storage)), [1, 2, 3], 'the positions read')
    },
  },
  {
    name: 'a batch of puts alone leaves the head unchanged',
    async run({ storage }) {
      await storage.append(batch([record()]))
      const put = { key: 'k', value: Uint8Array.of(1) }
      const { head } = await storage.append(batch([], [put]))
      checkEqual(head, 1, 'the head that the append resolves with')
      checkEqual(await storage.head(), 1, 'the head')
    },
  },
  {
    name: 'appends are applied in the order of the calls',
    async run({ storage, deadlineMs }) {
      const calls = Array.from({ length: COUNT }, (_, index) =>
        storage.append(batch([record({ bytes: patternBytes(index, 8) })])),
      )
      const appended = await within(Promise.all(calls), deadlineMs, 'concurrent appends')
      checkEqual(
        appended.map(({ first }) => first),
        calls.map((_, index) => index + 1),
        'the positions of concurrent appends',
      )
      checkEqual(
        (await readAll(storage)).map(({ bytes }) => bytes),
        calls.map((_, index) => patternBytes(index, 8)),
        'the records in order of position',
      )
    },
  },
  {
    name: 'an append is one atomic step',
    async run({ storage, deadlineMs }) {
      const records = Array.from({ length: COUNT }, () => record())
      let isDone = false
      const settled = Promise.allSettled([storage.append(batch(records))]).finally(() => {
        isDone = true
      })
      // Whoever reads meanwhile sees none of it or all of it.
      while (!isDone) {
        const seen = (await storage.read({ after: 0, bytesMax: 1_000_000 })).records.length
        check(seen === 0 || seen === COUNT, 'a read saw part of an append')
        await new Promise((resolve) => setTimeout(resolve))
      }
      const [outcome] = await within(settled, deadlineMs, 'the append')
      checkEqual(outcome.status, 'fulfilled', 'the append')
      const both = [record({ document: 'x' }), record({ document: 'x' })]
      const calls = [storage.append(batch(both)), storage.append(batch(both))]
      const appended = await within(Promise.all(calls), deadlineMs, 'concurrent appends')
      checkEqual(
        appended.map(whereOf),
        [
          { first: COUNT + 1, head: COUNT + 2 },
          { first: COUNT + 3, head: COUNT + 4 },
        ],
        'the places of two concurrent batches',
      )
    },
  },
  {
    name: 'records come back as they were appended',
    async run({ storage }) {
      const shared = patternBytes(1, 100)
      const records = [
        record({ bytes: new Uint8Array(0) }),
        record({ bytes: shared.subarray(10, 20), document: 'e', collection: 'f' }),
        record({ document: 'größe/世界/🚢', collection: 'ñ/🌊', bytes: patternBytes(2, 300) }),
        record({ document: 'd'.repeat(512), collection: 'c'.repeat(256) }),
      ]
      await storage.append(batch(records))
      checkEqual(
        await readAll(storage),
        records.map((each, index) => ({ position: index + 1, ...ordered(each) })),
        'the records read',
      )
    },
  },
  {
    name: 'a record of 1 MiB comes back whole',
    async run({ storage }) {
      const bytes = patternBytes(7, 1_024 * 1_024)
      await storage.append(batch([record({ bytes })]))
      const [found] = await readAll(storage)
      checkEqual(found?.bytes.length, bytes.length, 'the length')
      check(
        found?.bytes.every((byte, index) => byte === bytes[index]),
        'a byte differs',
      )
    },
  },
  {
    name: 'bytes passed in belong to the storage until the call settles, and not after',
    async run({ storage }) {
      const bytes = patternBytes(3, 16)
      const value = patternBytes(4, 16)
      await storage.append(batch([record({ bytes })], [{ key: 'k', value }]))
      bytes.fill(0)
      value.fill(0)
      checkEqual((await readAll(storage))[0]?.bytes, patternBytes(3, 16), 'the record')
      checkEqual((await storage.get(['k']))[0], patternBytes(4, 16), 'the value')
    },
  },
  {
    name: 'expectedHead lets an append through only when it is the head',
    async run({ storage, deadlineMs }) {
      await storage.append({ ...batch([record()]), expectedHead: 0 })
      const puts = [{ key: 'k', value: Uint8Array.of(1) }]
      const late = storage.append({ ...batch([record()], puts), expectedHead: 0 })
      const error = await rejectionOf(late, deadlineMs, 'an append with another head than expected')
      checkCode(error, 'STORAGE_CONFLICT', 'the conflict')
      checkEqual(await storage.head(), 1, 'the head after a conflict')
      checkEqual((await storage.get(['k']))[0], undefined, 'the put of a conflict')
      const appended = await storage.append({ ...batch([record()]), expectedHead: 1 })
      checkEqual(whereOf(appended), { first: 2, head: 2 }, 'the append that expects the right head')
    },
  },
  {
    name: 'of two appends that expect the same head, the first one called wins',
    async run({ storage, deadlineMs }) {
      const conditional = { ...batch([record()]), expectedHead: 0 }
      const calls = [storage.append(conditional), storage.append(conditional)]
      const settled = await within(Promise.allSettled(calls), deadlineMs, 'the appends')
      checkEqual(
        settled.map(({ status }) => status),
        ['fulfilled', 'rejected'],
        'who wins',
      )
      checkEqual(await storage.head(), 1, 'the head')
    },
  },
  {
    name: 'an append that the medium refuses writes nothing, and later ones go on',
    when: (_supports, place) => place.refuse !== undefined,
    async run({ storage, place, deadlineMs }) {
      await storage.append(batch([record()]))
      const accept = await place.refuse?.()
      const puts = [{ key: 'k', value: Uint8Array.of(1) }]
      const refused = storage.append(batch([record()], puts))
      const error = await rejectionOf(refused, deadlineMs, 'an append to a medium that refuses')
      checkCode(error, 'STORAGE_UNAVAILABLE', 'the refusal')
      checkEqual(positionsOf(await readAll(storage)), [1], 'what is there meanwhile')
      await accept?.()
      const next = await within(storage.append(batch([record()])), deadlineMs, 'the next append')
      checkEqual(whereOf(next), { first: 2, head: 2 }, 'the append after the refusal')
      checkEqual((await storage.get(['k']))[0], undefined, 'the put of the refused append')
    },
  },
]

function whereOf({ first, head }: Appended): Appended {
  return { first, head }
}

// The same order of properties as in StoredRecord, for the comparison.
function ordered(each: ReturnType<typeof record>): ReturnType<typeof record> {
  return { document: each.document, collection: each.collection, bytes: each.bytes }
}
