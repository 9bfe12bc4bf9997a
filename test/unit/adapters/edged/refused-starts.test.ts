import { expect, test } from 'vitest'
import { RefusedStarts } from '../../../../src/adapters/edged/refused-starts.ts'
import { ManualClock } from '../reconciler/manual-clock.ts'

const RUN = { name: 'main', attempt: 0, hash: 'one' }

function refusal(id: string): { readonly reason: string; readonly message: string } {
  const message = `failed to generate container "${id.repeat(64)}" spec: no such device`
  return { reason: 'CreateContainerError', message }
}

test('what was refused waits ten seconds, and no other run does', () => {
  const clock = new ManualClock()
  const starts = new RefusedStarts(clock)
  expect(starts.waiting('pod', RUN)).toBeUndefined()
  expect(starts.wakeAfterMs('pod')).toBeUndefined()
  const told = starts.refused('pod', RUN, refusal('a'))
  clock.advance(4_000)
  expect(starts.waiting('pod', RUN)).toBe(told)
  expect(starts.wakeAfterMs('pod')).toBe(6_000)
  expect(starts.waiting('pod', { ...RUN, attempt: 1 })).toBeUndefined()
  expect(starts.waiting('pod', { ...RUN, hash: 'two' })).toBeUndefined()
  expect(starts.waiting('pod', { ...RUN, name: 'beside' })).toBeUndefined()
  expect(starts.waiting('other', RUN)).toBeUndefined()
  clock.advance(6_000)
  expect(starts.waiting('pod', RUN)).toBeUndefined()
  expect(starts.wakeAfterMs('pod')).toBeUndefined()
})

test('a refusal that differs by the id of the container only is told in the words of the first', () => {
  const starts = new RefusedStarts(new ManualClock())
  const first = starts.refused('pod', RUN, refusal('a'))
  expect(starts.refused('pod', RUN, refusal('b'))).toBe(first)
  const other = { ...refusal('b'), message: 'no room' }
  expect(starts.refused('pod', RUN, other)).toBe(other)
})

test('a pod that is gone is forgotten', () => {
  const starts = new RefusedStarts(new ManualClock())
  starts.refused('pod', RUN, refusal('a'))
  starts.forget('pod')
  expect(starts.waiting('pod', RUN)).toBeUndefined()
})
