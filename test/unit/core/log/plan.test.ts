import { expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import type { Storage } from '../../../../src/core/interfaces/storage.ts'
import { packEvents, unpackEvents } from '../../../../src/core/log/entry.ts'
import type { EventLog } from '../../../../src/core/log/event-log.ts'
import { laterEvents } from '../../../../src/core/log/lineage.ts'
import type { CheckedEvent, IncomingEntry } from '../../../../src/core/log/submission.ts'
import { Author, incoming, incomingMark } from '../../../support/author.ts'
import { openLog } from '../../../support/memory-log.ts'

const remote = (...entries: readonly IncomingEntry[]) =>
  ({ type: 'remote', from: 'peer', entries, peer: undefined, check: () => undefined }) as const
const local = (document: string, events: readonly CheckedEvent[], collection = 'c') =>
  ({ type: 'local', document, collection, events }) as const

function join(document: string, events: readonly CheckedEvent[], collection: string) {
  const bytes = packEvents(events.map((event) => event.bytes))
  return { wire: { kind: 'join', document, collection, generation: 1, bytes }, events } as const
}

async function sum(log: EventLog, collection = 'c'): Promise<bigint> {
  return (await log.digest([collection])).sum
}

async function hashes(log: EventLog, document = 'd'): Promise<readonly (string | undefined)[]> {
  const entries = await log.readDocument(document)
  return entries.filter((entry) => entry.kind === 'event').map((entry) => entry.hash)
}

async function rejected(log: EventLog): Promise<readonly { readonly bytes: Uint8Array }[]> {
  const all: { readonly bytes: Uint8Array }[] = []
  for await (const record of log.rejected()) all.push(record)
  return all
}

test('an event and the leave of its document in one page leave no trace', async () => {
  const log = await openLog()
  const author = new Author()
  await log.commit(remote(incoming('d', author.set('a', 1))))
  await log.commit(remote(incoming('d', author.set('a', 2)), incomingMark('d', 'leave')))
  expect(await sum(log)).toBe(0n)
  const page = await log.read({ after: 0, document: 'd', bytesMax: 1 << 20 })
  expect(page.entries.map((entry) => entry.kind)).toEqual(['leave'])
})

test('an event and a join in one page: the event goes along', async () => {
  const [log, other] = await Promise.all([openLog(), openLog()])
  const author = new Author()
  const [one, two] = [author.set('a', 1), author.set('a', 2)]
  await log.commit(remote(incoming('d', one, 'old')))
  await log.commit(remote(incoming('d', two, 'old'), join('d', [one, two], 'new')))
  await other.commit(local('d', [one, two], 'new'))
  expect(await sum(log, 'old')).toBe(0n)
  expect(await sum(log, 'new')).toBe(await sum(other, 'new'))
})

test('a document that left and came back in one page is whole', async () => {
  const [log, other] = await Promise.all([openLog(), openLog()])
  const author = new Author()
  const events = [author.set('a', 1), author.set('a', 2)]
  await log.commit(remote(...events.map((event) => incoming('d', event))))
  await log.commit(remote(incomingMark('d', 'leave'), join('d', events, 'c')))
  await other.commit(local('d', events))
  expect(await hashes(log)).toEqual(events.map((event) => event.header.hash))
  expect(await sum(log)).toBe(await sum(other))
  await log.commit(remote(incomingMark('d', 'leave')))
  expect(await sum(log)).toBe(0n)
})

test('entries that could not be dropped do not come back with the document', async () => {
  const storage = undroppable(memoryStorage({ medium: new MemoryMedium() }))
  const log = await openLog({ storage })
  const events = [new Author().set('a', 1)]
  const heard: string[] = []
  log.onAppended((entries) => heard.push(...entries.map((entry) => entry.kind)))
  await log.commit(local('d', events))
  await log.commit(remote(incomingMark('d', 'leave')))
  expect(heard).toEqual(['event', 'leave'])
  expect(await log.readDocument('d')).toEqual([])
  await log.commit(remote(join('d', events, 'c')))
  expect(await hashes(log)).toEqual([events[0]?.header.hash])
  await log.commit(remote(incomingMark('d', 'leave')))
  expect(await sum(log)).toBe(0n)
})

test('an edit that a peer lacks when its document leaves is set aside, and comes back with it', async () => {
  const log = await openLog()
  const author = new Author()
  const [known, unknown] = [author.set('a', 1), author.set('a', 2)]
  const peer = { replica: 'peer', epoch: undefined, cursor: 0, acked: 1, complete: ['c'] }
  await log.commit(local('d', [known]))
  await log.commit(local('d', [unknown]))
  await log.commit({ ...remote(incomingMark('d', 'leave')), peer, atMs: 7 })
  const aside = await rejected(log)
  expect(aside).toMatchObject([{ document: 'd', hash: unknown.header.hash, peer: 'peer', atMs: 7 }])
  expect(aside[0]?.bytes).toEqual(unknown.bytes)
  await log.commit(remote(join('d', [known, unknown], 'c')))
  expect(await rejected(log)).toEqual([])
  expect(await hashes(log)).toEqual([known, unknown].map(({ header }) => header.hash))
})

test('an edit that a peer brought and may have lost since is set aside when its document leaves', async () => {
  const author = new Author()
  const [before, after] = [author.set('a', 1), author.set('a', 2)]
  const asideOf = async (doubted?: number): Promise<readonly unknown[]> => {
    const log = await openLog()
    await log.commit({ ...remote(incoming('d', before)), from: 'peer' })
    await log.commit({ ...remote(incoming('d', after)), from: 'peer' })
    const known = { replica: 'peer', epoch: 'e'.repeat(16), cursor: 0, acked: 2 }
    const peer = { ...known, complete: ['c'], doubted }
    await log.commit({ ...remote(incomingMark('d', 'leave')), from: 'peer', peer })
    return await rejected(log)
  }
  // It goes on under another epoch since the first of the two, and the logs were not found equal yet.
  expect(await asideOf(1)).toMatchObject([{ hash: before.header.hash }])
  expect(await asideOf()).toEqual([])
})

test('an edit that a peer refused is set aside when its document leaves', async () => {
  const log = await openLog()
  const author = new Author()
  const [known, refused] = [author.set('a', 1), author.set('a', 2)]
  const peer = { replica: 'peer', epoch: undefined, cursor: 0, acked: 2, complete: ['c'] }
  await log.commit(local('d', [known, refused]))
  const leave = remote(incomingMark('d', 'leave'))
  await log.commit({ ...leave, peer, refused: () => [refused.header.hash] })
  expect(await rejected(log)).toMatchObject([{ document: 'd', hash: refused.header.hash }])
})

test('what comes late for a document that left is refused and leaves no trace', async () => {
  const log = await openLog()
  const author = new Author()
  const [early, late] = [author.set('a', 1), author.set('a', 2)]
  await log.commit(remote(incoming('d', early), incomingMark('d', 'leave')))
  const { rejects } = await log.commit(remote(incoming('d', late), incomingMark('d', 'tombstone')))
  expect(rejects).toMatchObject([
    { document: 'd', hash: late.header.hash, code: 'DOCUMENT_DELETED' },
    { document: 'd', hash: undefined, code: 'DOCUMENT_DELETED' },
  ])
  expect(await log.record('d')).toMatchObject({ left: true, deleted: false })
  expect(await sum(log)).toBe(0n)
})

test('two refusals in one message take each event off the digest once', async () => {
  const log = await openLog()
  const author = new Author()
  const [good, bad, child] = [author.set('a', 1), author.set('a', 2), author.set('a', 3)]
  await log.commit(local('d', [good]))
  const before = await sum(log)
  await log.commit(local('d', [bad, child]))
  const rejects = [bad, child].map((event) => ({
    document: 'd',
    kind: 'event' as const,
    hash: event.header.hash,
    code: 'ACCESS_DENIED' as const,
    message: 'no',
  }))
  await log.commit({ type: 'reject', peer: 'cloud', rejects, atMs: 1 })
  expect(await sum(log)).toBe(before)
  expect(await log.record('d')).toMatchObject({ fork: 1 })
  const page = await log.read({ after: 0, document: 'd', bytesMax: 1 << 20 })
  expect(page.entries.map((entry) => entry.hash)).toEqual([good.header.hash])
})

test('what builds on a refused event is refused also when it stands before it', async () => {
  const log = await openLog()
  const author = new Author()
  const [bad, child] = [author.set('a', 1), author.set('a', 2)]
  await log.commit(remote(incoming('d', child), incoming('d', bad)))
  const reject = {
    document: 'd',
    kind: 'event',
    hash: bad.header.hash,
    code: 'ACCESS_DENIED',
    message: 'no',
  } as const
  await log.commit({ type: 'reject', peer: 'cloud', rejects: [reject], atMs: 1 })
  expect(await sum(log)).toBe(0n)
  expect(await hashes(log)).toEqual([])
})

test('a document that joins another collection is said to leave the one that it had', async () => {
  const log = await openLog()
  const events = [new Author().set('a', 1)]
  await log.commit(remote(...events.map((event) => incoming('d', event, 'old'))))
  await log.commit(remote(join('d', events, 'new'), incomingMark('d', 'leave', 'old')))
  const { entries } = await log.read({ after: 0, document: 'd', bytesMax: 1 << 20 })
  expect(entries.map(({ kind, collection }) => `${kind} ${collection}`)).toEqual([
    'event old',
    'join new',
    'leave old',
  ])
  expect(await log.record('d')).toMatchObject({ collection: 'new', left: false })
})

test('the tombstone of a document counts where the document is at home', async () => {
  const log = await openLog()
  const events = [new Author().set('a', 1)]
  await log.commit(local('d', events, 'old'))
  await log.commit({ type: 'delete', document: 'd' })
  await log.commit(remote(join('d', events, 'new')))
  expect(await sum(log, 'old')).toBe(0n)
  await log.commit(remote(incomingMark('d', 'leave', 'new')))
  expect(await sum(log, 'new')).toBe(0n)
})

test('a deleted document does not move', async () => {
  const log = await openLog()
  await log.commit(local('d', [new Author().set('a', 1)], 'old'))
  await log.commit({ type: 'delete', document: 'd' })
  await log.commit({ type: 'move', document: 'd', to: 'new' })
  expect(await log.record('d')).toMatchObject({ collection: 'old', deleted: true })
})

test('an edit that builds on one that was never stored is refused, and others are not', async () => {
  const log = await openLog()
  const author = new Author()
  author.set('a', 1)
  const orphan = log.commit(local('d', [author.set('a', 2)]))
  const other = log.commit(local('e', [new Author('bbbbbbbbbbbbbbbb').set('a', 1)]))
  await expect(orphan).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  await other
  expect(log.head).toBe(1)
})

test('an edit at a place where another event of ours stands is refused, not lost in silence', async () => {
  const log = await openLog()
  await log.commit(remote(incoming('d', new Author().set('a', 1))))
  const again = log.commit(local('d', [new Author().set('a', 2)]))
  await expect(again).rejects.toMatchObject({ code: 'ACCESS_EQUIVOCATION' })
  expect(log.head).toBe(1)
})

test('a failed append rejects what builds on it, and lets the rest through', async () => {
  let failures = 1
  const storage = memoryStorage({
    medium: new MemoryMedium(),
    sync: () =>
      log === undefined || failures-- <= 0 ? Promise.resolve() : Promise.reject(new Error('full')),
  })
  let log: EventLog | undefined
  log = await openLog({ storage })
  const author = new Author()
  const peer = { replica: 'peer', epoch: undefined, cursor: 2, acked: 0, complete: [] }
  const first = log.commit(local('d', [author.set('a', 1)]))
  const page = log.commit(remote(incoming('x', new Author('cccccccccccccccc').set('a', 1))))
  await Promise.resolve()
  await Promise.resolve()
  const second = log.commit(local('d', [author.set('a', 2)]))
  const cursor = log.commit({ ...remote(), peer })
  const other = log.commit(local('e', [new Author('bbbbbbbbbbbbbbbb').set('a', 1)]))
  const results = await Promise.allSettled([first, page, second, cursor, other])
  expect(results.map(({ status }) => status)).toEqual([
    'rejected',
    'rejected',
    'rejected',
    'rejected',
    'fulfilled',
  ])
  expect(log.peer('peer')).toBeUndefined()
})

test('a listener that throws harms neither the append nor the other listeners', async () => {
  const log = await openLog()
  const heard: number[] = []
  log.onAppended(() => {
    throw new Error('not ours')
  })
  log.onAppended((_entries, head) => heard.push(head))
  await log.commit(local('d', [new Author().set('a', 1)]))
  expect(heard).toEqual([1])
})

test('a barrier that throws at once rejects, and the log goes on', async () => {
  const log = await openLog()
  const failing = log.barrier(() => {
    throw new Error('at once')
  })
  await expect(failing).rejects.toThrow('at once')
  await log.commit(local('d', [new Author().set('a', 1)]))
  expect(log.head).toBe(1)
})

test('the record of a document is known to a plan however many others are asked for', async () => {
  const storage = slowReads(memoryStorage({ medium: new MemoryMedium() }))
  const log = await openLog({ storage, recordsMax: 2 })
  const author = new Author()
  await log.commit(local('d', [author.set('a', 1)], 'home'))
  await log.commit({ type: 'delete', document: 'd' })
  const late = log.commit(remote(incoming('d', author.set('a', 2), 'home')))
  await Promise.all(Array.from({ length: 20 }, (_, index) => log.record(`other ${index}`)))
  await late
  expect(await log.record('d')).toMatchObject({ deleted: true, entries: 3, collection: 'home' })
})

function undroppable(storage: Storage): Storage {
  return Object.assign(storage, { drop: () => Promise.reject(new Error('read only')) })
}

/** Reads of several keys take a few turns, so that others come in between. */
function slowReads(storage: Storage): Storage {
  const get = storage.get.bind(storage)
  return Object.assign(storage, {
    get: async (keys: readonly string[]) => {
      const values = await get(keys)
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
      return values
    },
  })
}

/** The same as a join or a leave, with its number. */
function numbered<Entry extends IncomingEntry>(entry: Entry, moves: number): IncomingEntry {
  return { ...entry, wire: { ...entry.wire, moves } }
}

test('a move that another has followed moves nothing back, and what it brings is taken', async () => {
  const log = await openLog()
  const author = new Author()
  const [one, two] = [author.set('a', 1), author.set('a', 2)]
  await log.commit(remote(incoming('d', one, 'first')))
  await log.commit(remote(numbered(join('d', [one], 'third'), 2)))
  await log.commit(
    remote(
      numbered(join('d', [one, two], 'second'), 1),
      numbered(incomingMark('d', 'leave', 'third'), 1),
    ),
  )
  expect(await log.record('d')).toMatchObject({ collection: 'third', left: false, moves: 2 })
  expect(await hashes(log)).toEqual([one, two].map(({ header }) => header.hash))
})

test('a document that left comes back with a later move only', async () => {
  const log = await openLog()
  const one = new Author().set('a', 1)
  await log.commit(remote(incoming('d', one), numbered(incomingMark('d', 'leave'), 3)))
  const { rejects } = await log.commit(remote(numbered(join('d', [one], 'c'), 2)))
  expect(rejects).toMatchObject([{ document: 'd', code: 'DOCUMENT_DELETED' }])
  expect(await log.record('d')).toMatchObject({ left: true, moves: 3 })
  await log.commit(remote(numbered(join('d', [one], 'c'), 4)))
  expect(await log.record('d')).toMatchObject({ left: false, moves: 4 })
})

test('a document that was deleted here comes back deleted, and its end is passed on', async () => {
  const log = await openLog()
  const one = new Author().set('a', 1)
  await log.commit(remote(incoming('d', one)))
  await log.commit({ type: 'delete', document: 'd' })
  await log.commit(remote(incomingMark('d', 'leave')))
  await log.commit(remote(join('d', [one], 'c')))
  expect(await log.record('d')).toMatchObject({ left: false, deleted: true })
  const entries = await log.readDocument('d')
  expect(entries.map(({ kind, from }) => [kind, from])).toEqual([
    ['leave', 'peer'],
    ['join', 'peer'],
    ['event', 'peer'],
    ['tombstone', undefined],
  ])
})

test('of two moves with one number the greater name counts, in whatever order they come', async () => {
  const one = new Author().set('a', 1)
  const moves = ['x', 'y'].map((to) => numbered(join('d', [one], to), 1))
  for (const order of [moves, [...moves].reverse()]) {
    const log = await openLog()
    await log.commit(remote(incoming('d', one)))
    for (const move of order) await log.commit(remote(move))
    expect(await log.record('d')).toMatchObject({ collection: 'y', moves: 1 })
  }
})

test('a join that is followed is passed on with the events that it lacks', async () => {
  const log = await openLog()
  const author = new Author()
  const [one, own] = [author.set('a', 1), author.set('a', 2)]
  await log.commit(remote(incoming('d', one, 'old')))
  await log.commit(local('d', [own], 'old'))
  await log.commit(remote(join('d', [one], 'new')))
  const { entries } = await log.read({ after: 0, collections: ['new'], bytesMax: 1 << 20 })
  expect(unpackEvents(entries[0]?.bytes ?? new Uint8Array(0))).toEqual([one.bytes, own.bytes])
})

test('a document of which every event was refused does not show what a join brought', async () => {
  const log = await openLog()
  const { header, bytes } = new Author().set('a', 1)
  await log.commit(remote(numbered(join('d', [{ header, bytes }], 'c'), 1)))
  const why = { code: 'ACCESS_DENIED', message: 'no' } as const
  const reject = { document: 'd', kind: 'event', hash: header.hash, ...why } as const
  await log.commit({ type: 'reject', peer: 'cloud', rejects: [reject], atMs: 1 })
  expect(laterEvents(await log.readDocument('d'))).toEqual([])
})

test('an event that rots is lost although a join has it too: what counts stands on its own', async () => {
  const medium = new MemoryMedium()
  const author = new Author()
  const [one, two] = [author.set('a', 1), author.set('a', 2)]
  const first = await openLog({ storage: memoryStorage({ medium }), replica: 'here' })
  await first.commit(remote(numbered(join('d', [one], 'c'), 1)))
  await first.close()
  medium.corrupt(2)
  const log = await openLog({ storage: memoryStorage({ medium }), replica: 'here' })
  expect(await log.repairs.repair('d', 0)).toMatchObject({ lost: [one.header.hash] })
  expect(laterEvents(await log.readDocument('d'))).toEqual([])
  expect(await sum(log)).toBe(0n)
  // It comes back as it came first, and what builds on it is not alone.
  await log.commit(remote(incoming('d', one), incoming('d', two)))
  expect(laterEvents(await log.readDocument('d'))).toHaveLength(2)
})
