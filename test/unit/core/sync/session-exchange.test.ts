import { describe, expect, test } from 'vitest'
import { SessionPair } from '../../../support/session-pair.ts'
import { TinyReplica } from '../../../support/tiny-replica.ts'

const A = 'node/a'
const B = 'shared/b'

function pairOf(options: { a?: readonly string[]; b?: readonly string[] } = {}): {
  edge: TinyReplica
  cloud: TinyReplica
} {
  return {
    edge: new TinyReplica('edge', options.a ?? [A]),
    cloud: new TinyReplica('cloud', options.b ?? [A]),
  }
}

describe('a first exchange', () => {
  test('gives both sides everything of the shared collections', () => {
    const { edge, cloud } = pairOf()
    edge.write(A, 'x', 'from the edge')
    cloud.write(A, 'y', 'from the cloud')
    cloud.write(B, 'z', 'of another collection')
    const pair = new SessionPair(edge, cloud).run()
    expect(edge.content([A])).toEqual(cloud.content([A]))
    expect(edge.content([B])).toEqual([])
    expect(pair.messages).toBe(3)
    expect(edge.peers.get('cloud')).toMatchObject({ cursor: 3, acked: 1, complete: [A] })
    expect(cloud.peers.get('edge')).toMatchObject({ cursor: 2, complete: [A] })
  })

  test('larger than the initial credit goes on under credit, and is verified', () => {
    const { edge, cloud } = pairOf()
    for (let i = 0; i < 3000; i += 1) edge.write(A, `doc-${i}`, `text ${i} `.repeat(40))
    const pair = new SessionPair(edge, cloud).run()
    expect(cloud.content([A])).toEqual(edge.content([A]))
    expect(pair.dialer.session.agreed).toBe(true)
    expect(pair.dialer.session.reconciling.runs).toBe(0)
    expect(pair.dialer.sent[0]?.length).toBeLessThanOrEqual(65 * 1024)
  })

  test('carries an entry that is larger than a frame and than the window', () => {
    const { edge, cloud } = pairOf()
    const large = new Uint8Array(3 * 1024 * 1024).map((_, i) => i % 251)
    edge.write(A, 'large', large)
    edge.write(A, 'small', 'after it')
    cloud.write(A, 'other', large.subarray(1, 300_000))
    const pair = new SessionPair(edge, cloud).run()
    expect(cloud.content([A])).toEqual(edge.content([A]))
    expect(pair.dialer.session.agreed).toBe(true)
    for (const message of pair.dialer.sent) expect(message.length).toBeLessThanOrEqual(1024 * 1024)
  })

  test('names the collections that are not shared', () => {
    const { edge, cloud } = pairOf({ a: [A, B] })
    const pair = new SessionPair(edge, cloud).run()
    expect(pair.dialer.established).toEqual([[A]])
    expect(pair.dialer.refused).toMatchObject([{ collection: B, code: 'ACCESS_DENIED' }])
  })

  test('tells a refused entry to its author, and both still agree', () => {
    const { edge, cloud } = pairOf()
    cloud.refuses = '!'.charCodeAt(0)
    edge.write(A, 'x', 'good')
    edge.write(A, 'x', '!bad')
    const pair = new SessionPair(edge, cloud).run()
    expect(cloud.content([A])).toHaveLength(1)
    expect(pair.dialer.rejected).toMatchObject([{ document: 'x', code: 'ACCESS_DENIED' }])
    expect(pair.dialer.session.agreed).toBe(true)
    expect(pair.messages).toBe(2)
  })
})

