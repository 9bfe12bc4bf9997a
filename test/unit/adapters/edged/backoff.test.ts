import { expect, test } from 'vitest'
import { nextRun, RESTART_BACKOFF } from '../../../../src/adapters/edged/backoff.ts'

test('the waits are those of kubelet: none, 10 s, doubled, up to 5 min', () => {
  const waits: number[] = []
  let backoffMs = 0
  for (let index = 0; index < 8; index += 1) {
    const next = nextRun({ backoffMs, startedAtMs: 0, finishedAtMs: 1_000 }, RESTART_BACKOFF)
    waits.push(next.notBeforeMs - 1_000)
    backoffMs = next.backoffMs
  }
  expect(waits).toEqual([0, 10_000, 20_000, 40_000, 80_000, 160_000, 300_000, 300_000])
})

test('a run of 10 minutes starts over', () => {
  const past = { backoffMs: 300_000, startedAtMs: 0, finishedAtMs: 600_000 }
  expect(nextRun(past, RESTART_BACKOFF)).toEqual({
    notBeforeMs: 600_000,
    delayMs: 0,
    backoffMs: 10_000,
  })
})
