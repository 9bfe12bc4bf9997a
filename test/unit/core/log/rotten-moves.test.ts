import { expect, test } from 'vitest'
import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { packEvents } from '../../../../src/core/log/entry.ts'
import type { EventLog } from '../../../../src/core/log/event-log.ts'
import type { CheckedEvent, IncomingEntry } from '../../../../src/core/log/submission.ts'
import { Author, incoming } from '../../../support/author.ts'
import { openLog } from '../../../support/memory-log.ts'

const remote = (...entries: readonly IncomingEntry[]) =>
  ({ type: 'remote', from: 'peer', entries, peer: undefined, check: () => undefined }) as const

function join(events: readonly CheckedEvent[], collection: string): IncomingEntry {
  const bytes = packEvents(events.map((event) => event.bytes))
  return { wire: { kind: 'join', document: 'd', collection, generation: 1, bytes }, events }
}

test.each([
  ['here', (log: EventLog) => log.commit({ type: 'move', document: 'd', to: 'new' })],
  [
    'by a peer',
    (log: EventLog, all: readonly CheckedEvent[]) => log.commit(remote(join(all, 'new'))),
  ],
])(
  'a document that was moved %s keeps its events when what tells of the move rots',
  async (_, move) => {
    const medium = new MemoryMedium()
    const log = await openLog({ storage: memoryStorage({ medium }) })
    const author = new Author()
    const events = [author.set('a', 1), author.set('a', 2)]
    await log.commit(remote(...events.map((event) => incoming('d', event, 'old'))))
    await move(log, events)
    const digest = (await log.digest(['new'])).sum
    const moved = (await log.readDocument('d')).find(({ kind }) => kind === 'join')
    medium.corrupt(moved?.position ?? 0)
    expect(await log.repairs.repair('d', 0)).toMatchObject({
      positions: [moved?.position],
      lost: [],
    })
    const left = (await log.readDocument('d')).flatMap(({ hash }) => hash ?? [])
    expect(left).toEqual(events.map(({ header }) => header.hash))
    expect((await log.digest(['new'])).sum).toBe(digest)
    expect(await log.record('d')).toMatchObject({ collection: 'new', left: false })
  },
)
