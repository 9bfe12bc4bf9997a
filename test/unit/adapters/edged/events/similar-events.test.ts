import { expect, test } from 'vitest'
import type { Occurrence } from '../../../../../src/adapters/edged/events/event-record.ts'
import { SimilarEvents } from '../../../../../src/adapters/edged/events/similar-events.ts'

function unhealthy(message: string): Occurrence {
  const object = { kind: 'Pod', namespace: 'default', name: 'web', uid: 'u-1' } as const
  return { ...object, type: 'Warning', reason: 'Unhealthy', message }
}

test('the tenth message of one reason stands for all that follow, until it is silent for long', () => {
  const similar = new SimilarEvents()
  const told = Array.from({ length: 12 }, (_, index) =>
    similar.combine(unhealthy(`no ${index}`), index),
  )
  const messages = told.map(({ occurrence }) => occurrence.message)
  expect(messages.slice(8)).toEqual([
    'no 8',
    '(combined from similar events): no 9',
    '(combined from similar events): no 10',
    '(combined from similar events): no 11',
  ])
  const keys = told.map(({ key }) => key)
  expect(new Set(keys).size).toBe(10)
  expect(similar.combine(unhealthy('no 3'), 20).key).toBe(keys[3])
  expect(similar.combine(unhealthy('late'), 700_000).occurrence.message).toBe('late')
})
