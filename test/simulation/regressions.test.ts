import { expect, test } from 'vitest'
import { simulate } from './run.ts'

/** Seeds that once failed, and why. */
const REGRESSIONS: readonly (readonly [seed: number, what: string])[] = [
  [121, 'an edit made between HELLO and WELCOME was never sent'],
  [352, 'an edit made between HELLO and WELCOME was never sent, with a restarted accepter'],
  [10, 'two documents whose first changes are equal have events of one hash'],
]

for (const [seed, what] of REGRESSIONS) {
  test(`seed ${seed}: ${what}`, async () => {
    const { failures } = await simulate({ seed })
    expect(failures).toEqual([])
  })
}
