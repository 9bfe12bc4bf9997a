import { expect, test } from 'vitest'
import { nextRun, RESTART_BACKOFF } from '../../../../src/adapters/edged/backoff.ts'
import { RunTimes } from '../../../../src/adapters/edged/run-times.ts'
import { ended, pod, run } from './pods.ts'

const HOUR = 3_600_000
const of = pod()

/** A clock whose wall can be set apart from the time that passes. */
class SetClock {
  passedMs = 0
  offsetMs = 1_000_000_000

  monotonicMs(): number {
    return this.passedMs
  }

  wallMs(): number {
    return this.passedMs + this.offsetMs
  }

  schedule(): () => void {
    throw new Error('nothing is to be scheduled')
  }
}

const jumps = [2 * HOUR, -2 * HOUR, 30 * 24 * HOUR]

test.each(jumps)('the wall clock jumps by %i ms: waits last as long as they did', (jumpMs) => {
  const clock = new SetClock()
  const times = new RunTimes(clock)
  const startedAtMs = clock.wallMs()
  times.seen('u-1', [run(of, 'main', { startedAtMs })])
  clock.passedMs = 5_000
  const end = ended(of, 'main', 1, { startedAtMs, finishedAtMs: clock.wallMs() })
  times.seen('u-1', [end])
  clock.offsetMs += jumpMs
  clock.passedMs = 8_000
  const [after] = times.seen('u-1', [end])
  expect(after).toMatchObject({
    startedAtMs: clock.wallMs() - 8_000,
    finishedAtMs: clock.wallMs() - 3_000,
  })
  const past = { ...after, backoffMs: 10_000 } as const
  const { startedAtMs: began, finishedAtMs: over } = past
  const next = nextRun(
    { backoffMs: 10_000, startedAtMs: began, finishedAtMs: over },
    RESTART_BACKOFF,
  )
  expect(next).toMatchObject({ notBeforeMs: clock.wallMs() + 7_000, backoffMs: 20_000 })
})

test.each(jumps)('a runtime whose clock is off by %i ms shortens no wait', (offMs) => {
  const clock = new SetClock()
  const times = new RunTimes(clock)
  times.seen('u-1', [])
  clock.passedMs = 1_000
  const theirs = clock.wallMs() - offMs
  const [seen] = times.seen('u-1', [
    ended(of, 'main', 1, { startedAtMs: theirs, finishedAtMs: theirs }),
  ])
  expect(clock.wallMs() - (seen?.finishedAtMs ?? 0)).toBeLessThanOrEqual(1_000)
  expect(seen?.finishedAtMs).toBeLessThanOrEqual(clock.wallMs())
})

test('what ended before this process began ended when the runtime says', () => {
  const clock = new SetClock()
  const times = new RunTimes(clock)
  const finishedAtMs = clock.wallMs() - 60_000
  const [seen] = times.seen('u-1', [ended(of, 'main', 1, { startedAtMs: 1_000, finishedAtMs })])
  expect(seen?.finishedAtMs).toBe(finishedAtMs)
})
