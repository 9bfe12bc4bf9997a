import { describe, expect, test } from 'vitest'
import { backoffMs } from '../../../../src/core/sync/backoff.ts'
import { decodeMessage, encodeFrame } from '../../../../src/core/sync/message-codec.ts'
import { type End, SessionPair } from '../../../support/session-pair.ts'
import { TinyReplica } from '../../../support/tiny-replica.ts'

const A = 'node/a'

function live(options: ConstructorParameters<typeof SessionPair>[2] = {}): SessionPair {
  return new SessionPair(new TinyReplica('edge', [A]), new TinyReplica('cloud', [A]), options).run()
}

function of<Type extends string>(end: End, type: Type): End['outputs'] {
  return end.outputs.filter((output) => output.type === type)
}

describe('signals', () => {
  test('reach the peer, and only the last value counts while the transport is slow', () => {
    const pair = live()
    pair.dialer.session.handleWritable(false, pair.nowMs)
    for (let i = 0; i < 5; i += 1)
      pair.dialer.session.setSignal('heartbeat', Uint8Array.of(i), pair.nowMs)
    pair.dialer.session.handleWritable(true, pair.nowMs)
    pair.dialer.drain(pair.nowMs)
    pair.run()
    expect(of(pair.accepter, 'signal')).toEqual([
      { type: 'signal', key: 'heartbeat', value: Uint8Array.of(4) },
    ])
    pair.dialer.session.setSignal('heartbeat', undefined, pair.nowMs)
    pair.dialer.drain(pair.nowMs)
    pair.run()
    expect(of(pair.accepter, 'signal').at(-1)).toEqual({
      type: 'signal',
      key: 'heartbeat',
      value: undefined,
    })
  })

  test('set before the session is live are sent with it', () => {
    const edge = new TinyReplica('edge', [A])
    const pair = new SessionPair(edge, new TinyReplica('cloud', [A]))
    pair.accepter.session.setSignal('early', Uint8Array.of(1), pair.nowMs)
    pair.run()
    expect(of(pair.dialer, 'signal')).toHaveLength(1)
  })

  test('past the bound close the session', () => {
    const pair = live({ accepterLimits: { signalKeysMax: 3 } })
    for (let i = 0; i < 4; i += 1)
      pair.dialer.session.setSignal(`key-${i}`, Uint8Array.of(i), pair.nowMs)
    pair.dialer.drain(pair.nowMs)
    pair.run()
    expect(pair.accepter.closed).toMatchObject({
      code: 'PROTOCOL_LIMIT_EXCEEDED',
      retryable: false,
    })
    expect(pair.dialer.closed).toMatchObject({ code: 'PROTOCOL_LIMIT_EXCEEDED' })
    expect(() => live().dialer.session.setSignal('big', new Uint8Array(40_000), 0)).toThrow()
  })
})

