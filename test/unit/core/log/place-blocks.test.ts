import { expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { toHex } from '../../../../src/core/bytes.ts'
import type { Storage } from '../../../../src/core/interfaces/storage.ts'
import type { EventLog } from '../../../../src/core/log/event-log.ts'
import { placesUnder } from '../../../../src/core/log/place-blocks.ts'
import type { CheckedEvent } from '../../../../src/core/log/submission.ts'
import { Author, incoming } from '../../../support/author.ts'
import { openLog } from '../../../support/memory-log.ts'

const ACTOR = 'aaaaaaaaaaaaaaaa'

const remote = (...events: readonly CheckedEvent[]) =>
  ({
    type: 'remote',
    from: 'peer',
    entries: events.map((event) => incoming('d', event)),
    peer: undefined,
    check: () => undefined,
  }) as const

const written = (author: Author, count: number): readonly CheckedEvent[] =>
  Array.from({ length: count }, (_, index) => author.set('a', index))

/** What the keys of places say, without the part that is the same in all. */
async function keys(storage: Storage): Promise<readonly string[]> {
  const found: string[] = []
  for await (const { key } of storage.scan(`q/d\0${ACTOR}/`)) {
    found.push(key.slice(key.indexOf('/', 2) + 1))
  }
  return found.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
}

async function placesIn(storage: Storage): Promise<Map<number, string>> {
  const places = new Map<number, string>()
  for await (const { key, value } of storage.scan('q/d\0')) {
    for (const { sequence, hash } of placesUnder('d', key, value)) places.set(sequence, hash)
  }
  return places
}

/** A log of 40 events that came at once, opened again. */
async function logOf40(): Promise<{
  log: EventLog
  medium: MemoryMedium
  storage: Storage
  events: readonly CheckedEvent[]
}> {
  const medium = new MemoryMedium()
  const events = written(new Author(), 40)
  const first = await openLog({ storage: memoryStorage({ medium }) })
  await first.commit(remote(...events))
  await first.close()
  const storage = memoryStorage({ medium })
  return { log: await openLog({ storage }), medium, storage, events }
}

const refuse = (log: EventLog, { header }: CheckedEvent) =>
  log.commit({
    type: 'reject',
    peer: 'cloud',
    atMs: 1,
    rejects: [
      { document: 'd', kind: 'event', hash: header.hash, code: 'ACCESS_DENIED', message: 'no' },
    ],
  })

const singles = (first: number, last: number): readonly string[] =>
  Array.from({ length: last - first + 1 }, (_, index) => `${first + index}`)

test('places that are taken together share a key, and say what stands there after a restart', async () => {
  const { log, storage, events } = await logOf40()
  expect(await keys(storage)).toEqual(['1-16', '17-32', ...singles(33, 40)])
  expect([...(await placesIn(storage)).values()].sort()).toEqual(
    events.map(({ header }) => header.hash).sort(),
  )
  await log.commit(remote(...events))
  expect(log.head).toBe(40)
  const twin = new Author(ACTOR)
  const twins = Array.from({ length: 40 }, (_, index) => twin.set('a', -1 - index))
  const { rejects } = await log.commit(remote(...twins))
  expect(rejects.map(({ code }) => code)).toEqual(twins.map(() => 'ACCESS_EQUIVOCATION'))
  expect(log.head).toBe(40)
})

test('a block of which a place was taken before is not written', async () => {
  const storage = memoryStorage({ medium: new MemoryMedium() })
  const events = written(new Author(), 32)
  const log = await openLog({ storage })
  await log.commit(remote(...events.slice(4, 5)))
  await log.commit(remote(...events))
  expect(await keys(storage)).toEqual([...singles(1, 16), '17-32'])
})

test('what is left of a block stands alone when a place of it is free again', async () => {
  const { log, storage, events } = await logOf40()
  await refuse(log, events[19] as CheckedEvent)
  expect(await keys(storage)).toEqual(['1-16', ...singles(17, 19)])
  await log.commit(remote(...events))
  expect(await keys(storage)).toEqual(['1-16', ...singles(17, 40)])
  expect((await placesIn(storage)).size).toBe(40)
  const counting = (await log.readDocument('d')).map(({ hash }) => hash)
  expect(counting).toEqual(events.map(({ header }) => header.hash))
})

test('a block that was given up as a whole may be written again', async () => {
  const { log, storage, events } = await logOf40()
  await refuse(log, events[16] as CheckedEvent)
  expect(await keys(storage)).toEqual(['1-16'])
  await log.commit(remote(...events))
  expect(await keys(storage)).toEqual(['1-16', '17-32', ...singles(33, 40)])
})

test('a place of a block that is lost with its event is free for it, and the others stay taken', async () => {
  const { log, medium, storage, events } = await logOf40()
  medium.corrupt(5)
  const damage = await log.repairs.repair('d', 1)
  const lost = events[4]?.header.hash
  expect(damage).toMatchObject({ positions: [5], lost: [lost] })
  const left = [...singles(1, 4), ...singles(6, 16), '17-32', ...singles(33, 40)]
  expect(await keys(storage)).toEqual(left)
  await log.commit(remote(...events))
  expect([log.head, (await placesIn(storage)).get(5)]).toEqual([41, lost])
  for await (const _ of log.repairs.known()) throw new Error('nothing is lost any more')
})

test('a value that is not one hash for each place is told of', () => {
  const hash = new Uint8Array(32).fill(7)
  expect(placesUnder('d', `q/d\0${ACTOR}/3`, hash)).toEqual([
    { actor: ACTOR, sequence: 3, hash: toHex(hash) },
  ])
  for (const range of ['1-16', 'x', ''])
    expect(() => placesUnder('d', `q/d\0${ACTOR}/${range}`, hash)).toThrow('cannot be read')
})
