import { describe, expect, test } from 'vitest'
import {
  lookAtPressure,
  NO_PRESSURE,
  type Pressure,
  type PressureMemory,
} from '../../../../../src/adapters/edged/eviction/pressure.ts'
import type { Observation, Signal } from '../../../../../src/adapters/edged/eviction/signals.ts'
import {
  type ThresholdOptions,
  thresholdsOf,
} from '../../../../../src/adapters/edged/eviction/thresholds.ts'

/** Looks of one node, one after the other. */
function node(options: ThresholdOptions, transitionMs = 0) {
  const thresholds = thresholdsOf(options)
  let memory: PressureMemory = NO_PRESSURE
  return (nowMs: number, seen: Partial<Record<Signal, number>>): Pressure => {
    const observations = new Map(
      Object.entries(seen).map(([signal, available]): [Signal, Observation] => [
        signal as Signal,
        { available, capacity: 1000 },
      ]),
    )
    const pressure = lookAtPressure({ thresholds, observations, memory, nowMs, transitionMs })
    memory = pressure.memory
    return pressure
  }
}

const shown = ({ conditions, due }: Pressure): unknown => [
  conditions,
  due.map(({ signal }) => signal),
]

describe('pressure', () => {
  test('less than a threshold is too little, as much as it is not', () => {
    const look = node({ hard: { 'memory.available': '100' } })
    expect(shown(look(0, { 'memory.available': 100 }))).toEqual([[], []])
    expect(shown(look(1, { 'memory.available': 99 }))).toEqual([
      ['MemoryPressure'],
      ['memory.available'],
    ])
    expect(shown(look(2, {}))).toEqual([[], []])
  })

  test('a soft threshold is acted upon after its grace, and from the beginning after a pause', () => {
    const look = node({
      hard: {},
      soft: { 'nodefs.available': '10%' },
      softGraceMs: { 'nodefs.available': 1000 },
    })
    expect(shown(look(0, { 'nodefs.available': 50 }))).toEqual([['DiskPressure'], []])
    expect(shown(look(999, { 'nodefs.available': 50 }))).toEqual([['DiskPressure'], []])
    expect(shown(look(1000, { 'nodefs.available': 50 }))).toEqual([
      ['DiskPressure'],
      ['nodefs.available'],
    ])
    expect(shown(look(1100, { 'nodefs.available': 500 }))).toEqual([[], []])
    expect(shown(look(1200, { 'nodefs.available': 50 }))).toEqual([['DiskPressure'], []])
  })

  test('what was acted upon stays crossed until its minimum is there', () => {
    const options = { hard: { 'memory.available': '100' } }
    const look = node({ ...options, minimumReclaim: { 'memory.available': '50' } })
    expect(shown(look(0, { 'memory.available': 120 }))).toEqual([[], []])
    look(1, { 'memory.available': 90 })
    expect(shown(look(2, { 'memory.available': 120 }))).toEqual([
      ['MemoryPressure'],
      ['memory.available'],
    ])
    expect(shown(look(3, { 'memory.available': 150 }))).toEqual([[], []])
    expect(shown(look(4, { 'memory.available': 120 }))).toEqual([[], []])
  })

  test('a condition outlasts its cause, nothing is done for it meanwhile', () => {
    const look = node({ hard: { 'pid.available': '10' } }, 5000)
    look(0, { 'pid.available': 1 })
    look(3000, { 'pid.available': 1 })
    expect(shown(look(7999, { 'pid.available': 100 }))).toEqual([['PIDPressure'], []])
    expect(shown(look(8000, { 'pid.available': 100 }))).toEqual([[], []])
  })

  test('memory comes first, and of one signal the hard threshold', () => {
    const look = node({
      hard: { 'pid.available': '10', 'imagefs.available': '10', 'memory.available': '10' },
      soft: { 'memory.available': '20' },
      softGraceMs: { 'memory.available': 1 },
    })
    const seen = { 'memory.available': 1, 'imagefs.available': 1, 'pid.available': 1 }
    look(0, seen)
    const { due, conditions } = look(1, seen)
    expect(due.map(({ signal, graceMs }) => `${signal} ${graceMs}`)).toEqual([
      'memory.available 0',
      'memory.available 1',
      'imagefs.available 0',
      'pid.available 0',
    ])
    expect(conditions).toEqual(['MemoryPressure', 'DiskPressure', 'PIDPressure'])
  })
})
