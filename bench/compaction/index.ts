import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { longLife } from './scenario.ts'

const UPDATES = 1_000_000
const DISK_BYTES_TARGET = 2_000_000
const LOAD_MS_TARGET = 5

/** A million updates of one document: what is left on disk, and how long it takes to open it. */
export async function benchCompaction(options: { readonly json: boolean }): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'tideway-compaction-'))
  const updates = Number(process.env['COMPACTION_UPDATES'] ?? UPDATES)
  try {
    const { values, digests, ...figures } = await longLife(directory, updates)
    const result = {
      updates,
      ...figures,
      updatesPerSecond: Math.round(updates / figures.seconds),
      converged:
        digests[0] === digests[1] && JSON.stringify(values[0]) === JSON.stringify(values[1]),
      kept: values[0].note !== undefined && values[0].conditions.length === 3,
      isCounterRight: values[0].restarts === Math.floor(updates / 10) + 4,
      withinTargets: figures.diskBytes < DISK_BYTES_TARGET && figures.loadMs < LOAD_MS_TARGET,
    }
    if (options.json) process.stdout.write(`${JSON.stringify(result)}\n`)
    else console.table(result)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
