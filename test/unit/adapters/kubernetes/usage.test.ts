import { expect, test } from 'vitest'
import type { UsageReport } from '../../../../src/adapters/kubernetes/objects/usage.ts'
import {
  cpuText,
  durationText,
  memoryText,
} from '../../../../src/adapters/kubernetes/server/metrics/metrics-objects.ts'
import {
  parseUsagePart,
  usageParts,
} from '../../../../src/adapters/kubernetes/server/metrics/usage-parts.ts'
import { createUsageTable } from '../../../../src/adapters/kubernetes/server/metrics/usage-table.ts'
import { ManualClock } from '../reconciler/manual-clock.ts'

function report(pods: number): UsageReport {
  return {
    takenAtMs: 1_700_000_000_000,
    windowMs: 15_000,
    node: { cpuNanoCores: 250_000_000, memoryBytes: 2 ** 30 },
    pods: Array.from({ length: pods }, (_, index) => ({
      namespace: 'shop',
      name: `pod-${index}`,
      uid: `uid-${index}`,
      containers: [{ name: 'main', cpuNanoCores: index, memoryBytes: 4_096 }],
    })),
  }
}

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

test('a report survives being taken apart, whatever its size', () => {
  const whole = report(1_000)
  const parts = usageParts(whole)
  expect(parts.length).toBeGreaterThan(1)
  for (const bytes of parts) expect(bytes.length).toBeLessThan(32 * 1_024)
  const read = parts.map((bytes) => parseUsagePart(bytes))
  expect(read.map((part) => part?.index)).toEqual(parts.map((_, index) => index))
  expect(read.flatMap((part) => part?.pods ?? [])).toEqual(whole.pods)
  expect(read[0]).toMatchObject({ takenAtMs: whole.takenAtMs, node: whole.node })
})

test('a report without pods is one part, and one beyond all bounds is cut', () => {
  expect(usageParts(report(0))).toHaveLength(1)
  const parts = usageParts(report(10_000))
  expect(parts).toHaveLength(16)
  for (const bytes of parts) expect(bytes.length).toBeLessThan(32 * 1_024)
})

test('what is no part is not taken, and what is malformed in one is left out', () => {
  const { node, takenAtMs, windowMs } = report(0)
  const head = { index: 0, takenAtMs, windowMs, node }
  const bad = [
    new Uint8Array([255]),
    encode([]),
    encode({ ...head, index: 16 }),
    encode({ ...head, index: -1 }),
    encode({ ...head, takenAtMs: 1e300 }),
    encode({ ...head, windowMs: 'long' }),
    encode({ ...head, node: { cpuNanoCores: -1, memoryBytes: 0 } }),
    encode({ ...head, node: undefined }),
  ]
  for (const bytes of bad) expect(parseUsagePart(bytes)).toBeUndefined()
  const pods = [
    { namespace: 'a', name: 'b' },
    'text',
    { namespace: 'a', name: 'b', uid: 'c', containers: [{ name: 'x' }, 7] },
  ]
  expect(parseUsagePart(encode({ ...head, pods }))).toEqual({
    ...head,
    pods: [{ namespace: 'a', name: 'b', uid: 'c', containers: [] }],
  })
})

test('a table shows what is new, by the node that told it', () => {
  const clock = new ManualClock()
  const table = createUsageTable({ clock, ageMsMax: 1_000 })
  const whole = report(2)
  table.take('edge-1', { ...whole, index: 0 })
  expect(table.node('edge-1')).toEqual(whole)
  expect(table.pod('edge-1', 'shop', 'pod-1')?.pod).toEqual(whole.pods[1])
  expect(table.pod('edge-2', 'shop', 'pod-1')).toBeUndefined()
  clock.advance(999)
  expect(table.node('edge-1')).toBeDefined()
  clock.advance(1)
  expect(table.node('edge-1')).toBeUndefined()
  expect(table.pod('edge-1', 'shop', 'pod-1')).toBeUndefined()
  table.take('edge-1', { ...whole, index: 0 })
  table.drop('edge-1')
  expect(table.node('edge-1')).toBeUndefined()
})

test('a pod that has moved to another part counts once, as it is now', () => {
  const clock = new ManualClock()
  const table = createUsageTable({ clock })
  const { pods, ...head } = report(1)
  table.take('edge-1', { ...head, pods, index: 1 })
  clock.advance(1)
  const later = pods.map((pod) => ({ ...pod, uid: 'uid-new' }))
  table.take('edge-1', { ...head, pods: later, index: 0 })
  expect(table.pod('edge-1', 'shop', 'pod-0')?.pod.uid).toBe('uid-new')
})

test('quantities and durations are written as Kubernetes writes them', () => {
  expect([0, 1, 1_500, 2_000, 3_000_000, 2e9].map(cpuText)).toEqual([
    '0',
    '1n',
    '1500n',
    '2u',
    '3m',
    '2',
  ])
  expect([0, 1_000, 4_096, 3 * 2 ** 20, 2 ** 30].map(memoryText)).toEqual([
    '0',
    '1000',
    '4Ki',
    '3Mi',
    '1Gi',
  ])
  expect([15_000, 15_003, 60_000, 90_500].map(durationText)).toEqual([
    '15s',
    '15.003s',
    '1m0s',
    '1m30.5s',
  ])
})
