import { expect, test } from 'vitest'
import { timestamp } from '../../../../../src/adapters/kubernetes/controllers/conditions.ts'
import { waitAfterFailuresMs } from '../../../../../src/adapters/kubernetes/controllers/failed-pods.ts'
import type { KubeObject } from '../../../../../src/adapters/kubernetes/objects/index.ts'

const NOW_MS = Date.parse('2026-01-01T12:00:00Z')

function pods(count: number, agoMs: number, phase = 'Failed'): readonly KubeObject[] {
  const creationTimestamp = timestamp(NOW_MS - agoMs)
  return Array.from({ length: count }, (_, index) => ({
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: `p-${index}`, creationTimestamp } },
    status: { phase },
  }))
}

test('the wait after failures grows, and is over after five minutes', () => {
  const wait = (failed: readonly KubeObject[], wanted = 1): number =>
    waitAfterFailuresMs(failed, wanted, NOW_MS)
  expect(wait([])).toBe(0)
  expect(wait(pods(9, 0, 'Running'))).toBe(0)
  expect([1, 2, 3, 9, 10, 400].map((count) => wait(pods(count, 0)))).toEqual([
    ...[1_000, 2_000, 4_000, 256_000, 300_000, 300_000],
  ])
  expect(wait(pods(3, 3_000))).toBe(1_000)
  expect(wait(pods(3, 4_000))).toBe(0)
  expect(wait(pods(10, 0), 5)).toBe(2_000)
  expect(wait(pods(3, 3_600_000))).toBe(0)
  expect(wait(pods(3, -90_000))).toBe(4_000)
  expect(wait(pods(1, 0), 0)).toBe(1_000)
})
