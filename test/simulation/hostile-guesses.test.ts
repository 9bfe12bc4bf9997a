import { afterEach, beforeEach, expect, test } from 'vitest'

import type { Frame } from '../../src/core/sync/message.ts'
import type { DocumentState } from '../../src/core/sync/reconcile-frames.ts'
import { HostilePlace } from '../support/hostile-place.ts'
import { RawPeer } from '../support/raw-peer.ts'

const MALLORY = { principal: 'mallory' }

let place: HostilePlace
beforeEach(async () => {
  place = await HostilePlace.open()
})
afterEach(async () => {
  await place.alone()
  await place.converge()
  await place.close()
})

/** What is said of a document that `mallory` says to have, in a collection that it shares. */
async function told(
  document: string,
  fields: Partial<DocumentState> = {},
): Promise<readonly Frame[]> {
  const peer = await RawPeer.greet(place.hub, MALLORY, { subscriptions: ['open'] })
  const names = new Uint8Array(8).fill(3)
  const state = { document, home: 'here', generation: 1, moves: 0, names, ...fields } as const
  peer.send({ type: 'ask-entries', question: 1, collection: 'open', documents: [state] })
  await peer.next('tell-entries')
  // Of the greeting nothing is compared; what follows the answer is here when the next one is.
  peer.send({ type: 'ask-ranges', question: 2, ranges: [{ ...ALL, collection: 'open' }] })
  await peer.next('tell-ranges')
  const about = peer.frames.filter(
    (frame) =>
      frame.type === 'tell-entries' || (frame.type === 'events' && isNamed(frame, document)),
  )
  await peer.connection.close()
  return JSON.parse(JSON.stringify(about).replaceAll(document, 'it')) as Frame[]
}

const ALL = { from: '', to: undefined, fingerprint: undefined }

function isNamed(frame: Extract<Frame, { type: 'events' }>, document: string): boolean {
  return frame.entries.some((entry) => entry.document === document)
}

test.each<readonly [string, Partial<DocumentState>]>([
  ['is here', {}],
  ['is here, with more entries than it can name', { names: undefined }],
  ['was never heard of', { home: 'none', names: new Uint8Array(0) }],
  ['left', { home: 'left', names: new Uint8Array(0) }],
  ['is of a later generation', { generation: 2 ** 33 + 5 }],
  ['is at home elsewhere', { home: { collection: 'shared' } }],
])('who guesses that a document %s does not learn whether there is one', async (_, fields) => {
  expect(await told('private/1', fields)).toEqual(await told('private/0', fields))
})

test('a peer that shared a document learns that it left', async () => {
  const note = await place.cloud.open('open/moved', { collection: 'open' })
  note.change(() => ({ a: 1 }))
  await note.durable()
  await note.close()
  await place.cloud.move('open/moved', 'private')
  const said = await told('open/moved')
  expect(said).toContainEqual(expect.objectContaining({ type: 'tell-entries', follows: true }))
})
