import { expect, test } from 'vitest'

import { growthPercent } from '../../../examples/shared/lean-memory.ts'

const MIB = 2 ** 20

test('a program at work may make 16 MiB of garbage, one that rests 30 percent', () => {
  expect(growthPercent(32 * MIB, 500)).toBe(50)
  expect(growthPercent(16 * MIB, 500)).toBe(100)
  expect(growthPercent(16 * MIB, 60_000)).toBe(30)
  expect(growthPercent(200 * MIB, 500)).toBe(30)
})
