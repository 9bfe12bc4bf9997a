import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  cpuTimeOf,
  parseUsage,
  workingSetOf,
} from '../../../../src/adapters/runtime/process/process-usage.ts'

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tideway-usage-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('times and memory of a process are read, whatever its name', () => {
  const stat =
    '71 (a) 1 (b)) S 1 71 71 0 -1 4194304 98 0 0 0 12 3 40 5 20 0 1 0 3634397 3133440 382'
  expect(parseUsage(stat, 'Name:\ta\nVmRSS:\t    1528 kB\nThreads:\t1\n')).toEqual({
    cpuNanos: 600_000_000,
    memoryBytes: 1_528 * 1_024,
  })
  expect(parseUsage('', '')).toEqual({ cpuNanos: 0, memoryBytes: 0 })
})

test('the working set of a group leaves out file pages that nobody uses', async () => {
  await writeFile(join(directory, 'memory.current'), '10000\n')
  await writeFile(join(directory, 'memory.stat'), 'anon 5000\ninactive_file 4000\n')
  expect(await workingSetOf(directory, 2)).toBe(6_000)
  expect(await workingSetOf(directory, 1)).toBeUndefined()
  await writeFile(join(directory, 'memory.usage_in_bytes'), '10000\n')
  await writeFile(join(directory, 'memory.stat'), 'inactive_file 1\ntotal_inactive_file 20000\n')
  expect(await workingSetOf(directory, 1)).toBe(0)
})

test('the CPU time of a group is told in nanoseconds', async () => {
  expect(await cpuTimeOf(directory)).toBeUndefined()
  await writeFile(join(directory, 'cpu.stat'), 'usage_usec 1500\nuser_usec 1000\n')
  expect(await cpuTimeOf(directory)).toBe(1_500_000)
})
