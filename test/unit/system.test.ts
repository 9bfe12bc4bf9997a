import { createHash } from 'node:crypto'
import { afterEach, expect, test, vi } from 'vitest'
import { nodeSha256 } from '../../src/node/index.ts'
import { consoleLogger, systemClock, systemRandom } from '../../src/system.ts'

afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

test('the clock calls back once, later, and not when it was cancelled', async () => {
  const called: string[] = []
  const cancel = systemClock.schedule(1, () => called.push('cancelled'))
  cancel()
  cancel()
  const before = systemClock.monotonicMs()
  await new Promise<void>((resolve) => {
    systemClock.schedule(5, () => {
      called.push('later')
      resolve()
    })
    expect(called).toEqual([])
  })
  expect(called).toEqual(['later'])
  expect(systemClock.monotonicMs() - before).toBeGreaterThanOrEqual(4)
  expect(Math.abs(systemClock.wallMs() - Date.now())).toBeLessThan(1_000)
})

test('a delay past the range of timers is waited out, not cut to nothing', () => {
  vi.useFakeTimers()
  let calls = 0
  const monthMs = 40 * 24 * 3_600_000
  systemClock.schedule(monthMs, () => {
    calls += 1
  })
  vi.advanceTimersByTime(monthMs - 1_000)
  expect(calls).toBe(0)
  vi.advanceTimersByTime(2_000)
  expect(calls).toBe(1)
})

test('random bytes fill more than one call of the platform gives', () => {
  const bytes = new Uint8Array(200_000)
  systemRandom.fill(bytes)
  for (const start of [0, 65_536, 131_072, 199_000]) {
    expect(new Set(bytes.subarray(start, start + 1_000)).size).toBeGreaterThan(100)
  }
})

test('the logger writes from its level on, with the fields of its parents', () => {
  const lines: unknown[][] = []
  const levels = ['debug', 'info', 'warn', 'error'] as const
  for (const level of levels) {
    vi.spyOn(console, level).mockImplementation((...line: unknown[]) => {
      lines.push([level, ...line])
    })
  }
  const logger = consoleLogger('warn').child({ replica: 'edge-1' }).child({ peer: 'cloud' })
  for (const level of levels) logger[level]('something happened', { count: 1 })
  consoleLogger('error').error('plain')
  consoleLogger('silent').error('nothing')
  const fields = { replica: 'edge-1', peer: 'cloud', count: 1 }
  expect(lines).toEqual([
    ['warn', 'something happened', fields],
    ['error', 'something happened', fields],
    ['error', 'plain'],
  ])
})

test('the hash of Node is SHA-256', () => {
  const bytes = new TextEncoder().encode('tideway')
  const expected = createHash('sha256').update(bytes).digest('hex')
  expect(Buffer.from(nodeSha256()(bytes)).toString('hex')).toBe(expected)
})
