import { afterEach, beforeEach, expect, test } from 'vitest'

import type { RangeAnswer, RangeQuestion } from '../../src/core/sync/reconcile-frames.ts'
import { HostilePlace } from '../support/hostile-place.ts'
import { RawPeer } from '../support/raw-peer.ts'

const MALLORY = { principal: 'mallory' }

let place: HostilePlace
beforeEach(async () => {
  place = await HostilePlace.open()
  const handle = await place.cloud.open<Record<string, number>>('open/long', { collection: 'open' })
  for (let i = 0; i < 70; i += 1) {
    handle.change((draft) => {
      draft['n'] = i
    })
  }
  await handle.durable()
  await handle.close()
})
afterEach(async () => {
  await place.alone()
  await place.converge()
  await place.close()
})

/** Two parts, of which the second can be split again, and again. */
function split({ from, to }: RangeQuestion): RangeAnswer {
  const fingerprint = new Uint8Array(8).fill(9)
  if (to !== undefined) return { kind: 'documents', documents: [] }
  const parts = [
    { to: `${from}z`, fingerprint },
    { to: undefined, fingerprint },
  ]
  return { kind: 'parts', parts }
}

test('a peer that splits what differs for ever is told apart soon', async () => {
  const hello = { subscriptions: ['open'], held: [0] }
  const peer = await RawPeer.greet(place.hub, MALLORY, hello)
  const answered = new Set<number>()
  for (let open = true; open; ) {
    const asked = await peer.until(
      () =>
        peer.frames.find(
          (frame) =>
            frame.type === 'close' ||
            (frame.type === 'ask-ranges' && !answered.has(frame.question)),
        ),
      'a question',
    )
    open = asked.type === 'ask-ranges'
    if (asked.type !== 'ask-ranges') break
    answered.add(asked.question)
    const answers = asked.ranges.map(split)
    peer.send({ type: 'tell-ranges', question: asked.question, answers })
  }
  expect((await peer.close()).code).toBe('PROTOCOL_LIMIT_EXCEEDED')
  expect(answered.size).toBeLessThan(100)
  await peer.connection.close()
})