describe('a live session', () => {
  test('sends an edit at once, and an ACK for it, and then is silent', () => {
    const { edge, cloud } = pairOf()
    const pair = new SessionPair(edge, cloud).run()
    const before = pair.messages
    pair.write(pair.accepter, A, 'x', 'hello')
    expect(pair.accepter.wire).toHaveLength(1)
    pair.run()
    expect(edge.content([A])).toEqual(cloud.content([A]))
    expect(pair.messages - before).toBe(2)
    expect(pair.accepter.acknowledged.at(-1)).toBe(1)
  })

  test('does not send back what it got', () => {
    const { edge, cloud } = pairOf()
    const pair = new SessionPair(edge, cloud).run()
    const before = pair.bytes
    for (let i = 0; i < 10; i += 1) {
      pair.write(pair.dialer, A, 'x', `edit ${i}`)
      pair.run()
    }
    expect(pair.bytes - before).toBeLessThan(10 * 80)
    // Positions move on all the same, so that a reconnect reads nothing twice.
    expect(edge.peers.get('cloud')?.cursor).toBeGreaterThanOrEqual(9)
  })

  test('gathers while the transport is not writable', () => {
    const { edge, cloud } = pairOf()
    const pair = new SessionPair(edge, cloud).run()
    pair.dialer.session.handleWritable(false, pair.nowMs)
    for (let i = 0; i < 50; i += 1) pair.write(pair.dialer, A, 'x', `edit ${i}`)
    expect(pair.dialer.wire).toHaveLength(0)
    pair.dialer.session.handleWritable(true, pair.nowMs)
    pair.dialer.drain(pair.nowMs)
    expect(pair.dialer.wire.length).toBeLessThanOrEqual(2)
    pair.run()
    expect(cloud.content([A])).toEqual(edge.content([A]))
  })

  test('a peer that appends slowly holds a page of ours, not our log', () => {
    const { edge, cloud } = pairOf()
    const pair = new SessionPair(edge, cloud).run()
    pair.accepter.slowDisk = true
    for (let i = 0; i < 4000; i += 1) pair.write(pair.dialer, A, `doc-${i}`, 'x'.repeat(1000))
    pair.run()
    // Four megabytes were written; the window and one page are all that left the log.
    const readsThen = pair.dialer.reads
    expect(pair.dialer.bytesSent).toBeLessThan(1.2 * 1024 * 1024)
    for (let i = 0; i < 100; i += 1) pair.write(pair.dialer, A, `more-${i}`, 'y')
    expect(pair.dialer.reads).toBe(readsThen)
    expect(pair.accepter.waiting.length).toBeLessThanOrEqual(2)
    pair.accepter.slowDisk = false
    while (pair.accepter.waiting.length > 0) {
      pair.accepter.waiting.shift()?.()
      pair.accepter.drain(pair.nowMs)
      pair.run()
    }
    expect(cloud.content([A])).toEqual(edge.content([A]))
  })

  test('says that entries are here when the disk is slow, and durable only later', () => {
    const { edge, cloud } = pairOf()
    const pair = new SessionPair(edge, cloud).run()
    pair.accepter.slowDisk = true
    pair.write(pair.dialer, A, 'x', 'hello')
    pair.run()
    pair.pass(60)
    const first = pair.dialer.outputs.findLast((output) => output.type === 'acknowledged')
    expect(first).toMatchObject({ received: 1, durable: 0 })
    pair.accepter.waiting.shift()?.()
    pair.accepter.drain(pair.nowMs)
    pair.run()
    const last = pair.dialer.outputs.findLast((output) => output.type === 'acknowledged')
    expect(last).toMatchObject({ received: 1, durable: 1 })
  })

  test('survives random writes on both sides with one order of delivery or another', () => {
    const { edge, cloud } = pairOf()
    const pair = new SessionPair(edge, cloud)
    for (let i = 0; i < 300; i += 1) {
      pair.write(i % 3 === 0 ? pair.dialer : pair.accepter, A, `doc-${i % 7}`, `edit ${i}`)
      if (i % 5 === 0) pair.step()
    }
    pair.run()
    expect(edge.content([A])).toEqual(cloud.content([A]))
    expect(pair.dialer.session.reconciling.runs + pair.accepter.session.reconciling.runs).toBe(0)
    expect(pair.dialer.session.agreed).toBe(true)
  })
})

