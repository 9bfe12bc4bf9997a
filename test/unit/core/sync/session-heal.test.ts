import { describe, expect, test } from 'vitest'
import { type End, SessionPair } from '../../../support/session-pair.ts'
import { TinyReplica } from '../../../support/tiny-replica.ts'

const A = 'node/a'

function met(): { edge: TinyReplica; cloud: TinyReplica } {
  const edge = new TinyReplica('edge', [A])
  const cloud = new TinyReplica('cloud', [A])
  for (let i = 0; i < 20; i += 1) {
    edge.write(A, `edge-${i}`, `e${i}`)
    cloud.write(A, `cloud-${i}`, `c${i}`)
  }
  new SessionPair(edge, cloud).run().cut()
  return { edge, cloud }
}

describe('a replica that lost part of its log', () => {
  test('and has a new epoch gets back what it had written itself', () => {
    const { edge, cloud } = met()
    const before = edge.content([A])
    edge.loseTail(25, '00000000000000aa')
    edge.peers.clear()
    const pair = new SessionPair(edge, cloud).run()
    expect(edge.content([A])).toEqual(before)
    expect(cloud.content([A])).toEqual(before)
    expect(pair.dialer.session.reconciling.runs).toBeLessThanOrEqual(1)
  })

  test('and has a new epoch is not believed to have what it had given, until both are found equal', () => {
    for (const [one, other] of [
      ['edge', 'cloud'],
      ['cloud', 'edge'],
    ] as const) {
      const both = met()
      const head = both[other].head
      expect(both[other].peers.get(one)?.doubted).toBeUndefined()
      both[one].loseTail(10, '00000000000000aa')
      const broken = new SessionPair(both.edge, both.cloud)
      const end = one === 'edge' ? broken.accepter : broken.dialer
      for (let steps = 0; steps < 9 && end.session.peer === undefined; steps += 1) broken.step()
      expect(end.session.peer?.doubted).toBe(head)
      broken.run()
      // Who compares knows it: mostly that is who dialled.
      expect(both[other].peers.get(one)?.doubted).toBe(end.session.agreed ? undefined : head)
      expect(broken.dialer.session.agreed).toBe(true)
    }
  })

  test('is told so, by how far it was read, before it uses a position twice', () => {
    const { edge, cloud } = met()
    const { head } = edge
    edge.loseTail(10)
    const pair = new SessionPair(edge, cloud).run()
    expect(pair.dialer.lost).toBe(head)
    expect(pair.dialer.closed).toMatchObject({ code: 'STORAGE_CORRUPT', retryable: true })
    expect(pair.accepter.closed).toMatchObject({ code: 'STORAGE_CORRUPT', retryable: true })
  })

  test('and wrote on before anybody noticed is healed as well', () => {
    const { edge, cloud } = met()
    edge.loseTail(10)
    for (let i = 0; i < 12; i += 1) edge.write(A, `again-${i}`, `a${i}`)
    const pair = new SessionPair(edge, cloud).run()
    expect(edge.content([A])).toEqual(cloud.content([A]))
    expect(edge.content([A])).toHaveLength(52)
    expect(pair.accepter.session.reconciling.runs).toBe(1)
  })

  test('is healed when it is the accepter', () => {
    const { edge, cloud } = met()
    const before = edge.content([A])
    cloud.loseTail(15, '00000000000000bb')
    cloud.peers.clear()
    new SessionPair(edge, cloud).run()
    expect(cloud.content([A])).toEqual(before)
    expect(edge.content([A])).toEqual(before)
  })

  test('makes the dialer go back when the accepter knows less than was believed', () => {
    const { edge, cloud } = met()
    const old = cloud.peers.get('edge')
    edge.write(A, 'later', 'x')
    new SessionPair(edge, cloud).run().cut()
    if (old === undefined) throw new Error('they have met')
    cloud.peers.set('edge', { ...old, cursor: 5 })
    edge.write(A, 'last', 'y')
    const pair = new SessionPair(edge, cloud).run()
    expect(cloud.content([A])).toEqual(edge.content([A]))
    expect(cloud.peers.get('edge')?.cursor).toBeGreaterThanOrEqual(edge.head)
    expect(pair.dialer.session.reconciling.runs).toBe(0)
  })

  test('gets back what it had given itself, when that is all that the dialer goes back for', () => {
    const { edge, cloud } = met()
    // The newest entry of the edge's log is one of the cloud's, which no run of the edge sends back.
    cloud.write(A, 'of the cloud', 'z')
    new SessionPair(edge, cloud).run().cut()
    expect(edge.log.at(-1)?.from).toBe('cloud')
    cloud.loseTail(1, '00000000000000bb')
    const [known, believed] = [cloud.peers.get('edge'), edge.peers.get('cloud')]
    if (known === undefined || believed === undefined) throw new Error('they have met')
    cloud.peers.set('edge', { ...known, cursor: edge.head - 1 })
    edge.peers.set('cloud', { ...believed, acked: edge.head })
    new SessionPair(edge, cloud).run()
    expect(cloud.content([A])).toEqual(edge.content([A]))
    expect(cloud.content([A])).toHaveLength(41)
  })

  test('that cannot be healed is left alone for a minute', () => {
    const { edge, cloud } = met()
    // The cloud does not take an entry that it does not reject either: a bug, or a broken disk.
    edge.write(A, 'ghost', 'x')
    const ghost = edge.log.at(-1)
    if (ghost === undefined) throw new Error('it was written')
    cloud.store = (entry, from) =>
      entry.document === 'ghost' ? undefined : TinyReplica.prototype.store.call(cloud, entry, from)
    const pair = new SessionPair(edge, cloud).run()
    const reasons = [pair.dialer, pair.accepter].map((end: End) => end.closed)
    expect(reasons).toContainEqual(
      expect.objectContaining({ code: 'PROTOCOL_DIVERGED', retryable: true, retryAfterMs: 60_000 }),
    )
    expect(reasons.every((reason) => reason !== undefined)).toBe(true)
  })
})
