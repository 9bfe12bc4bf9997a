import type { UsageReport } from 'tideway/adapters/kubernetes/objects'
import { expect, test } from 'vitest'
import { looksDifferent } from '../../../examples/shared/usage-change.ts'

const MIB = 1 << 20

function report(cpuNanoCores: number, memoryBytes: number, names = ['main']): UsageReport {
  const containers = names.map((name) => ({ name, cpuNanoCores, memoryBytes }))
  return {
    takenAtMs: 0,
    windowMs: 60_000,
    node: { cpuNanoCores: Math.random() * 1e9, memoryBytes: Math.random() * 1e9 },
    pods: [{ namespace: 'default', name: 'web', uid: 'u', containers }],
  }
}

test.each([
  ['nothing', report(0, MIB), report(0, MIB), false],
  ['a flicker of an idle pod', report(1_000, 40 * MIB), report(900_000, 41 * MIB), false],
  ['work', report(1_000, MIB), report(20_000_000, MIB), true],
  ['a hundredth more of much', report(1e9, MIB), report(1.01e9, MIB), false],
  ['more memory', report(0, 10 * MIB), report(0, 13 * MIB), true],
  ['another container', report(0, MIB), report(0, MIB, ['main', 'more']), true],
])('%s is told or not', (_name, before, now, isTold) => {
  expect(looksDifferent(before, now)).toBe(isTold)
  expect(looksDifferent(now, before)).toBe(isTold)
})
