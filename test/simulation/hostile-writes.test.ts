import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { packEvents } from '../../src/core/log/entry.ts'
import type { WireEntry } from '../../src/core/sync/io.ts'
import type { Frame } from '../../src/core/sync/message.ts'
import { Author } from '../support/author.ts'
import { type Column, craftChange, repeatedOperation } from '../support/crafted-events.ts'
import { frame } from '../support/frames.ts'
import { ALL, HostilePlace, SECRET } from '../support/hostile-place.ts'
import {
  askEntries,
  askRanges,
  eventsFrame,
  helloFrame,
  RawPeer,
  wireEntry,
} from '../support/raw-peer.ts'

const MALLORY = { principal: 'mallory' }

let place: HostilePlace
beforeEach(async () => {
  place = await HostilePlace.open()
})
afterEach(async () => {
  await place.converge()
  expect(place.cloud.peers().some(({ replica }) => replica === 'honest')).toBe(true)
  await place.close()
})

/** Sends entries and gives the code with which each document was refused. */
async function refusals(entries: readonly WireEntry[]): Promise<Map<string, string>> {
  const peer = await RawPeer.greet(place.hub, MALLORY)
  const marker = wireEntry(
    'event',
    'shared/marker',
    'shared',
    new Author('cc'.repeat(8)).set('a', 1).bytes,
  )
  peer.send(eventsFrame(...entries, marker))
  const all = () => peer.frames.flatMap((said) => (said.type === 'rejects' ? said.rejects : []))
  await peer.until(() => all().find(({ document }) => document === 'shared/marker'), 'the refusals')
  await peer.connection.close()
  return new Map(all().map(({ document, code }) => [document, code]))
}

describe('what the policy does not allow', () => {
  test.each(['event', 'join', 'snapshot', 'tombstone', 'leave'] as const)(
    '%s is refused',
    async (kind) => {
      const event = new Author().set('text', 'mine now').bytes
      const bytes = kind === 'event' ? event : packEvents([event])
      const payload = kind === 'tombstone' || kind === 'leave' ? new Uint8Array(0) : bytes
      const before = await values()
      const head = place.cloud.head
      const codes = await refusals([
        wireEntry(kind, 'shared/1', 'shared', payload),
        wireEntry(kind, 'private/1', 'private', payload),
        wireEntry(kind, 'private/new', 'private', payload),
        // Under a false flag: the document's home counts, not what the entry says.
        wireEntry(kind, 'private/cloud', 'open', payload),
        wireEntry(kind, 'shared/cloud', 'open', payload),
      ])
      expect([...codes.keys()].sort()).toEqual([
        'private/1',
        'private/cloud',
        'private/new',
        'shared/1',
        'shared/cloud',
        'shared/marker',
      ])
      expect(new Set(codes.values())).toEqual(new Set(['ACCESS_DENIED']))
      expect(await values()).toEqual(before)
      expect(place.cloud.head).toBe(head)
    },
  )

  test.each(['join', 'snapshot'] as const)(
    'a document of its own is not given away by %s',
    async (kind) => {
      const mine = await place.cloud.open<{ n?: number }>('open/mine', { collection: 'open' })
      mine.change(() => ({ n: 1 }))
      await mine.durable()
      const bytes = packEvents([new Author().set('n', 2).bytes])
      for (const target of ['shared', 'private']) {
        const codes = await refusals([wireEntry(kind, 'open/mine', target, bytes)])
        expect(codes.get('open/mine')).toBe('ACCESS_DENIED')
        expect((await place.cloud.record('open/mine'))?.collection).toBe('open')
      }
      expect(mine.value).toEqual({ n: 1 })
    },
  )

  test('refusing what others wrote unmakes nothing', async () => {
    const cloud = await place.cloud.open('shared/1')
    const secret = await place.cloud.open('private/1')
    const before = [cloud.value, secret.value]
    const peer = await RawPeer.greet(place.hub, MALLORY)
    const rejects = [cloud, secret].flatMap((handle) =>
      handle.heads.map((hash) => {
        const why = { code: 'ACCESS_DENIED', message: 'no' } as const
        return { document: handle.id, kind: 'event' as const, hash, ...why }
      }),
    )
    peer.send({ type: 'rejects', rejects }, { type: 'ping' })
    await peer.next('pong')
    await place.converge()
    expect([cloud.value, secret.value]).toEqual(before)
    for await (const refused of place.cloud.rejected()) throw new Error(refused.document)
    await peer.connection.close()
  })
})

