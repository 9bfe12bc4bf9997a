import { expect, test } from 'vitest'
import { settingsOf } from '../../../../src/adapters/runtime/process/cgroup-v2.ts'

test.each([
  [{}, []],
  [{ memoryBytes: 1024 }, ['memory.max=1024', 'memory.swap.max=0']],
  [{ cpuMillis: 250 }, ['cpu.max=25000 100000']],
  [{ cpuMillis: 1 }, ['cpu.max=1000 100000']],
  [{ cpuRequestMillis: 1000 }, ['cpu.weight=39']],
  [{ cpuRequestMillis: 0 }, ['cpu.weight=1']],
  [{ cpuRequestMillis: 1_000_000 }, ['cpu.weight=10000']],
])('limits %j in cgroup version 2', (limits, expected) => {
  expect(settingsOf(limits).map(({ file, value }) => `${file}=${value}`)).toEqual(expected)
})
