import fc from 'fast-check'
import { expect, test } from 'vitest'
import { bytesToFree, removableImages } from '../../src/adapters/edged/collection/image-choice.ts'
import {
  crossed,
  lookAtPressure,
  NO_PRESSURE,
  type PressureMemory,
} from '../../src/adapters/edged/eviction/pressure.ts'
import {
  type Observation,
  SIGNALS,
  type Signal,
} from '../../src/adapters/edged/eviction/signals.ts'
import type { Threshold } from '../../src/adapters/edged/eviction/thresholds.ts'
import { inEvictionOrder } from '../../src/adapters/edged/eviction/victims.ts'

const signal = fc.constantFrom(...(Object.keys(SIGNALS) as Signal[]))
const threshold: fc.Arbitrary<Threshold> = fc.record({
  signal,
  value: fc.record({
    type: fc.constant('quantity' as const),
    text: fc.constant('x'),
    value: fc.nat(100),
  }),
  graceMs: fc.constantFrom(0, 0, 10, 30),
  reclaim: fc.option(
    fc.record({ type: fc.constant('fraction' as const), fraction: fc.constantFrom(0, 0.1, 0.5) }),
    { nil: undefined },
  ),
})
const look = fc.record({
  waitMs: fc.nat(20),
  seen: fc.array(fc.tuple(signal, fc.nat(120)), { maxLength: 6 }),
})

test('whatever a node looks like: nothing is done too early, nothing crossed is kept quiet', () => {
  fc.assert(
    fc.property(
      fc.array(threshold, { maxLength: 6 }),
      fc.array(look, { minLength: 1, maxLength: 12 }),
      fc.nat(40),
      (thresholds, looks, transitionMs) => {
        let memory: PressureMemory = NO_PRESSURE
        let nowMs = 0
        const lastMs = new Map<string, number>()
        const since = new Map<Threshold, number>()
        for (const { waitMs, seen } of looks) {
          nowMs += waitMs
          const observations = new Map(
            seen.map(([name, available]): [Signal, Observation] => [
              name,
              { available, capacity: 100 },
            ]),
          )
          const { due, conditions, ...next } = lookAtPressure({
            ...{ thresholds, observations, memory, nowMs, transitionMs },
          })
          const now = crossed(thresholds, observations, false)
          for (const each of thresholds) {
            const isEven = !now.includes(each) && !due.includes(each)
            if (isEven && !next.memory.crossedAtMs.has(each)) since.delete(each)
            else since.set(each, since.get(each) ?? nowMs)
          }
          // Every hard threshold that is crossed is due, and a soft one after its grace.
          for (const each of now) {
            const isOver = nowMs - (since.get(each) ?? nowMs) >= each.graceMs
            expect(due.includes(each)).toBe(isOver)
          }
          // What is due is crossed, or has been and lacks its minimum.
          for (const each of due) {
            expect(crossed([each], observations, true)).toEqual([each])
            expect(now.includes(each) || memory.due.includes(each)).toBe(true)
          }
          for (const each of [...now, ...due]) lastMs.set(SIGNALS[each.signal].condition, nowMs)
          const expected = [...lastMs]
            .filter(([, atMs]) => atMs === nowMs || nowMs - atMs < transitionMs)
            .map(([condition]) => condition)
          expect([...conditions].sort()).toEqual(expected.sort())
          memory = next.memory
        }
      },
    ),
  )
})

test('the order of victims loses nobody, and keeps to the rules for each two of them', () => {
  const candidate = fc.record({
    uid: fc.uuid(),
    priority: fc.integer({ min: -3, max: 3 }),
    used: fc.option(fc.nat(20), { nil: undefined }),
    requested: fc.nat(20),
  })
  fc.assert(
    fc.property(fc.array(candidate, { maxLength: 12 }), (all) => {
      const ordered = inEvictionOrder(all)
      expect([...ordered].map(({ uid }) => uid).sort()).toEqual(all.map(({ uid }) => uid).sort())
      for (const [index, later] of ordered.entries()) {
        const before = ordered[index - 1]
        if (before === undefined || before.used === undefined || later.used === undefined) {
          // Who is not known goes before all who are.
          expect(before?.used !== undefined && later.used === undefined).toBe(false)
          continue
        }
        const isOver = [before, later].map(({ used = 0, requested }) => used > requested)
        if (isOver[0] !== isOver[1]) expect(isOver[0]).toBe(true)
        else if (before.priority !== later.priority)
          expect(before.priority).toBeLessThan(later.priority)
        else
          expect(before.used - before.requested).toBeGreaterThanOrEqual(
            later.used - later.requested,
          )
      }
    }),
  )
})

test('images go until enough is free, and never one that is needed or young', () => {
  const image = fc.record({
    id: fc.uuid(),
    sizeBytes: fc.nat(100),
    seenAtMs: fc.nat(1000),
    usedAtMs: fc.option(fc.nat(1000), { nil: undefined }),
    isInUse: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(image, { maxLength: 10 }), fc.nat(500), (images, ageMsMin) => {
      const found = removableImages(images, ageMsMin, 1000)
      for (const each of images) {
        const isRemovable = !each.isInUse && 1000 - each.seenAtMs >= ageMsMin
        expect(found.includes(each)).toBe(isRemovable)
      }
      for (const [index, { usedAtMs = 0 }] of found.entries())
        expect(found[index - 1]?.usedAtMs ?? 0).toBeLessThanOrEqual(usedAtMs)
    }),
  )
})

test('what is freed brings a disk below the low mark and no further than there', () => {
  fc.assert(
    fc.property(fc.nat(100_000), fc.nat(100_000), fc.nat(100), fc.nat(100), (a, b, x, y) => {
      const disk = { available: Math.min(a, b), capacity: Math.max(a, b, 1) }
      const limits = { highPercent: Math.max(x, y), lowPercent: Math.min(x, y), ageMsMin: 0 }
      const freed = bytesToFree(disk, limits)
      expect(freed).toBeGreaterThanOrEqual(0)
      if (freed === 0) return
      const usedAfter = 1 - (disk.available + freed) / disk.capacity
      const low = limits.lowPercent / 100
      expect(usedAfter).toBeGreaterThanOrEqual(low - 1e-9)
      expect(usedAfter).toBeLessThanOrEqual(low + 1 / disk.capacity)
    }),
  )
})