/** Every document of the cloud with its value and home. */
async function values(): Promise<unknown[]> {
  const all: unknown[] = []
  for await (const { id, record } of place.cloud.documents()) {
    all.push([
      id,
      record.collection,
      record.deleted,
      record.left,
      await place.value(place.cloud, id),
    ])
  }
  return all
}

describe('events that are not what they say', () => {
  test('one whose checksum is wrong ends the session, and nothing is stored', async () => {
    const good = new Author().set('a', 1).bytes
    for (const at of [4, 7, good.length - 1]) {
      const bytes = Uint8Array.from(good)
      bytes[at] = (bytes[at] ?? 0) ^ 1
      const peer = await RawPeer.greet(place.hub, MALLORY)
      peer.send(eventsFrame(wireEntry('event', 'open/bad', 'open', bytes)))
      expect((await peer.close()).code).toBe('PROTOCOL_REMOTE')
    }
    expect(await place.cloud.record('open/bad')).toBeUndefined()
  })

  test('two for one place of one writer: the second is refused', async () => {
    const first = new Author().set('a', 1)
    const second = new Author().set('a', 2)
    const codes = await refusals([
      wireEntry('event', 'open/twice', 'open', first.bytes),
      wireEntry('event', 'open/twice', 'open', second.bytes),
    ])
    expect(codes.get('open/twice')).toBe('ACCESS_EQUIVOCATION')
    expect(await place.value(place.cloud, 'open/twice')).toEqual({ a: 1 })
  })

  test('one that waits for ever for what it builds on does not show, and costs its bytes', async () => {
    const parents = ['ab'.repeat(32)]
    const columns = repeatedOperation(1)
    const orphan = craftChange({ columns, parents, startOp: 9 })
    const whole = new Author().set('a', 1).bytes
    const codes = await refusals([
      wireEntry('event', 'open/orphan', 'open', orphan),
      wireEntry('event', 'open/orphan', 'open', whole),
    ])
    expect(codes.get('open/orphan')).toBeUndefined()
    expect(await place.value(place.cloud, 'open/orphan')).toEqual({ a: 1 })
  })

  const columns: readonly (readonly [string, readonly Column[], string])[] = [
    ['a run of a billion operations', repeatedOperation(1e9), 'DOCUMENT_TOO_LARGE'],
    ['a run past every number', repeatedOperation(2 ** 52), 'DOCUMENT_TOO_LARGE'],
    [
      'a long key in every operation',
      repeatedOperation(200_000, 'k'.repeat(5_000)),
      'DOCUMENT_TOO_LARGE',
    ],
    ['columns that end too soon', [[0x42, [0x7f]]], 'DOCUMENT_BROKEN'],
    ['a number without end', [[0x42, new Array<number>(40).fill(0xff)]], 'DOCUMENT_BROKEN'],
    ['a compressed column', [[0x4a, [1, 2, 3]]], 'DOCUMENT_BROKEN'],
  ]
  test.each(columns)('%s is refused unopened', async (_, crafted, code) => {
    const bytes = craftChange({ columns: crafted })
    const codes = await refusals([wireEntry('event', 'open/bomb', 'open', bytes)])
    expect(codes.get('open/bomb')).toBe(code)
    expect(await place.cloud.record('open/bomb')).toBeUndefined()
    const packed = wireEntry('snapshot', 'open/bomb', 'open', packEvents([bytes]))
    expect((await refusals([packed])).get('open/bomb')).toBe(code)
  })

  test('a writer that leaves no number for later edits is refused', async () => {
    const bytes = craftChange({ columns: repeatedOperation(1), startOp: 2 ** 32 - 3 })
    const codes = await refusals([wireEntry('event', 'open/far', 'open', bytes)])
    expect(codes.get('open/far')).toBe('DOCUMENT_TOO_LARGE')
  })

  test('a packed document that is something else ends the session', async () => {
    for (const bytes of [
      new Uint8Array(200_000).fill(0x80),
      Buffer.from('9bffffffffffffffff', 'hex'),
    ]) {
      const peer = await RawPeer.greet(place.hub, MALLORY)
      peer.send(eventsFrame(wireEntry('join', 'open/packed', 'open', bytes)))
      expect((await peer.close()).code).toMatch(/^PROTOCOL_/)
    }
  })

  test('garbage columns with a right checksum harm the document that they are in, at most', async () => {
    const column = fc.tuple(
      fc.constantFrom(0x01, 0x02, 0x11, 0x13, 0x15, 0x34, 0x42, 0x56, 0x57, 0x70, 0x71, 0x73, 0x95),
      fc.array(fc.nat({ max: 255 }), { maxLength: 12 }),
    )
    const other = await place.cloud.open<{ n?: number }>('open/other', { collection: 'open' })
    let round = 0
    const broken: string[] = []
    await fc.assert(
      fc.asyncProperty(fc.array(column, { maxLength: 8 }), async (crafted) => {
        round += 1
        const id = `open/garbage-${round}`
        const sorted = [...crafted].sort(([a], [b]) => a - b)
        const bytes = craftChange({ columns: sorted, actor: round.toString(16).padStart(16, '0') })
        const good = new Author().set('a', 1).bytes
        await refusals([
          wireEntry('event', id, 'open', good),
          wireEntry('event', id, 'open', bytes),
        ])
        for (const replica of [place.cloud, place.honest]) {
          const value = await place
            .value(replica, id)
            .catch((error: { code?: string }) => error.code)
          if (value === 'DOCUMENT_BROKEN') broken.push(id)
        }
        other.change(() => ({ n: round }))
        await other.durable()
        expect(other.value).toEqual({ n: round })
      }),
      { numRuns: 150 },
    )
  })
})

