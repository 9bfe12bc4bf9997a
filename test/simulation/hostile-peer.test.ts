import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Connection } from '../../src/core/interfaces/transport.ts'
import type { Frame } from '../../src/core/sync/message.ts'
import { encodeFrame } from '../../src/core/sync/message-codec.ts'
import type { RangeAnswer } from '../../src/core/sync/reconcile-frames.ts'
import { Author } from '../support/author.ts'
import { eventually } from '../support/fleet.ts'
import { HostilePlace } from '../support/hostile-place.ts'
import { eventsFrame, helloFrame, RawPeer, wireEntry } from '../support/raw-peer.ts'

const MIB = 1 << 20
const MALLORY = { principal: 'mallory' }

let place: HostilePlace
beforeEach(async () => {
  place = await HostilePlace.open()
})
afterEach(async () => {
  // Whatever was done to the cloud: the honest peer goes on as if nothing were.
  await place.converge()
  expect(place.cloud.peers().some(({ replica }) => replica === 'honest')).toBe(true)
  await place.close()
})

describe('noise', () => {
  const messages: readonly (readonly [string, Uint8Array, string])[] = [
    ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'PROTOCOL_REMOTE'],
    ['nothing', new Uint8Array(0), 'PROTOCOL_REMOTE'],
    ['zeros', new Uint8Array(1_000), 'PROTOCOL_REMOTE'],
    ['a message past its limit', new Uint8Array(MIB + 1), 'PROTOCOL_LIMIT_EXCEEDED'],
    ['many tiny items', manyItems(), 'PROTOCOL_LIMIT_EXCEEDED'],
    ['an array that says it is huge', Buffer.from('9bffffffffffffffff', 'hex'), 'PROTOCOL_REMOTE'],
    ['deep nesting', new Uint8Array(500_000).fill(0x81), 'PROTOCOL_LIMIT_EXCEEDED'],
    ['half a HELLO', encodeFrame(helloFrame('mallory')).subarray(0, 20), 'PROTOCOL_REMOTE'],
  ]
  test.each(messages)('%s is answered with a code', async (_, bytes, code) => {
    const peer = await RawPeer.dial(place.hub, MALLORY)
    peer.sendBytes(bytes)
    const close = await peer.close()
    expect([close.code, close.retryable]).toEqual([code, false])
  })

  test('no common version is said so', async () => {
    const peer = await RawPeer.dial(place.hub, MALLORY)
    peer.send(helloFrame('mallory', { versions: [2, 99] }))
    expect((await peer.close()).code).toBe('PROTOCOL_VERSION_UNSUPPORTED')
  })

  test('the name of the accepter itself is refused', async () => {
    const peer = await RawPeer.dial(place.hub, MALLORY)
    peer.send(helloFrame('cloud'))
    expect((await peer.close()).code).toBe('PROTOCOL_REMOTE')
  })

  test.each(['mal\u0000lory', 'mal\nlory'])('a replica named %j is refused', async (name) => {
    const peer = await RawPeer.dial(place.hub, MALLORY)
    peer.send(helloFrame(name))
    expect((await peer.close()).code).toBe('PROTOCOL_REMOTE')
  })

  test('a connection that nobody authenticated is cut', async () => {
    const connection = await place.hub.transport().dial('memory:cloud')
    expect((await connection.closed).type).toBe('failed')
  })
})

