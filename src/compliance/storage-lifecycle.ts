import type { Storage } from '../core/interfaces/storage.ts'
import { check, checkCode, checkEqual, isSettled, rejectionOf, within } from './check.ts'
import {
  BYTES_MAX,
  batch,
  positionsOf,
  readAll,
  record,
  type StorageCheck,
} from './storage-fixture.ts'

/** What opening, closing, crashing and damage mean for a Storage. */
export const lifecycleChecks: readonly StorageCheck[] = [
  {
    name: 'after close every call is refused with a UsageError',
    async run({ storage, deadlineMs }) {
      await storage.close()
      const calls: readonly [string, () => Promise<unknown>][] = [
        ['append', () => storage.append(batch([record()]))],
        ['head', () => storage.head()],
        ['read', () => storage.read({ after: 0, bytesMax: 1 })],
        ['get', () => storage.get(['k'])],
        ['scan', () => firstOf(storage)],
        ['drop', () => storage.drop([1])],
      ]
      for (const [name, call] of calls) {
        const error = await rejectionOf(call(), deadlineMs, `${name} after close`)
        checkCode(error, 'USAGE_CLOSED', `${name} after close`)
      }
    },
  },
  {
    name: 'close is idempotent',
    async run({ storage, deadlineMs }) {
      await within(
        Promise.all([storage.close(), storage.close()]),
        deadlineMs,
        'two closes at once',
      )
      await within(storage.close(), deadlineMs, 'a third close')
    },
  },
  {
    name: 'close waits for what is under way',
    async run({ storage, reopen, deadlineMs }) {
      const appends = Array.from({ length: 10 }, () => storage.append(batch([record()])))
      const all = Promise.allSettled([...appends, storage.drop([3])])
      await within(storage.close(), deadlineMs, 'the close')
      check(await isSettled(all, 0), 'close resolved before a call that came before it')
      for (const { status } of await all) checkEqual(status, 'fulfilled', 'a call before close')
      if (!storage.supports.durable) return
      const reopened = await reopen()
      checkEqual(positionsOf(await readAll(reopened)), [1, 2, 4, 5, 6, 7, 8, 9, 10], 'the log')
    },
  },
  {
    name: 'a second opener gets StorageLockedError until the first has closed',
    when: ({ shared }) => !shared,
    async run({ place, storage, deadlineMs, reopen }) {
      const second = place.open().then(async (opened) => {
        await opened.close()
      })
      const error = await rejectionOf(second, deadlineMs, 'a second opener')
      checkCode(error, 'STORAGE_LOCKED', 'a second opener')
      checkEqual(
        await storage.append(batch([record()])),
        { first: 1, head: 1 },
        'an append by the first opener after that',
      )
      const reopened = await within(reopen(), deadlineMs, 'opening after the close')
      await reopened.append(batch([record()]))
    },
  },
  {
    name: 'what was appended is there when the storage is opened again',
    when: ({ durable }) => durable,
    async run({ storage, reopen }) {
      await fill(storage)
      await checkFilled(await reopen())
      await checkFilled(await reopen())
    },
  },
  {
    name: 'a resolved append survives a crash of the process',
    when: ({ durable }, place) => durable && place.crash !== undefined,
    async run({ storage, crash }) {
      await fill(storage)
      const reopened = await crash()
      await checkFilled(reopened)
      checkEqual((await reopened.append(batch([record()]))).first, 7, 'the next position')
    },
  },
  {
    name: 'a record that is damaged at rest is reported, never skipped',
    when: ({ durable }, place) => durable && place.corrupt !== undefined,
    async run({ storage, place, reopen, deadlineMs }) {
      const documents = ['x', 'y', 'x', 'x']
      await storage.append(batch(documents.map((document) => record({ document }))))
      const damaged = await reopen(async () => place.corrupt?.(3))
      const after = 0
      const bytesMax = BYTES_MAX
      const reads: readonly [string, () => Promise<unknown>][] = [
        ['the log', () => damaged.read({ after, bytesMax })],
        ['the collection', () => damaged.read({ after, bytesMax, collections: ['c'] })],
        ['the document', () => damaged.read({ after, bytesMax, document: 'x' })],
      ]
      for (const [what, read] of reads) {
        const error = await rejectionOf(read(), deadlineMs, `reading ${what} with a damaged record`)
        checkCode(error, 'STORAGE_CORRUPT', `reading ${what} with a damaged record`)
        checkEqual(fieldOf(error, 'position'), 3, 'the position that the error names')
      }
      const intact = await readAll(damaged, { upTo: 2 })
      checkEqual(positionsOf(intact), [1, 2], 'the records before it')
      const rest = await readAll(damaged, { after: 3 })
      checkEqual(positionsOf(rest), [4], 'the records behind it')
    },
  },
  {
    name: 'a damaged record can be dropped, and reads are whole again',
    when: ({ durable }, place) => durable && place.corrupt !== undefined,
    async run({ storage, place, reopen, deadlineMs }) {
      const documents = ['x', 'y', 'x', 'x']
      await storage.append(batch(documents.map((document) => record({ document }))))
      const damaged = await reopen(async () => place.corrupt?.(3))
      await within(damaged.drop([3]), deadlineMs, 'dropping a damaged record')
      await checkWhole(damaged)
      await checkWhole(await reopen())
    },
  },
]

async function checkWhole(storage: Storage): Promise<void> {
  checkEqual(positionsOf(await readAll(storage)), [1, 2, 4], 'the log')
  const collection = await readAll(storage, { collections: ['c'] })
  checkEqual(positionsOf(collection), [1, 2, 4], 'the collection')
  checkEqual(positionsOf(await readAll(storage, { document: 'x' })), [1, 4], 'the document')
  checkEqual(await storage.head(), 4, 'the head')
}

async function fill(storage: Storage): Promise<void> {
  await storage.append(batch([record(), record({ document: 'e' })], [keyed('a', 1), keyed('b', 1)]))
  await storage.append(batch([record(), record({ collection: 'f' })], [keyed('a', 2)]))
  await storage.append(batch([record()], [{ key: 'b', value: undefined }]))
  await storage.append(batch([record({ collection: 'f' })]))
  await storage.drop([3])
}

async function checkFilled(storage: Storage): Promise<void> {
  checkEqual(await storage.head(), 6, 'the head')
  checkEqual(positionsOf(await readAll(storage)), [1, 2, 4, 5, 6], 'the log')
  checkEqual(positionsOf(await readAll(storage, { collections: ['f'] })), [4, 6], 'collection f')
  checkEqual(positionsOf(await readAll(storage, { document: 'e' })), [2], 'document e')
  checkEqual(await storage.get(['a', 'b']), [Uint8Array.of(2), undefined], 'the values')
}

function keyed(key: string, value: number): { key: string; value: Uint8Array } {
  return { key, value: Uint8Array.of(value) }
}

async function firstOf(storage: Storage): Promise<unknown> {
  for await (const entry of storage.scan('')) return entry
  return undefined
}

function fieldOf(error: unknown, field: string): unknown {
  if (typeof error !== 'object' || error === null || !('fields' in error)) return undefined
  const { fields } = error
  return typeof fields === 'object' && fields !== null ? Reflect.get(fields, field) : undefined
}
