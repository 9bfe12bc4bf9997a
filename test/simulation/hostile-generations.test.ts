import { change, getLastLocalChange, init } from '@automerge/automerge'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { makeBeginning } from '../../src/core/log/generation-beginning.ts'
import { cutActor, rewriteActor } from '../../src/core/log/generation-origin.ts'
import type { WireEntry } from '../../src/core/sync/io.ts'
import { Author } from '../support/author.ts'
import { craftChange, repeatedOperation } from '../support/crafted-events.ts'
import { HostilePlace } from '../support/hostile-place.ts'
import { sha256 } from '../support/memory-log.ts'
import { eventsFrame, RawPeer, wireEntry } from '../support/raw-peer.ts'

const MALLORY = { principal: 'mallory' }

let place: HostilePlace
beforeEach(async () => {
  place = await HostilePlace.open()
})
afterEach(async () => {
  await place.converge()
  await place.close()
})

/** Sends events of one document; resolves when they are stored, with the codes of what was refused. */
function write(id: string, events: readonly Uint8Array[]): Promise<readonly string[]> {
  return send(
    id,
    events.map((bytes) => wireEntry('event', id, 'open', bytes)),
  )
}

async function send(id: string, entries: readonly WireEntry[]): Promise<readonly string[]> {
  const peer = await RawPeer.greet(place.hub, MALLORY, { subscriptions: ['open'] })
  for (const entry of entries) peer.send(eventsFrame(entry))
  const last = new Author('cc'.repeat(8)).set('a', 1).bytes
  peer.send(eventsFrame(wireEntry('event', 'shared/marker', 'shared', last)))
  const all = () => peer.frames.flatMap((said) => (said.type === 'rejects' ? said.rejects : []))
  await peer.until(() => all().find(({ document }) => document === 'shared/marker'), 'the refusals')
  await peer.connection.close()
  await place.alone()
  return all().flatMap(({ document, code }) => (document === id ? [code] : []))
}

/** After a cut of what `mallory` wrote, both replicas still edit the document and agree. */
async function stillWorks(id: string): Promise<void> {
  await place.cloud.compact(id)
  await place.converge()
  for (const replica of [place.cloud, place.honest]) {
    const handle = await replica.open<Record<string, number>>(id, { collection: 'open' })
    handle.change((draft) => {
      draft[replica.name] = 1
    })
    await handle.durable()
    await handle.close()
  }
  await place.converge()
  for (const replica of [place.cloud, place.honest])
    expect(await place.value(replica, id)).toMatchObject({ cloud: 1, honest: 1 })
}

/** An event with any message. */
function saying(message: string, actor: string): Uint8Array {
  const doc = change(init<Record<string, number>>({ actor }), { time: 0, message }, (draft) => {
    draft['a'] = 1
  })
  const bytes = getLastLocalChange(doc)
  if (bytes === undefined) throw new Error('nothing changed')
  return bytes
}

describe('what one writer puts into a document that another one cuts', () => {
  test.each([
    ['a generation to come', `${2 ** 40}`, '1'],
    ['a generation past every number', '9999999999999999', '1'],
    ['a place past every number', '1', '9999999999999999'],
  ])('a mark that names %s', async (_, generation, sequence) => {
    const actor = 'dd'.repeat(8)
    const writer = rewriteActor(actor, { generation: Number(generation) }, 1, sha256)
    const mark = `\nrebased ${'ab'.repeat(32)} ${generation} ${actor}/${sequence} 80`
    await write('open/marked', [saying(mark, writer)])
    await stillWorks('open/marked')
  })

  test('more writers than a base can tell of', async () => {
    const id = 'open/crowd'
    const reach = new Map(
      Array.from({ length: 10_000 }, (_, i) => {
        return [i.toString(16).padStart(16, '0'), { generation: 1, sequence: 1 }] as const
      }),
    )
    const state = new Author(cutActor(id, 1, sha256)).set('a', 1)
    const { generation, bytes } = makeBeginning(1, reach, state, sha256)
    const base = { ...wireEntry('base', id, 'open', bytes), generation }
    const one = new Author('ee'.repeat(8)).set('b', 1).bytes
    await send(id, [base, { ...wireEntry('event', id, 'open', one), generation }])
    await stillWorks(id)
  })

  test('a state that is too much for one event', async () => {
    const events = ['x', 'y', 'z'].map((key, i) => {
      const actor = `${i}`.repeat(16)
      let doc = init<Record<string, unknown>>({ actor })
      doc = change(doc, { time: 0 }, (draft) => {
        draft[key] = 'q'.repeat(120_000)
      })
      return getLastLocalChange(doc) ?? new Uint8Array(0)
    })
    await write('open/long', events)
    await stillWorks('open/long')
  }, 300_000)

  test('more unreadable events than a document may have', async () => {
    const events = Array.from({ length: 40 }, (_, i) =>
      craftChange({
        columns: [[0x42, [1, 2, 3]]],
        actor: i.toString(16).padStart(16, '0'),
      }),
    )
    const good = new Author().set('a', 1).bytes
    await write('open/broken', [good, ...events])
    await place.cloud.compact('open/broken')
    await place.converge()
  })

  test('an event far ahead in the name of another writer', async () => {
    const honest = await place.honest.open<Record<string, number>>('open/race', {
      collection: 'open',
    })
    honest.change(() => ({ first: 1 }))
    await honest.durable()
    await place.converge()
    const actor = place.honest.actor
    const far = craftChange({ columns: repeatedOperation(1), actor, sequence: 2 ** 40 })
    await write('open/race', [far])
    // The cut and the next edit pass each other.
    const cut = place.cloud.compact('open/race')
    honest.change((draft) => {
      draft['second'] = 2
    })
    await Promise.all([cut, honest.durable()])
    await place.converge()
    await honest.close()
    for (const replica of [place.cloud, place.honest])
      expect(await place.value(replica, 'open/race')).toMatchObject({ first: 1, second: 2 })
  })
})
