import { describe, expect, test } from 'vitest'
import { type End, SessionPair } from '../../../support/session-pair.ts'
import { TinyReplica } from '../../../support/tiny-replica.ts'

const NODE = 'node/edge-1'

/** Two replicas with something in common, and a connection that has ended. */
function met(name = 'cloud'): { readonly edge: TinyReplica; readonly cloud: TinyReplica } {
  const edge = new TinyReplica('edge-1', [NODE])
  const cloud = new TinyReplica(name, [NODE])
  edge.write(NODE, 'a', 'from the edge')
  cloud.write(NODE, 'b', 'from the cloud')
  const pair = new SessionPair(edge, cloud).run()
  expect(pair.dialer.session.agreed).toBe(true)
  pair.cut()
  return { edge, cloud }
}

/** Whether anybody was told that the peer has our log up to `position` before it heard of a refusal. */
function toldTooEarly({ outputs }: End, position: number): boolean {
  const refusal = outputs.findIndex(({ type }) => type === 'rejected')
  const told = outputs.findIndex(
    (output) =>
      (output.type === 'acknowledged' && output.durable >= position) ||
      (output.type === 'append' && output.peer.acked >= position),
  )
  return told >= 0 && (refusal < 0 || told < refusal)
}

describe('a refusal that was lost with the connection', () => {
  test("of the dialer's edit comes again before its place counts as acknowledged", () => {
    const { edge, cloud } = met()
    cloud.refuses = 'x'.charCodeAt(0)
    edge.write(NODE, 'a', 'x: refused')
    const position = edge.head
    const broken = new SessionPair(edge, cloud)
    broken.step()
    expect(cloud.peers.get('edge-1')?.cursor).toBe(position)
    broken.cut()
    expect(broken.dialer.rejected).toEqual([])
    const { dialer } = new SessionPair(edge, cloud).run()
    expect(dialer.rejected).toHaveLength(1)
    expect(toldTooEarly(dialer, position)).toBe(false)
    expect(dialer.acknowledged.at(-1)).toBe(position)
    expect(dialer.session.agreed).toBe(true)
  })

  test('may come later than what the peer has to tell, which finds its place unacknowledged', () => {
    const { edge, cloud } = met()
    cloud.refuses = 'x'.charCodeAt(0)
    edge.write(NODE, 'a', 'x: refused')
    const position = edge.head
    const broken = new SessionPair(edge, cloud)
    broken.step()
    broken.cut()
    cloud.write(NODE, 'b', 'later')
    const pair = new SessionPair(edge, cloud)
    const { accepter, dialer } = pair
    accepter.slowDisk = true
    pair.run()
    pair.pass(1_500)
    expect(dialer.outputs.some(({ type }) => type === 'append')).toBe(true)
    expect(toldTooEarly(dialer, position)).toBe(false)
    accepter.slowDisk = false
    for (const append of accepter.waiting.splice(0)) append()
    accepter.drain(pair.nowMs)
    pair.run()
    expect(dialer.rejected).toHaveLength(1)
    expect(toldTooEarly(dialer, position)).toBe(false)
    expect(dialer.acknowledged.at(-1)).toBeGreaterThanOrEqual(position)
  })

  test("of the accepter's edit comes again before its place counts as acknowledged", () => {
    const { edge, cloud } = met()
    edge.refuses = 'x'.charCodeAt(0)
    cloud.write(NODE, 'b', 'x: refused')
    const position = cloud.head
    const broken = new SessionPair(edge, cloud)
    broken.step()
    broken.step()
    expect(edge.peers.get('cloud')?.cursor).toBe(position)
    broken.cut()
    expect(broken.accepter.rejected).toEqual([])
    const { accepter, dialer } = new SessionPair(edge, cloud).run()
    expect(accepter.rejected).toHaveLength(1)
    expect(toldTooEarly(accepter, position)).toBe(false)
    expect(accepter.acknowledged.at(-1)).toBe(position)
    // The first digest had the edit in it: the dialer finds that, and the accepter the second one equal.
    expect(accepter.session.agreed || dialer.session.agreed).toBe(true)
  })

  test('of one that another answers for counts when the two have compared all', () => {
    const { edge, cloud } = met('cloud-b')
    cloud.refuses = 'x'.charCodeAt(0)
    edge.write(NODE, 'a', 'x: refused')
    const broken = new SessionPair(edge, cloud)
    broken.step()
    broken.cut()
    // Dialled is one that has acknowledged everything; another answers, which has refused something.
    new SessionPair(edge, new TinyReplica('cloud-a', [NODE])).run().cut()
    const dialled = edge.peers.get('cloud-a')
    if (dialled === undefined) throw new Error('the two have not met')
    edge.peers.clear()
    edge.peers.set(cloud.name, dialled)
    const { dialer } = new SessionPair(edge, cloud).run()
    const told = dialer.outputs.findIndex(
      (output) => output.type === 'acknowledged' && output.peer.complete.includes(NODE),
    )
    const refusal = dialer.outputs.findIndex(({ type }) => type === 'rejected')
    expect(refusal).toBeGreaterThanOrEqual(0)
    expect(told).toBeGreaterThan(refusal)
  })
})

test('what came from the peer need not be read again for it', () => {
  const { edge, cloud } = met()
  const pair = new SessionPair(edge, cloud).run()
  for (let i = 0; i < 20; i += 1) {
    pair.write(pair.dialer, NODE, 'a', `edit ${i}`)
    pair.run()
  }
  pair.cut()
  expect(cloud.head).toBeGreaterThan(20)
  expect(cloud.peers.get('edge-1')?.acked).toBeGreaterThanOrEqual(cloud.head - 1)
})

test('a log that holds nothing for a peer is walked over once, however often they meet', () => {
  const edge = new TinyReplica('edge-1', [NODE])
  const cloud = new TinyReplica('cloud', [NODE])
  for (let n = 0; n < 20; n += 1) edge.write(NODE, `d${n}`, 'from the edge')
  new SessionPair(edge, cloud).run().cut()
  new SessionPair(edge, cloud).run().cut()
  const again = new SessionPair(edge, cloud).run()
  expect(again.dialer.session.agreed).toBe(true)
  expect([again.dialer.reads, again.accepter.reads]).toEqual([0, 0])
  expect(cloud.peers.get('edge-1')?.acked).toBe(cloud.head)
})
