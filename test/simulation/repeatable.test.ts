import { expect, test } from 'vitest'
import { simulate } from './run.ts'

test.each([7, 8, 9, 10])('seed %i gives the same run twice', async (seed) => {
  const first = await simulate({ seed, steps: 20 })
  const second = await simulate({ seed, steps: 20 })
  expect(second.trace()).toEqual(first.trace())
  expect(first.trace().length).toBeGreaterThan(20)
})
