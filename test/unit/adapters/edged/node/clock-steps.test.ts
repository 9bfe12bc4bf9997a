import { consoleLogger } from 'tideway'
import { expect, test } from 'vitest'
import { ClockSteps, watchSteps } from '../../../../../src/adapters/edged/node/clock-steps.ts'

/** A clock that is set by hand. */
class SetClock {
  nowMs = 1_000
  stepMs = 0
  readonly due: { atMs: number; callback: () => void }[] = []
  readonly monotonicMs = (): number => this.nowMs
  readonly wallMs = (): number => 1_700_000_000_000 + this.nowMs + this.stepMs
  readonly schedule = (delayMs: number, callback: () => void): (() => void) => {
    const timer = { atMs: this.nowMs + delayMs, callback }
    this.due.push(timer)
    return () => this.due.splice(this.due.indexOf(timer), 1)
  }
  pass(ms: number): void {
    this.nowMs += ms
    const due = this.due.splice(0)
    for (const timer of due) {
      if (timer.atMs <= this.nowMs) timer.callback()
      else this.due.push(timer)
    }
  }
}

test('time that passes is no step, however long, and trimming the clock is none either', () => {
  const clock = new SetClock()
  const steps = new ClockSteps(clock)
  clock.pass(3_600_000)
  clock.stepMs += 900
  expect(steps.look()).toBe(0)
  expect(steps.isWithin(1e9)).toBe(false)
})

test.each([7_200_000, -432_000_000])(
  'a step of %d ms is told once, for as long as asked',
  (byMs) => {
    const clock = new SetClock()
    const steps = new ClockSteps(clock)
    clock.stepMs += byMs
    expect(steps.isWithin(60_000)).toBe(true)
    expect(steps.look()).toBe(0)
    clock.pass(59_000)
    expect(steps.isWithin(60_000)).toBe(true)
    clock.pass(1_000)
    expect(steps.isWithin(60_000)).toBe(false)
  },
)

test('who watches is told of each step, and of none after the end', () => {
  const clock = new SetClock()
  let told = 0
  const cancel = watchSteps({
    ...{ clock, logger: consoleLogger('silent') },
    onStep: () => {
      told += 1
    },
  })
  const seen = [10_000, 10_000, 10_000].map((ms, index) => {
    if (index !== 1) clock.stepMs -= 3_600_000
    clock.pass(ms)
    return told
  })
  expect(seen).toEqual([1, 1, 2])
  cancel()
  expect(clock.due).toEqual([])
})

test('a step of long ago is not new to who asks for the first time where somebody watches', () => {
  const clock = new SetClock()
  const steps = new ClockSteps(clock)
  const cancel = watchSteps({ clock, steps })
  clock.stepMs += 3_600_000
  for (let looks = 0; looks < 7; looks += 1) clock.pass(10_000)
  expect(steps.isWithin(60_000)).toBe(false)
  cancel()
})
