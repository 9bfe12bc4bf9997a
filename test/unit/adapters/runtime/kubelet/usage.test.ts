import { expect, test } from 'vitest'
import { reportOf } from '../../../../../src/adapters/runtime/kubelet/usage.ts'

const POD = { namespace: 'shop', name: 'web', uid: 'u-1' }

test('what a kubelet has measured is told, and what it has not is left out', () => {
  const summary = {
    node: { cpu: { usageNanoCores: 5.5 }, memory: { workingSetBytes: 100 } },
    pods: [
      {
        podRef: POD,
        containers: [
          { name: 'main', cpu: { usageNanoCores: 7 }, memory: { workingSetBytes: 8 } },
          { name: 'new', memory: { workingSetBytes: 9 } },
        ],
      },
      { podRef: { ...POD, name: 'ended' }, containers: [] },
      { containers: [] },
    ],
  }
  expect(reportOf(summary, 12, ({ uid }) => `shown ${uid}`)).toEqual({
    takenAtMs: 12,
    windowMs: 10_000,
    node: { cpuNanoCores: 5, memoryBytes: 100 },
    pods: [
      {
        ...POD,
        uid: 'shown u-1',
        containers: [{ name: 'main', cpuNanoCores: 7, memoryBytes: 8 }],
      },
    ],
  })
})

test('an answer without anything is a report of nothing', () => {
  expect(reportOf({}, 1, ({ uid }) => uid)).toMatchObject({
    node: { cpuNanoCores: 0, memoryBytes: 0 },
    pods: [],
  })
})