describe('frames at random', () => {
  const document = fc.constantFrom(
    'open/1',
    'shared/1',
    'private/1',
    'private/cloud',
    'shared/honest',
  )
  const kind = fc.constantFrom('event', 'join', 'snapshot', 'tombstone', 'leave' as const)
  const entry = fc
    .record({ kind, document, collection: fc.constantFrom(...ALL), n: fc.nat({ max: 3 }) })
    .map(({ kind: name, document: id, collection, n }): WireEntry => {
      const event = new Author(`dddddddddddddd0${n}`).set('n', n).bytes
      const bytes = name === 'event' ? event : packEvents([event])
      const none = name === 'tombstone' || name === 'leave'
      return wireEntry(name, id, collection, none ? new Uint8Array(0) : bytes)
    })
  const aimed: fc.Arbitrary<Frame> = fc.oneof(
    fc.array(entry, { maxLength: 6 }).map((entries) => eventsFrame(...entries)),
    fc
      .subarray([...ALL, 'other'])
      .map((collections): Frame => ({ type: 'subscribe', collections })),
    fc.subarray([...ALL]).map((asked): Frame => askRanges(asked)),
    fc.array(document, { maxLength: 4 }).map((asked): Frame => askEntries(asked)),
    fc
      .constantFrom(...ALL)
      .map((collection): Frame => ({ ...eventsFrame(), final: true, backfill: collection })),
    fc.nat({ max: 40 }).map((at): Frame => {
      return { type: 'ack', received: at, durable: at, credit: 2 ** 40, upTo: at, filled: [...ALL] }
    }),
    frame,
  )

  test('show nothing and write nothing beyond the policy', async () => {
    const before = await guarded()
    const tick = await place.cloud.open<{ n?: number }>('open/tick', { collection: 'open' })
    const greeting = fc.record({
      subscriptions: fc.subarray([...ALL, 'node/x']),
      cursor: fc.nat({ max: 20 }),
      peerEpoch: fc.constantFrom(undefined, place.cloud.epoch),
    })
    await fc.assert(
      fc.asyncProperty(greeting, fc.array(aimed, { maxLength: 12 }), async (hello, frames) => {
        const peer = await RawPeer.dial(place.hub, MALLORY)
        peer.send(helloFrame('mallory', { ...hello, credit: 2 ** 40 }))
        for (const said of frames) peer.send(said)
        for (const rounds of [1, 2]) {
          peer.send({ type: 'ping' })
          await peer.until(() => isAnswered(peer, rounds) || undefined, 'an answer')
          // Whatever it sent has been stored or refused by then, and its answer is on the way.
          tick.change(() => ({ n: Math.random() }))
          await tick.durable()
        }
        await peer.connection.close()
        expect(peer.heardText(SECRET)).toBe(false)
      }),
      { numRuns: 200 },
    )
    expect(await guarded()).toEqual(before)
  })

  function isAnswered(peer: RawPeer, rounds: number): boolean {
    const pongs = peer.frames.filter(({ type }) => type === 'pong').length
    return peer.ended || pongs >= rounds || peer.frames.some(({ type }) => type === 'close')
  }

  /** What `mallory` may not write. */
  async function guarded(): Promise<unknown[]> {
    return [await place.cloud.digest(['shared', 'private']), (await values()).filter(isGuarded)]
  }

  function isGuarded(value: unknown): boolean {
    return Array.isArray(value) && value[1] !== 'open'
  }
})
