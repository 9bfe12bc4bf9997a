import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

import { longLife } from '../../bench/compaction/scenario.ts'

/** The bench runs a million. */
const UPDATES = 20_000
const DISK_BYTES_MAX = 2_000_000
/** A loaded machine takes several times as long as the 5 ms that are measured on a quiet one. */
const LOAD_MS_MAX = 50

test('a document that changes all the time stays small, and who was away still merges', {
  timeout: 300_000,
}, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tideway-long-life-'))
  try {
    const { values, digests, ...figures } = await longLife(directory, UPDATES)
    const [ours, theirs] = values
    expect(ours).toEqual(theirs)
    expect(digests[0]).toBe(digests[1])
    expect(ours.step).toBe(UPDATES)
    expect(ours.conditions.map(({ type }) => type).sort()).toEqual([
      'Initialized',
      'Ready',
      'Scheduled',
    ])
    expect(ours.note).toBe('written while away, Initialized')
    expect(ours.restarts).toBe(UPDATES / 10 + 4)
    expect(figures.diskBytesMax).toBeLessThan(DISK_BYTES_MAX)
    expect(figures.loadMs).toBeLessThan(LOAD_MS_MAX)
    expect(figures.cuts).toBeGreaterThan(10)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
})
