import { describe, expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { StorageForeignError, UsageError } from '../../../../src/core/errors.ts'
import { unpackEvents } from '../../../../src/core/log/entry.ts'
import type { EventLog } from '../../../../src/core/log/event-log.ts'
import type { CheckedEvent } from '../../../../src/core/log/submission.ts'
import { Author, incoming, incomingMark } from '../../../support/author.ts'
import { openLog } from '../../../support/memory-log.ts'

const allowAll = () => undefined
const remote = (entries: readonly ReturnType<typeof incoming>[], check = allowAll as never) =>
  ({ type: 'remote', from: 'peer', entries, peer: undefined, check }) as const

function local(document: string, events: readonly CheckedEvent[], collection = 'c') {
  return { type: 'local', document, collection, events } as const
}

async function digest(log: EventLog, collection = 'c'): Promise<bigint> {
  return (await log.digest([collection])).sum
}

describe('identity', () => {
  test('an empty storage gets a name and an epoch, and keeps them', async () => {
    const medium = new MemoryMedium()
    const first = await openLog({ storage: memoryStorage({ medium }) })
    const { replica, epoch } = first
    await first.close()
    const second = await openLog({ storage: memoryStorage({ medium }) })
    expect([second.replica, second.epoch]).toEqual([replica, epoch])
    expect(second.actor(0)).toBe(first.actor(0))
    expect(second.actor(1)).not.toBe(first.actor(0))
  })

  test('a storage of another replica is refused', async () => {
    const medium = new MemoryMedium()
    await (await openLog({ storage: memoryStorage({ medium }), replica: 'edge-1' })).close()
    await expect(
      openLog({ storage: memoryStorage({ medium }), replica: 'edge-2' }),
    ).rejects.toThrow(StorageForeignError)
  })
})

describe('appending', () => {
  test('submissions of one turn share one append, and positions follow the calls', async () => {
    let syncs = 0
    const storage = memoryStorage({
      medium: new MemoryMedium(),
      sync: () => {
        syncs += 1
        return Promise.resolve()
      },
    })
    const log = await openLog({ storage })
    const before = syncs
    const authors = Array.from(
      { length: 20 },
      (_, index) => new Author(`aaaaaaaaaaaaaa${(index + 10).toString(16).padStart(2, '0')}`),
    )
    await Promise.all(
      authors.map((author, index) => log.commit(local(`d${index}`, [author.set('k', index)]))),
    )
    expect(syncs - before).toBe(1)
    const page = await log.read({ after: 0, bytesMax: 1 << 20 })
    expect(page.entries.map((entry) => entry.document)).toEqual(
      authors.map((_, index) => `d${index}`),
    )
    expect(page.entries.map((entry) => entry.position)).toEqual(
      authors.map((_, index) => index + 1),
    )
  })

  test('listeners hear of an entry when it is durable, in order', async () => {
    const log = await openLog()
    const heard: number[] = []
    log.onAppended((entries, head) => {
      expect(head).toBe(log.head)
      heard.push(...entries.map((entry) => entry.position))
    })
    const author = new Author()
    await log.commit(local('d', [author.set('a', 1)]))
    await log.commit(local('d', [author.set('a', 2), author.set('a', 3)]))
    expect(heard).toEqual([1, 2, 3])
  })

  test('a failed append rejects what waits behind it, writes nothing, and the log goes on', async () => {
    let fail = false
    const sync = () => (fail ? Promise.reject(new Error('disk full')) : Promise.resolve())
    const log = await openLog({ storage: memoryStorage({ medium: new MemoryMedium(), sync }) })
    const author = new Author()
    fail = true
    const first = log.commit(local('d', [author.set('a', 1)]))
    await Promise.resolve()
    const second = log.commit(local('d', [author.set('a', 2)]))
    await expect(first).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    await expect(second).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    expect(log.head).toBe(0)
    expect(await digest(log)).toBe(0n)
    fail = false
    await log.commit(local('other', [new Author('bbbbbbbbbbbbbbbb').set('a', 1)]))
    expect(log.head).toBe(1)
    expect(await log.record('d')).toBeUndefined()
  })

  test('after close nothing is taken', async () => {
    const log = await openLog()
    await log.close()
    await expect(log.commit(local('d', [new Author().set('a', 1)]))).rejects.toThrow(UsageError)
  })
})

describe('what peers deliver', () => {
  test('an event counts once, however often and by whomever it comes', async () => {
    const log = await openLog()
    const event = new Author().set('a', 1)
    await log.commit(remote([incoming('d', event), incoming('d', event)]))
    const sum = await digest(log)
    await log.commit(remote([incoming('d', event)]))
    expect(log.head).toBe(1)
    expect(await digest(log)).toBe(sum)
  })

  test('the digest does not depend on the order, and tells sets apart', async () => {
    const author = new Author()
    const events = [author.set('a', 1), author.set('a', 2), author.set('a', 3)]
    const [forward, backward, partial] = await Promise.all([openLog(), openLog(), openLog()])
    for (const event of events) await forward.commit(remote([incoming('d', event)]))
    await backward.commit(remote([...events].reverse().map((event) => incoming('d', event))))
    await partial.commit(remote(events.slice(1).map((event) => incoming('d', event))))
    expect(await digest(backward)).toBe(await digest(forward))
    expect(await digest(partial)).not.toBe(await digest(forward))
  })

  test('two events for one place of one actor: the second is refused', async () => {
    const log = await openLog()
    await log.commit(remote([incoming('d', new Author().set('a', 1))]))
    const { rejects } = await log.commit(remote([incoming('d', new Author().set('a', 2))]))
    expect(rejects).toMatchObject([{ code: 'ACCESS_EQUIVOCATION', document: 'd' }])
    expect(log.head).toBe(1)
  })

  test('first events are taken from known kinds only', async () => {
    const event = new Author('0000000000000000').set('spec', 1)
    const strict = await openLog()
    expect((await strict.commit(remote([incoming('d', event)]))).rejects).toMatchObject([
      { code: 'ACCESS_DENIED' },
    ])
    const knowing = await openLog({ genesis: [event.header.hash] })
    expect((await knowing.commit(remote([incoming('d', event)]))).rejects).toEqual([])
  })

  test('the policy is asked about the home of the document, not about what the peer says', async () => {
    const log = await openLog()
    const author = new Author()
    await log.commit(local('d', [author.set('a', 1)], 'private'))
    const homes: string[] = []
    const check = (_entry: unknown, home: string) => {
      homes.push(home)
      return home === 'private' ? ({ code: 'ACCESS_DENIED', message: 'no' } as const) : undefined
    }
    const { rejects } = await log.commit(
      remote([incoming('d', author.set('a', 2), 'public')], check as never),
    )
    expect(homes).toEqual(['private'])
    expect(rejects).toMatchObject([{ code: 'ACCESS_DENIED' }])
    expect(log.head).toBe(1)
  })

  test('what a peer is to be remembered by is written in the same step', async () => {
    const medium = new MemoryMedium()
    const log = await openLog({ storage: memoryStorage({ medium }) })
    const peer = { replica: 'peer', epoch: 'e'.repeat(16), cursor: 7, acked: 3, complete: ['c'] }
    await log.commit({ ...remote([incoming('d', new Author().set('a', 1))]), peer })
    await log.close()
    const again = await openLog({ storage: memoryStorage({ medium }) })
    expect(again.peer('peer')).toEqual(peer)
  })
})

describe('the end of documents', () => {
  test('a tombstone ends a document once, late events are kept and it stays deleted', async () => {
    const log = await openLog()
    const author = new Author()
    await log.commit(local('d', [author.set('a', 1)]))
    await log.commit({ type: 'delete', document: 'd' })
    await log.commit(remote([incomingMark('d', 'tombstone'), incoming('d', author.set('a', 2))]))
    expect(await log.record('d')).toMatchObject({ deleted: true })
    expect((await log.readDocument('d')).map((entry) => entry.kind)).toEqual([
      'event',
      'tombstone',
      'event',
    ])
  })

  test('a tombstone of an unknown document keeps it from ever appearing', async () => {
    const log = await openLog()
    await log.commit(remote([incomingMark('d', 'tombstone')]))
    await log.commit(remote([incoming('d', new Author().set('a', 1))]))
    expect(await log.record('d')).toMatchObject({ deleted: true })
  })

  test('a move takes the digest along; a leave drops the events from the disk', async () => {
    const [cloud, edge] = await Promise.all([openLog(), openLog()])
    const author = new Author()
    const events = [author.set('a', 1), author.set('a', 2)]
    for (const log of [cloud, edge]) await log.commit(local('d', events, 'old'))
    const sum = await digest(cloud, 'old')
    await cloud.commit({ type: 'move', document: 'd', to: 'new' })
    expect(await digest(cloud, 'old')).toBe(0n)
    expect(await digest(cloud, 'new')).toBe(sum)
    await edge.commit(remote([incomingMark('d', 'leave', 'old')]))
    expect(await digest(edge, 'old')).toBe(0n)
    expect(await edge.record('d')).toMatchObject({ left: true })
    expect(await edge.readDocument('d')).toEqual([])
    const kept = await edge.read({ after: 0, document: 'd', bytesMax: 1 << 20 })
    expect(kept.entries.map((entry) => entry.kind)).toEqual(['leave'])
  })

  test('a document that left comes back with a join', async () => {
    const [cloud, edge] = await Promise.all([openLog(), openLog()])
    const author = new Author()
    await cloud.commit(local('d', [author.set('a', 1), author.set('a', 2)], 'old'))
    await cloud.commit({ type: 'move', document: 'd', to: 'new' })
    const page = await cloud.read({ after: 0, collections: ['new'], bytesMax: 1 << 20 })
    const [join] = page.entries
    expect(join?.kind).toBe('join')
    const events = (await cloud.readDocument('d')).filter((entry) => entry.kind === 'event')
    await edge.commit({
      ...remote([]),
      entries: [
        {
          wire: {
            kind: 'join',
            document: 'd',
            collection: 'new',
            generation: 1,
            bytes: join?.bytes ?? new Uint8Array(),
          },
          events: [...(await checked(events.map((entry) => entry.bytes)))],
        },
      ],
    })
    expect(await digest(edge, 'new')).toBe(await digest(cloud, 'new'))
  })
})

test('a document that left comes back through a relay too', async () => {
  const [cloud, relay, edge] = await Promise.all([openLog(), openLog(), openLog()])
  const author = new Author()
  const events = [author.set('a', 1), author.set('a', 2)]
  for (const log of [cloud, relay, edge]) {
    await log.commit(local('d', events, 'old'))
  }
  for (const log of [relay, edge]) await log.commit(remote([incomingMark('d', 'leave', 'old')]))
  await cloud.commit({ type: 'move', document: 'd', to: 'new' })
  await pass(cloud, relay, 'new')
  await pass(relay, edge, 'new')
  expect(await digest(relay, 'new')).toBe(await digest(cloud, 'new'))
  expect(await digest(edge, 'new')).toBe(await digest(cloud, 'new'))
})

/** Delivers everything of a collection from one log to another. */
async function pass(from: EventLog, to: EventLog, collection: string): Promise<void> {
  const page = await from.read({ after: 0, collections: [collection], bytesMax: 1 << 20 })
  for (const { kind, document, generation, bytes } of page.entries) {
    const wire = { kind, document, collection, generation, bytes }
    const chunks = kind === 'join' ? unpackEvents(bytes) : kind === 'event' ? [bytes] : []
    await to.commit({ ...remote([]), entries: [{ wire, events: await checked(chunks) }] })
  }
}

test('refused events of ours stop counting, with what builds on them, and are kept aside', async () => {
  const log = await openLog()
  const author = new Author()
  const [good, bad, child] = [author.set('a', 1), author.set('a', 2), author.set('a', 3)]
  await log.commit(local('d', [good]))
  const sum = await digest(log)
  await log.commit(local('d', [bad, child]))
  const rejects = [
    {
      document: 'd',
      kind: 'event',
      hash: bad.header.hash,
      code: 'ACCESS_DENIED',
      message: 'no',
    },
  ] as const
  await log.commit({ type: 'reject', peer: 'cloud', rejects, atMs: 5 })
  expect(await digest(log)).toBe(sum)
  expect((await log.readDocument('d')).map((entry) => entry.hash)).toEqual([good.header.hash])
  const aside = []
  for await (const record of log.rejected()) aside.push(record)
  expect(aside.map((record) => record.hash).sort()).toEqual(
    [bad.header.hash, child.header.hash].sort(),
  )
  expect(aside[0]).toMatchObject({ code: 'ACCESS_DENIED', peer: 'cloud', document: 'd', atMs: 5 })
  expect((await log.record('d'))?.fork).toBe(1)
})

async function checked(chunks: readonly Uint8Array[]): Promise<readonly CheckedEvent[]> {
  const { readEvent } = await import('../../../../src/core/log/event.ts')
  const { sha256 } = await import('../../../support/memory-log.ts')
  return chunks.map((bytes) => ({ bytes, header: readEvent(bytes, sha256) }))
}
