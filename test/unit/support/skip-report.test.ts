import { expect, test } from 'vitest'
import { findUnreviewedSkips, type RunCounts, summarise } from '../../support/skip-report.ts'

const skip = { name: 'api > watches', file: 'test/a.test.ts', reason: 'needs kubectl: install it' }
const counts: RunCounts = {
  passed: 7,
  failed: 0,
  unfinished: 0,
  interrupted: false,
  skips: [],
  unreviewed: [],
  unsteady: [],
}

test('a run without skips ends with one line', () => {
  expect(summarise(counts)).toEqual(['7 passed, 0 failed'])
})

test('skips are named with their reason before the closing line counts them', () => {
  expect(summarise({ ...counts, skips: [skip] })).toEqual([
    'skipped: api > watches (test/a.test.ts): needs kubectl: install it',
    '1 skipped in all',
    '7 passed, 0 failed, 1 skipped',
  ])
})

test('a test that passed only at its second attempt is named', () => {
  expect(summarise({ ...counts, unsteady: ['api > watches'] })).toEqual([
    'unsteady: api > watches passed at its second attempt',
    '7 passed, 0 failed',
  ])
})

test('an unreviewed skip, an unfinished test and an interruption count as failures', () => {
  const lines = summarise({
    ...counts,
    failed: 1,
    unfinished: 2,
    interrupted: true,
    skips: [skip],
    unreviewed: [skip],
  })
  expect(lines.at(-1)).toBe('7 passed, 5 failed')
})

test('the reviewed list covers a skip by name and reason together', () => {
  expect(findUnreviewedSkips([skip], [{ name: skip.name, reason: skip.reason }])).toEqual([])
  expect(findUnreviewedSkips([skip], [{ name: 'api > *', reason: skip.reason }])).toEqual([])
  expect(findUnreviewedSkips([skip], [{ name: skip.name, reason: 'another' }])).toEqual([skip])
  expect(findUnreviewedSkips([skip], [{ name: 'api', reason: skip.reason }])).toEqual([skip])
  expect(findUnreviewedSkips([{ ...skip, reason: '' }], [])).toHaveLength(1)
})
