import { expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import type { Storage } from '../../../../src/core/interfaces/storage.ts'
import type { EventLog } from '../../../../src/core/log/event-log.ts'
import type { CheckedEvent } from '../../../../src/core/log/submission.ts'
import { Author, incoming } from '../../../support/author.ts'
import { openLog } from '../../../support/memory-log.ts'

const remote = (...events: readonly CheckedEvent[]) =>
  ({
    type: 'remote',
    from: 'peer',
    entries: events.map((event) => incoming('d', event)),
    peer: undefined,
    check: () => undefined,
  }) as const

/** A storage, and how often it was asked what stands at places. */
function counted(medium: MemoryMedium): { storage: Storage; looks: () => number } {
  const storage = memoryStorage({ medium })
  let looks = 0
  const get: Storage['get'] = (keys) => {
    if (keys.some((key) => key.startsWith('q/'))) looks += 1
    return storage.get(keys)
  }
  const scan: Storage['scan'] = (prefix, range) => {
    if (prefix.startsWith('q/')) looks += 1
    return storage.scan(prefix, range)
  }
  const asked = new Proxy(storage, {
    get: (target, name) => {
      if (name === 'get') return get
      if (name === 'scan') return scan
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { storage: asked, looks: () => looks }
}

async function commitEach(log: EventLog, events: readonly CheckedEvent[]): Promise<void> {
  for (const event of events) await log.commit(remote(event))
}

test('of a document that began here, no look is needed to know that an event is new', async () => {
  const { storage, looks } = counted(new MemoryMedium())
  const log = await openLog({ storage })
  const author = new Author()
  const events = Array.from({ length: 20 }, (_, index) => author.set('a', index))
  await commitEach(log, events)
  await commitEach(log, events.slice(-1))
  expect(looks()).toBe(0)
  await commitEach(log, events)
  expect(looks()).toBe(19)
  expect(log.head).toBe(20)
})

test('a log that is opened again looks once', async () => {
  const medium = new MemoryMedium()
  const author = new Author()
  const other = author.fork('bbbbbbbbbbbbbbbb')
  const first = await openLog({ storage: memoryStorage({ medium }) })
  await commitEach(first, [author.set('a', 1), author.set('a', 2), other.set('b', 1)])
  await first.close()
  const { storage, looks } = counted(medium)
  const log = await openLog({ storage })
  await commitEach(log, [author.set('a', 3), other.set('b', 2), author.set('a', 4)])
  expect([looks(), log.head]).toEqual([1, 6])
})

test('a second event at a place is refused, also at the newest and after a restart', async () => {
  const medium = new MemoryMedium()
  const author = new Author()
  const twin = new Author()
  const honest = [author.set('a', 1), author.set('a', 2)]
  const twins = [twin.set('a', 3), twin.set('a', 4)]
  const denied = { rejects: [{ code: 'ACCESS_EQUIVOCATION' }, { code: 'ACCESS_EQUIVOCATION' }] }
  const first = await openLog({ storage: memoryStorage({ medium }) })
  await commitEach(first, honest)
  expect(await first.commit(remote(...twins))).toMatchObject(denied)
  await first.close()
  const log = await openLog({ storage: memoryStorage({ medium }) })
  expect(await log.commit(remote(...twins))).toMatchObject(denied)
  expect(log.head).toBe(2)
})

test('events that come before earlier ones leave the earlier places free', async () => {
  const author = new Author()
  const events = Array.from({ length: 5 }, (_, index) => author.set('a', index))
  const log = await openLog()
  await commitEach(log, [...events].reverse())
  expect(log.head).toBe(5)
  await commitEach(log, events)
  expect(log.head).toBe(5)
})

test('the place of a refused event is free for it again', async () => {
  const log = await openLog()
  const author = new Author()
  const [good, bad] = [author.set('a', 1), author.set('a', 2)]
  await commitEach(log, [good, bad])
  const rejects = [
    {
      document: 'd',
      kind: 'event',
      hash: bad.header.hash,
      code: 'ACCESS_DENIED',
      message: 'no',
    } as const,
  ]
  await log.commit({ type: 'reject', peer: 'cloud', rejects, atMs: 1 })
  await commitEach(log, [bad])
  const hashes = (await log.readDocument('d')).map(({ hash }) => hash)
  expect(hashes).toEqual([good.header.hash, bad.header.hash])
})

test('a document with many places, and one with many writers, are looked up each time', async () => {
  const medium = new MemoryMedium()
  const author = new Author()
  const events = Array.from({ length: 300 }, (_, index) => author.set('a', index))
  const first = await openLog({ storage: memoryStorage({ medium }) })
  await commitEach(first, events)
  await first.close()
  const { storage, looks } = counted(medium)
  const log = await openLog({ storage })
  await commitEach(log, [author.set('a', 300), author.set('a', 301)])
  expect([looks(), log.head]).toEqual([3, 302])
  for (let index = 0; index < 70; index += 1) {
    const actor = `cccccccccccc${index.toString(16).padStart(4, '0')}`
    await commitEach(log, [new Author(actor).set('b', index)])
  }
  expect(log.head).toBe(372)
})
