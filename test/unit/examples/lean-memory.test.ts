import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)
const MODULE = new URL('../../../examples/shared/lean-memory.ts', import.meta.url).href

/** A program that makes objects of which many survive a little while, as one that serves does. */
const BUSY = `
  import { getHeapSpaceStatistics } from 'node:v8'
  const { keepMemoryLow } = await import('${MODULE}')
  if (process.argv[1] === 'lean') keepMemoryLow()
  const kept = []
  let youngMax = 0
  for (let turn = 0; turn < 200; turn++) {
    for (let made = 0; made < 5000; made++) kept[(turn * 5000 + made) % 50_000] = { turn, list: [made] }
    await new Promise((resolve) => setImmediate(resolve))
    const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')
    youngMax = Math.max(youngMax, young.space_size)
  }
  console.log(youngMax / 2 ** 20)
`

async function youngMiB(...args: readonly string[]): Promise<number> {
  const node = ['--import', 'tsx', '--input-type=module', '--eval', BUSY, ...args]
  const { stdout, stderr } = await run(process.execPath, node)
  expect(stderr).toBe('')
  return Number(stdout)
}

test('a program that keeps memory low has a small young generation, and every flag is known', async () => {
  expect(await youngMiB('lean')).toBeLessThanOrEqual(16)
  expect(await youngMiB()).toBeGreaterThan(16)
}, 60_000)