describe('past a limit', () => {
  test('events past the initial credit', async () => {
    const peer = await RawPeer.dial(place.hub, MALLORY)
    const frame = eventsFrame(wireEntry('event', 'open/x', 'open', new Uint8Array(40_000)))
    peer.send(helloFrame('mallory'), frame, frame)
    expect((await peer.close()).code).toBe('PROTOCOL_LIMIT_EXCEEDED')
  })

  test('parts of an entry without end', async () => {
    const peer = await RawPeer.greet(place.hub, MALLORY)
    for (let sent = 0; sent < 12 && !peer.ended; sent += 1) {
      const bytes = new Uint8Array(128 * 1024)
      peer.send(...Array.from({ length: 7 }, (): Frame => ({ type: 'part', bytes })))
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    expect((await peer.close()).code).toBe('PROTOCOL_LIMIT_EXCEEDED')
  })

  test.each([0, 1])('parts of %i bytes, which cost more memory than they bring', async (length) => {
    const peer = await RawPeer.greet(place.hub, MALLORY)
    const part: Frame = { type: 'part', bytes: new Uint8Array(length) }
    for (let i = 0; i < 20; i += 1) peer.send(...Array.from({ length: 1_000 }, () => part))
    expect((await peer.close()).code).toMatch(/^PROTOCOL_(REMOTE|LIMIT_EXCEEDED)$/)
  })

  test('signals: many keys, and many bytes', async () => {
    const keys = await RawPeer.greet(place.hub, MALLORY)
    for (let i = 0; i < 1_100; i += 1)
      keys.send({ type: 'signal', key: `key-${i}`, value: new Uint8Array(1) })
    expect((await keys.close()).code).toBe('PROTOCOL_LIMIT_EXCEEDED')
    const bytes = await RawPeer.greet(place.hub, MALLORY)
    for (let i = 0; i < 40; i += 1)
      bytes.send({ type: 'signal', key: `key-${i}`, value: new Uint8Array(32 * 1024) })
    expect((await bytes.close()).code).toBe('PROTOCOL_LIMIT_EXCEEDED')
  })

  test('streams that nobody serves, opened for ever by a peer that does not read', async () => {
    const peer = await RawPeer.dial(place.hub, { ...MALLORY, reads: false })
    peer.send(helloFrame('mallory', { credit: 0 }))
    const { principal } = MALLORY
    await eventually(() => place.cloud.peers().some((other) => other.principal === principal))
    // Few in a message, so that no more than that are ever open.
    for (let i = 0; i < 50_000; i += 100) {
      peer.send(...Array.from({ length: 100 }, (_, k) => opened((i + k) * 2 + 1)))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await place.alone()
  })

  test('subscriptions without end', async () => {
    const peer = await RawPeer.dial(place.hub, { principal: 'honest', reads: true })
    peer.send(helloFrame('other', { subscriptions: [] }))
    await peer.next('welcome')
    for (let i = 0; i < 100 && !peer.ended; i += 1) {
      const collections = Array.from({ length: 1_000 }, (_, k) => `made-up-${i}-${k}`)
      peer.send({ type: 'subscribe', collections })
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect((await peer.close()).code).toBe('PROTOCOL_LIMIT_EXCEEDED')
  })

  test('comparisons of the logs without end, which each cost a look at all of it', async () => {
    const peer = await RawPeer.greet(place.hub, MALLORY)
    const digest = new Uint8Array(16).fill(7)
    for (let i = 0; i < 200 && !peer.ended; i += 1) {
      peer.send({ type: 'check', attempt: 0, digest, ours: 0, theirs: 0 })
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    expect((await peer.close()).code).toBe('PROTOCOL_LIMIT_EXCEEDED')
  })

  test('refusals without end', async () => {
    const peer = await RawPeer.greet(place.hub, MALLORY)
    const rejects = Array.from({ length: 2_000 }, (_, i) => ({
      document: `open/${i}`,
      kind: 'event' as const,
      hash: 'ab'.repeat(32),
      code: 'ACCESS_DENIED' as const,
      message: 'no',
    }))
    const message = encodeFrame({ type: 'rejects', rejects })
    for (let i = 0; i < 100; i += 1) peer.sendBytes(message)
    expect((await peer.close()).code).toBe('PROTOCOL_LIMIT_EXCEEDED')
  })

  test('questions without end', async () => {
    const peer = await RawPeer.greet(place.hub, MALLORY)
    const range = { collection: 'open', from: '', to: undefined, fingerprint: undefined }
    const ranges = Array.from({ length: 32 }, () => range)
    for (let i = 1; i <= 20; i += 1) peer.send({ type: 'ask-ranges', question: i, ranges })
    expect((await peer.close()).code).toBe('PROTOCOL_LIMIT_EXCEEDED')
  })

  test('fingerprints that never match', async () => {
    const peer = await RawPeer.greet(place.hub, MALLORY, { subscriptions: ['open'] })
    peer.send({ ...eventsFrame(), final: true })
    const digest = new Uint8Array(16).fill(7)
    peer.send({ type: 'check', attempt: 1, digest, ours: 0, theirs: 0 })
    const lies = answering(peer, (asked) => {
      const documents = [{ document: `open/${asked}`, fingerprint: new Uint8Array(8).fill(asked) }]
      return { kind: 'documents', documents }
    })
    const check = await peer.until(
      () => peer.frames.find((frame) => frame.type === 'check' && frame.attempt === 2),
      'the proof',
    )
    expect(check).toBeDefined()
    peer.send({ type: 'check', attempt: 3, digest, ours: 0, theirs: 0 })
    expect(await peer.close()).toMatchObject({ code: 'PROTOCOL_DIVERGED', retryAfterMs: 60_000 })
    expect(lies()).toBeGreaterThan(0)
  })

  test('ranges that lie', async () => {
    const peer = await RawPeer.greet(place.hub, MALLORY, { subscriptions: ['open'] })
    peer.send({ ...eventsFrame(), final: true })
    const digest = new Uint8Array(16).fill(7)
    peer.send({ type: 'check', attempt: 1, digest, ours: 0, theirs: 0 })
    // Parts that all differ, and never a document: an answer to each question, for ever.
    const lies = answering(peer, (asked, from, to) => {
      const parts = Array.from({ length: 127 }, (_, i) => ({
        to: `${from}${String.fromCharCode(0x4e00 + i)}`,
        fingerprint: new Uint8Array(8).fill(asked),
      }))
      return { kind: 'parts', parts: [...parts, { to, fingerprint: new Uint8Array(8).fill(1) }] }
    })
    expect((await peer.close()).code).toBe('PROTOCOL_LIMIT_EXCEEDED')
    expect(lies()).toBeLessThan(100)
  })

  test('questions about what is not shared', async () => {
    const peer = await RawPeer.greet(place.hub, MALLORY)
    const range = { collection: 'private/cloud', from: '', to: undefined, fingerprint: undefined }
    peer.send({ type: 'ask-ranges', question: 1, ranges: [range] })
    expect((await peer.close()).code).toBe('PROTOCOL_REMOTE')
  })

  test('answers to questions that nobody asked', async () => {
    for (const frame of [
      { type: 'tell-ranges', question: 1, answers: [{ kind: 'equal' }] },
      { type: 'tell-entries', question: 1, follows: false, wants: [] },
    ] satisfies Frame[]) {
      const peer = await RawPeer.greet(place.hub, MALLORY)
      peer.send(frame)
      expect((await peer.close()).code).toBe('PROTOCOL_REMOTE')
    }
  })
})

/** Answers every question about ranges; gives how often it did. */
function answering(
  peer: RawPeer,
  answer: (asked: number, from: string, to: string | undefined) => RangeAnswer,
): () => number {
  let answered = 0
  let told = 0
  const look = (): void => {
    for (; told < peer.frames.length; told += 1) {
      const asked = peer.frames[told]
      if (asked?.type === 'ask-ranges') {
        answered += 1
        const { question } = asked
        const { from = '', to } = asked.ranges[0] ?? {}
        peer.send({ type: 'tell-ranges', question, answers: [answer(question, from, to)] })
      }
      if (asked?.type === 'ask-entries')
        peer.send({ type: 'tell-entries', question: asked.question, follows: false, wants: [] })
    }
    if (!peer.ended) setTimeout(look, 1)
  }
  look()
  return () => answered
}

/** One array of a million zeros. */
function manyItems(): Uint8Array {
  const bytes = new Uint8Array(MIB)
  bytes.set([0x9a, 0, 0x0f, 0xff, 0xfb])
  return bytes
}

function opened(stream: number): Frame {
  return { type: 'stream-open', stream, protocol: 'none', head: new Uint8Array(0) }
}

test('a stream of single bytes that nobody reads takes no more memory than its bytes', async () => {
  let chunks = 0
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let total = 0
  place.cloud.onStream('slow', async (stream) => {
    await released
    for await (const chunk of stream) {
      chunks += 1
      total += chunk.length
    }
  })
  const peer = await RawPeer.greet(place.hub, MALLORY)
  peer.send({ type: 'stream-open', stream: 1, protocol: 'slow', head: new Uint8Array(0) })
  const byte: Frame = { type: 'stream-bytes', stream: 1, bytes: Uint8Array.of(7) }
  for (let i = 0; i < 20; i += 1) peer.send(...Array.from({ length: 5_000 }, () => byte))
  peer.send({ type: 'stream-end', stream: 1 }, { type: 'ping' })
  await peer.next('pong')
  release()
  await eventually(() => total === 100_000)
  expect(chunks).toBeLessThan(100)
  await peer.connection.close()
})

describe('a peer that takes and gives nothing', () => {
  test('and never reads holds a bounded part of the log, however large that is', async () => {
    const sent = { bytes: 0, refused: 0 }
    const slow = await HostilePlace.open((connection) =>
      connection.principal === 'mallory' ? counted(connection, sent) : connection,
    )
    const author = await slow.cloud.open<{ text?: string }>('open/large', { collection: 'open' })
    for (let i = 0; i < 40; i += 1) {
      author.change(() => ({ text: `${i}${'x'.repeat(200_000)}${Math.random()}` }))
      await author.durable()
    }
    const peer = await RawPeer.dial(slow.hub, { ...MALLORY, reads: false })
    peer.send(helloFrame('mallory', { credit: 2 ** 40 }))
    await eventually(() => sent.refused > 0)
    await slow.converge()
    // What the transport holds, one message over its mark, and what the reader's inbox took.
    expect(sent.bytes).toBeLessThan(2 * MIB)
    await slow.close()
  })

  test('and asks without listening is cut off', async () => {
    const peer = await RawPeer.dial(place.hub, { ...MALLORY, reads: false })
    peer.send(helloFrame('mallory'))
    for (let i = 0; i < 200; i += 1) {
      const collections = Array.from({ length: 500 }, (_, k) => `forbidden-${i}-${k}`)
      peer.send({ type: 'subscribe', collections })
      await new Promise((resolve) => setImmediate(resolve))
    }
    await place.alone()
  })

  test('and never acknowledges holds nobody up', async () => {
    const peer = await RawPeer.greet(place.hub, MALLORY, { credit: 2 ** 40 })
    for (let i = 0; i < 5; i += 1) await place.converge()
    expect(peer.ended).toBe(false)
    await peer.connection.close()
  })

  test('and acknowledges what was never sent is closed', async () => {
    const peer = await RawPeer.greet(place.hub, MALLORY)
    const far = Number.MAX_SAFE_INTEGER
    peer.send({ type: 'ack', received: far, durable: far, credit: far, upTo: far, filled: [] })
    expect((await peer.close()).code).toBe('PROTOCOL_REMOTE')
  })
})

/** Counts what a connection was given, and how often it said that it was full. */
function counted(inner: Connection, sent: { bytes: number; refused: number }): Connection {
  return {
    direction: inner.direction,
    remoteAddress: inner.remoteAddress,
    principal: inner.principal,
    closed: inner.closed,
    send: (message) => {
      sent.bytes += message.length
      const writable = inner.send(message)
      if (!writable) sent.refused += 1
      return writable
    },
    drained: (options) => inner.drained(options),
    close: () => inner.close(),
    abort: (reason) => inner.abort(reason),
    [Symbol.asyncIterator]: () => inner[Symbol.asyncIterator](),
  }
}

describe('the name of another', () => {
  test('is refused while its owner is connected, who stays', async () => {
    const [before] = place.cloud.peers()
    const told: boolean[] = []
    place.cloud.onPeer((_peer, connected) => told.push(connected))
    const peer = await RawPeer.dial(place.hub, MALLORY)
    const note = new Author().set('stolen', 1)
    peer.send(helloFrame('honest'), eventsFrame(wireEntry('event', 'open/s', 'open', note.bytes)))
    const close = await peer.close()
    expect([close.code, close.retryable]).toEqual(['ACCESS_DENIED', true])
    expect(place.cloud.peers()).toEqual([before])
    expect(told).toEqual([])
    expect(await place.cloud.record('open/s')).toBeUndefined()
  })

  test('is free again when its owner has left', async () => {
    const first = await RawPeer.greet(place.hub, MALLORY)
    await first.connection.close()
    await place.alone()
    const second = await RawPeer.dial(place.hub, { principal: 'honest' })
    second.send(helloFrame('mallory'))
    await second.next('welcome')
    await second.connection.close()
  })
})

test('old frames sent again change nothing', async () => {
  const author = new Author()
  const entries = [author.set('a', 1), author.set('b', 2)].map((event) =>
    wireEntry('event', 'open/replayed', 'open', event.bytes),
  )
  const frame = { ...eventsFrame(...entries), upTo: 2, final: true }
  const said = [helloFrame('mallory', { head: 2 }), frame]
  const first = await RawPeer.dial(place.hub, MALLORY)
  first.send(...said)
  await first.next('ack')
  const { head } = place.cloud
  for (let i = 0; i < 3; i += 1) first.send(frame)
  const second = await RawPeer.dial(place.hub, MALLORY)
  second.send(...said)
  await second.next('ack')
  expect(place.cloud.head).toBe(head)
  expect(await place.value(place.cloud, 'open/replayed')).toEqual({ a: 1, b: 2 })
  await second.connection.close()
})
