import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeFrame } from '../../src/core/sync/message-codec.ts'
import { frame } from '../support/frames.ts'
import { SessionPair } from '../support/session-pair.ts'
import { TinyReplica } from '../support/tiny-replica.ts'

const A = 'a'

function pair(): SessionPair {
  const edge = new TinyReplica('edge', [A])
  const cloud = new TinyReplica('cloud', [A])
  for (let i = 0; i < 5; i += 1) {
    edge.write(A, `e${i}`, `edge ${i}`)
    cloud.write(A, `c${i}`, `cloud ${i}`)
  }
  return new SessionPair(edge, cloud)
}

test('whatever a peer sends, in whatever order, the session closes with a code or goes on', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 4 }),
      fc.array(frame, { maxLength: 20 }),
      fc.boolean(),
      (steps, frames, atDialer) => {
        const talk = pair()
        for (let i = 0; i < steps; i += 1) talk.step()
        const victim = atDialer ? talk.dialer : talk.accepter
        for (const sent of frames) {
          victim.session.handleMessage(encodeFrame(sent), talk.nowMs)
          victim.drain(talk.nowMs)
        }
        expect(victim.session.state === 'closed').toBe(victim.closed !== undefined)
        expect(victim.session.poll()).toBeUndefined()
      },
    ),
    { numRuns: 400 },
  )
})

test('a flipped bit in a conversation never throws, and a fresh connection heals what it did', () => {
  fc.assert(
    fc.property(fc.nat({ max: 3 }), fc.nat(), (message, where) => {
      const talk = pair()
      for (let i = 0; i < message; i += 1) talk.step()
      const wire = talk.dialer.wire[0] ?? talk.accepter.wire[0]
      if (wire === undefined) return
      const index = (where >> 3) % wire.length
      wire[index] = (wire[index] ?? 0) ^ (1 << (where & 7))
      for (let i = 0; i < 50; i += 1) talk.step()
      talk.cut()
    }),
    { numRuns: 400 },
  )
})

test('two replicas converge whatever is written when, and however often the connection is lost', () => {
  const act = fc.record({ side: fc.boolean(), steps: fc.nat({ max: 3 }), cut: fc.nat({ max: 9 }) })
  fc.assert(
    fc.property(fc.array(act, { minLength: 1, maxLength: 40 }), (acts) => {
      const edge = new TinyReplica('edge', [A])
      const cloud = new TinyReplica('cloud', [A])
      let talk = new SessionPair(edge, cloud)
      acts.forEach(({ side, steps, cut }, i) => {
        talk.write(side ? talk.dialer : talk.accepter, A, `doc-${i % 5}`, `edit ${i}`)
        for (let k = 0; k < steps; k += 1) talk.step()
        if (cut !== 0) return
        talk.cut()
        talk = new SessionPair(edge, cloud)
      })
      talk.run()
      expect(edge.content([A])).toEqual(cloud.content([A]))
      expect(talk.dialer.session.reconciling.runs).toBe(0)
    }),
    { numRuns: 200 },
  )
})
