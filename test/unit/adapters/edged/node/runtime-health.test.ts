import { expect, test } from 'vitest'
import { RuntimeHealth } from '../../../../../src/adapters/edged/node/runtime-health.ts'
import { ProcessClock, SimulatedTime } from '../../../../simulation/clock.ts'

function world() {
  const time = new SimulatedTime()
  const changes: string[] = []
  const health: RuntimeHealth = new RuntimeHealth({
    clock: new ProcessClock(time, 0),
    downAfterMs: 30_000,
    onChange: ({ isBack }) =>
      changes.push(`${time.nowMs} ${isBack ? 'back' : health.problems.join(', ')}`),
  })
  const until = (ms: number): void => {
    while (time.step(ms));
  }
  return { time, changes, health, until }
}

test('a runtime that answers is not down', () => {
  const { health, changes, until } = world()
  for (let ms = 60_000; ms <= 600_000; ms += 60_000) {
    until(ms)
    health.asked()
    until(ms + 5_000)
    health.answered()
  }
  expect(changes).toEqual([])
  health.close()
})

test('silence is told in the words of kubelet, once each, and so is its end', () => {
  const { health, changes, until } = world()
  until(100_000)
  health.asked()
  until(129_999)
  health.asked()
  expect(health.isDown).toBe(false)
  until(500_000)
  expect(health.isDown).toBe(true)
  health.answered()
  expect(health.problems).toEqual([])
  expect(changes.map((line) => line.replace(/^[\d.]+ /, ''))).toEqual([
    'container runtime is down',
    'container runtime is down, PLEG is not healthy: pleg was last seen active 3m0s ago; threshold is 3m0s',
    'back',
  ])
  health.close()
})

test('nobody looks at the clock while nothing is asked', () => {
  const { time, health } = world()
  expect(time.step(Number.MAX_SAFE_INTEGER)).toBe(false)
  health.asked()
  health.answered()
  expect(time.step(Number.MAX_SAFE_INTEGER)).toBe(false)
})

test('nothing goes on after the close', () => {
  const { time, health } = world()
  health.asked()
  health.close()
  health.asked()
  expect(time.step(Number.MAX_SAFE_INTEGER)).toBe(false)
})