describe('streams', () => {
  test('carry bytes both ways, under credit, and close one direction at a time', () => {
    const pair = live()
    const id = pair.dialer.session.openStream('logs', Uint8Array.of(1), pair.nowMs)
    const writable = pair.dialer.session.writeStream(id, new Uint8Array(600_000), pair.nowMs)
    pair.dialer.session.endStream(id, pair.nowMs)
    pair.dialer.drain(pair.nowMs)
    pair.run()
    expect(writable).toBe(false)
    expect(of(pair.accepter, 'stream-opened')).toEqual([
      { type: 'stream-opened', stream: id, protocol: 'logs', head: Uint8Array.of(1) },
    ])
    const received = (): number =>
      pair.accepter.outputs.reduce(
        (sum, o) => sum + (o.type === 'stream-bytes' ? o.bytes.length : 0),
        0,
      )
    // Nothing was used yet: one window came.
    expect(received()).toBe(256 * 1024)
    while (received() < 600_000) {
      const before = received()
      pair.accepter.session.consumed(id, 256 * 1024, pair.nowMs)
      pair.accepter.drain(pair.nowMs)
      pair.run()
      expect(received()).toBeGreaterThan(before)
    }
    expect(of(pair.dialer, 'stream-writable')).toHaveLength(1)
    expect(of(pair.accepter, 'stream-ended')).toHaveLength(1)
    pair.accepter.session.writeStream(id, Uint8Array.of(9), pair.nowMs)
    pair.accepter.session.endStream(id, pair.nowMs)
    pair.accepter.drain(pair.nowMs)
    pair.run()
    expect(of(pair.dialer, 'stream-bytes')).toHaveLength(1)
    expect(of(pair.dialer, 'stream-ended')).toHaveLength(1)
  })

  test('take turns, and give way to events', () => {
    const pair = live()
    const first = pair.dialer.session.openStream('logs', new Uint8Array(), pair.nowMs)
    const second = pair.dialer.session.openStream('logs', new Uint8Array(), pair.nowMs)
    const before = pair.dialer.sent.length
    pair.dialer.session.handleWritable(false, pair.nowMs)
    pair.dialer.session.writeStream(first, new Uint8Array(200_000), pair.nowMs)
    pair.dialer.session.writeStream(second, new Uint8Array(200_000), pair.nowMs)
    pair.write(pair.dialer, A, 'x', 'urgent')
    pair.dialer.session.handleWritable(true, pair.nowMs)
    pair.dialer.drain(pair.nowMs)
    pair.run()
    const frames = pair.dialer.sent
      .slice(before)
      .flatMap((sent) => decodeMessage(sent).frames ?? [])
    const order = frames.map(({ frame }) =>
      frame.type === 'stream-bytes' ? frame.stream : frame.type,
    )
    expect(order.filter((item) => item !== 'stream-open').slice(0, 5)).toEqual([
      'events',
      first,
      second,
      first,
      second,
    ])
  })

  test('are reset with a code by either side, and die with the session', () => {
    const pair = live()
    const id = pair.accepter.session.openStream('exec', new Uint8Array(), pair.nowMs)
    const other = pair.accepter.session.openStream('exec', new Uint8Array(), pair.nowMs)
    pair.accepter.drain(pair.nowMs)
    pair.run()
    pair.dialer.session.resetStream(id, 'GONE', 'the pod is gone', pair.nowMs)
    pair.dialer.drain(pair.nowMs)
    pair.run()
    expect(of(pair.accepter, 'stream-reset')).toEqual([
      { type: 'stream-reset', stream: id, code: 'GONE', message: 'the pod is gone' },
    ])
    pair.cut()
    expect(of(pair.dialer, 'stream-reset')).toMatchObject([
      { stream: other, code: 'TRANSPORT_CLOSED' },
    ])
  })
})

describe('time', () => {
  test('a silent peer is asked, and given up when it does not answer', () => {
    const pair = live()
    pair.pass(600_000)
    expect(pair.dialer.closed).toBeUndefined()
    expect(pair.accepter.closed).toBeUndefined()
    const { session } = pair.dialer
    session.handleTimeout(pair.nowMs + 20_000)
    session.handleTimeout(pair.nowMs + 50_000)
    pair.dialer.drain(pair.nowMs + 50_000)
    expect(pair.dialer.closed).toMatchObject({ code: 'PROTOCOL_TIMEOUT', retryable: true })
  })

  test('a handshake that takes too long ends', () => {
    const pair = new SessionPair(new TinyReplica('edge', [A]), new TinyReplica('cloud', [A]))
    for (const end of [pair.dialer, pair.accepter]) {
      end.session.handleTimeout(pair.nowMs + 10_000)
      end.drain(pair.nowMs + 10_000)
      expect(end.closed).toMatchObject({ code: 'PROTOCOL_TIMEOUT' })
      expect(end.session.deadlineMs).toBeUndefined()
    }
  })

  test('an answer that waits for a slow disk goes out without what is not durable', () => {
    const edge = new TinyReplica('edge', [A])
    edge.write(A, 'x', 'y')
    const pair = new SessionPair(edge, new TinyReplica('cloud', [A]))
    pair.accepter.slowDisk = true
    pair.run()
    expect(pair.dialer.session.state).toBe('greeting')
    pair.pass(1_100)
    expect(pair.dialer.session.state).toBe('live')
    pair.accepter.waiting.shift()?.()
    pair.accepter.drain(pair.nowMs)
    pair.run()
    expect(pair.dialer.acknowledged.at(-1)).toBe(1)
    expect(pair.dialer.session.agreed).toBe(true)
  })

  test('backoff grows to its cap, with full jitter, and respects what the peer asks for', () => {
    expect(backoffMs(0, 0.999)).toBe(499)
    expect(backoffMs(3, 0.5)).toBe(2_000)
    expect(backoffMs(2_000, 0.5)).toBe(15_000)
    expect(backoffMs(5, 0)).toBe(0)
    expect(backoffMs(0, 0.5, { retryAfterMs: 60_000 })).toBe(60_250)
  })
})

