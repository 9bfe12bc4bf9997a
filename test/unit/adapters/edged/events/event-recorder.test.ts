import { expect, test } from 'vitest'
import type { Occurrence } from '../../../../../src/adapters/edged/events/event-record.ts'
import { EventRecorder } from '../../../../../src/adapters/edged/events/event-recorder.ts'
import { consoleLogger, systemClock, systemRandom } from '../../../../../src/index.ts'
import { openTestReplica, openTestStore } from '../../../../support/fleet.ts'

function told(reason: string, message: string): Occurrence {
  const object = { kind: 'Pod', namespace: 'default', name: 'web', uid: 'u-1' } as const
  return { ...object, type: 'Normal', reason, message }
}

test('what is told at once is written together, in order, and the same again is counted', async () => {
  await using replica = await openTestReplica()
  const store = await openTestStore(replica)
  const heads: number[] = []
  replica.onAppended((_, head) => heads.push(head))
  const logger = consoleLogger('silent')
  const options = { store, node: 'edge-1', clock: systemClock, random: systemRandom, logger }
  const recorder = new EventRecorder(options)
  for (const reason of ['Pulled', 'Created', 'Started', 'Killing', 'Killing', 'Killing'])
    recorder.record(told(reason, `${reason} it`))
  await recorder.settled()
  const events = store
    .list('events')
    .items.toSorted(
      (a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion),
    )
  expect(events.map(({ reason, count }) => `${reason} ${count}`)).toEqual([
    'Pulled 1',
    'Created 1',
    'Started 1',
    'Killing 3',
  ])
  // Four new ones by one append, and two repetitions by one each.
  expect(heads.length).toBeLessThanOrEqual(3)
  await store.close()
})
