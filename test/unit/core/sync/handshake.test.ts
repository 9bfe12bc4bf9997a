import { describe, expect, test } from 'vitest'
import {
  agreeAsAccepter,
  helloFrame,
  type StartInput,
} from '../../../../src/core/sync/handshake.ts'
import type { PeerState } from '../../../../src/core/sync/io.ts'

const CLOUD = { replica: 'cloud', epoch: '00000000000000aa' }
const EDGE = { replica: 'edge-1', epoch: '00000000000000bb' }
const NODE = 'node/edge-1'
const SHARED = 'shared/all'

/** What each side remembers of the other: everything was exchanged, and the edge has read nothing yet. */
const OF_CLOUD: PeerState = { ...CLOUD, cursor: 0, acked: 100, complete: [NODE] }
const OF_EDGE: PeerState = { ...EDGE, cursor: 100, acked: 0, complete: [NODE] }

function agree(ofCloud: PeerState, ofEdge: PeerState, subscriptions: readonly string[] = [NODE]) {
  const input: StartInput = { peer: ofCloud, subscriptions, held: subscriptions, head: 100 }
  const hello = helloFrame(EDGE, input, 0)
  const admission = { peer: ofEdge, granted: subscriptions, refused: [], head: 500 }
  return agreeAsAccepter(CLOUD, hello, { ...admission, held: subscriptions })
}

describe('a cursor of 0', () => {
  test('in the epoch that the log still has is where the log goes on from', () => {
    expect(agree(OF_CLOUD, OF_EDGE)).toMatchObject({
      ...{ sendFrom: 0, readFrom: 100, reconcile: [], backfill: [] },
    })
  })

  test.each([
    ['of another epoch', { ...OF_CLOUD, epoch: '00000000000000cc' }, OF_EDGE],
    ["in another epoch of the peer's log", OF_CLOUD, { ...OF_EDGE, epoch: '00000000000000cc' }],
    ['that took the place of one past the head', { ...OF_CLOUD, cursor: 501 }, OF_EDGE],
  ])('%s is void: what differs is asked for', (_, ofCloud, ofEdge) => {
    expect(agree(ofCloud, ofEdge)).toMatchObject({ reconcile: [NODE], backfill: [] })
  })

  test('is a head where another collection is asked about, and its own is asked about as well', () => {
    expect(agree(OF_CLOUD, OF_EDGE, [NODE, SHARED])).toMatchObject({
      ...{ sendFrom: 500, readFrom: 100, reconcile: [NODE, SHARED], backfill: [] },
    })
  })
})