describe('a new subscription', () => {
  test('brings the history of both sides, and then goes on live', () => {
    const { edge, cloud } = pairOf({ b: [A, B] })
    edge.write(B, 'mine', 'offline work')
    for (let i = 0; i < 500; i += 1) cloud.write(B, `doc-${i}`, 'x'.repeat(500))
    const pair = new SessionPair(edge, cloud).run()
    edge.shares.add(B)
    pair.dialer.session.subscribe([B], pair.nowMs)
    pair.dialer.drain(pair.nowMs)
    pair.write(pair.accepter, B, 'during', 'the backfill')
    pair.run()
    expect(edge.content([B])).toEqual(cloud.content([B]))
    expect(edge.content([B])).toHaveLength(502)
    expect(pair.dialer.established.at(-1)).toEqual([A, B])
    expect(edge.peers.get('cloud')?.complete).toEqual([A, B])
    expect(cloud.peers.get('edge')?.complete).toEqual([A, B])
    pair.write(pair.accepter, B, 'live', 'now')
    pair.run()
    expect(edge.content([B])).toEqual(cloud.content([B]))
    expect(pair.dialer.session.agreed).toBe(true)
  })

  test('may come from the accepter', () => {
    const { edge, cloud } = pairOf({ a: [A, B] })
    const pair = new SessionPair(edge, cloud, { subscriptions: [A] }).run()
    cloud.write(B, 'x', 'cloud')
    edge.write(B, 'y', 'edge')
    cloud.shares.add(B)
    pair.accepter.session.subscribe([B], pair.nowMs)
    pair.accepter.drain(pair.nowMs)
    pair.run()
    expect(edge.content([B])).toEqual(cloud.content([B]))
    expect(edge.content([B])).toHaveLength(2)
  })

  test('that is refused is said so', () => {
    const { edge, cloud } = pairOf()
    const pair = new SessionPair(edge, cloud).run()
    pair.dialer.session.subscribe([B], pair.nowMs)
    pair.dialer.drain(pair.nowMs)
    pair.run()
    expect(pair.dialer.refused).toMatchObject([{ collection: B, code: 'ACCESS_DENIED' }])
    expect(pair.dialer.session.granted).toEqual([A])
  })

  test('cut in the middle of its backfill starts it again, and nothing is missed', () => {
    for (let steps = 1; steps < 9; steps += 1) {
      const { edge, cloud } = pairOf({ b: [A, B] })
      cloud.write(A, 'a', 'known to both')
      edge.write(B, 'mine', 'offline work')
      for (let i = 0; i < 1500; i += 1) cloud.write(B, `doc-${i}`, 'x'.repeat(500))
      const first = new SessionPair(edge, cloud).run()
      edge.shares.add(B)
      first.dialer.session.subscribe([B], first.nowMs)
      first.dialer.drain(first.nowMs)
      for (let i = 0; i < steps; i += 1) first.step()
      first.cut()
      const again = new SessionPair(edge, cloud).run()
      expect(edge.content([B])).toEqual(cloud.content([B]))
      expect(edge.peers.get('cloud')?.complete).toEqual([A, B])
      expect(again.dialer.session.reconciling.runs).toBe(0)
    }
  })

  test('in a later HELLO backfills what was written before it was shared', () => {
    const { edge, cloud } = pairOf({ b: [A, B] })
    cloud.write(B, 'early', 'before')
    cloud.write(A, 'a', 'moves the cursor past it')
    new SessionPair(edge, cloud).run().cut()
    edge.shares.add(B)
    const pair = new SessionPair(edge, cloud).run()
    expect(edge.content([B])).toHaveLength(1)
    expect(pair.dialer.session.reconciling.runs).toBe(0)
    expect(pair.dialer.session.agreed).toBe(true)
  })
})
