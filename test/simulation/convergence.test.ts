import { describe, expect, test } from 'vitest'
import { simulate } from './run.ts'

const only = process.env['SIM_SEED']
const count = Number(process.env['SIM_SEEDS'] ?? 60)
const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)]

describe('replicas that crash, are cut off and meet again', () => {
  for (const seed of seeds) {
    test(`stay safe and converge, seed ${seed}`, async () => {
      const { failures, trace } = await simulate({ seed })
      if (failures.length > 0 || only !== undefined) {
        console.error(`rerun with SIM_SEED=${seed} npx vitest run --project simulation`)
        console.error(trace.slice(only === undefined ? -40 : 0).join('\n'))
      }
      expect(failures).toEqual([])
    })
  }
})

describe('a seed', () => {
  test('gives the same run twice', async () => {
    const first = await simulate({ seed: 7, steps: 20 })
    const second = await simulate({ seed: 7, steps: 20 })
    expect(second.trace).toEqual(first.trace)
    expect(first.edits).toBeGreaterThan(0)
  })
})