describe('a peer that breaks the protocol', () => {
  test('by sending past its credit is closed', () => {
    const pair = live({ accepterLimits: { windowBytes: 256 * 1024 } })
    pair.accepter.slowDisk = true
    const entries = [
      {
        kind: 'event' as const,
        document: 'x',
        collection: A,
        generation: 0,
        bytes: new Uint8Array(100_000),
      },
    ]
    const bytes = encodeFrame({
      type: 'events',
      after: 0,
      upTo: 0,
      final: false,
      backfill: undefined,
      entries,
    })
    for (let i = 0; i < 3; i += 1) pair.accepter.session.handleMessage(bytes, pair.nowMs)
    pair.accepter.drain(pair.nowMs)
    expect(pair.accepter.closed).toMatchObject({ code: 'PROTOCOL_LIMIT_EXCEEDED' })
  })

  test('by speaking no common version is told so', () => {
    const pair = new SessionPair(new TinyReplica('edge', [A]), new TinyReplica('cloud', [A]))
    const hello = encodeFrame({
      type: 'hello',
      versions: [99],
      replica: 'edge',
      epoch: '00112233445566aa',
      head: 0,
      peerEpoch: undefined,
      cursor: 0,
      acked: 0,
      credit: 0,
      subscriptions: [],
      incomplete: [],
      token: undefined,
    })
    pair.dialer.wire[0] = hello
    pair.run()
    expect(pair.accepter.closed).toMatchObject({
      code: 'PROTOCOL_VERSION_UNSUPPORTED',
      retryable: false,
    })
    expect(pair.dialer.closed).toMatchObject({
      code: 'PROTOCOL_VERSION_UNSUPPORTED',
      retryable: false,
    })
  })

  test('by acknowledging what was never sent is closed, with the field named', () => {
    const pair = live()
    const ack = encodeFrame({
      type: 'ack',
      received: 99,
      durable: 99,
      credit: 0,
      upTo: 0,
      filled: [],
    })
    pair.dialer.session.handleMessage(ack, pair.nowMs)
    pair.dialer.drain(pair.nowMs)
    expect(pair.dialer.closed).toMatchObject({
      code: 'PROTOCOL_REMOTE',
      message: 'ACK: received is past what was sent',
    })
  })

  test('is refused by the accepter with a reason and a time to wait', () => {
    const pair = new SessionPair(new TinyReplica('edge', [A]), new TinyReplica('cloud', [A]))
    const reason = {
      code: 'ACCESS_DENIED' as const,
      message: 'not you',
      retryable: true,
      retryAfterMs: 7_000,
    }
    pair.accepter.session.refuse(reason, pair.nowMs)
    pair.accepter.drain(pair.nowMs)
    pair.run()
    expect(pair.dialer.closed).toEqual(reason)
  })
})
