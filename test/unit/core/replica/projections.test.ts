import { expect, test } from 'vitest'

import { memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import type { Storage } from '../../../../src/core/interfaces/storage.ts'
import { Projection } from '../../../../src/core/replica/projections.ts'
import { consoleLogger, systemClock } from '../../../../src/index.ts'

const ROW_BYTES = 4_096

test('rows are written in appends of bounded size, the newest of each key', async () => {
  const memory = memoryStorage()
  const appended: number[] = []
  const storage: Storage = {
    ...memory,
    append: (batch) => {
      appended.push((batch.puts ?? []).reduce((sum, { value }) => sum + (value?.length ?? 0), 0))
      return memory.append(batch)
    },
    scan: (prefix) => memory.scan(prefix),
  }
  const projection = new Projection(storage, 'rows/1', systemClock, consoleLogger('silent'))
  const keys = Array.from({ length: 1_000 }, (_, index) => `key-${index}`)
  for (const key of keys) projection.put(key, () => new Uint8Array(ROW_BYTES))
  for (const key of keys) projection.put(key, () => new Uint8Array(ROW_BYTES).fill(1))
  await projection.close()
  expect(Math.max(...appended)).toBeLessThan(256 * 1024 + ROW_BYTES)
  expect(appended.length).toBeLessThan(20)
  const rows: string[] = []
  for await (const { key, value } of projection.rows()) if (value[0] === 1) rows.push(key)
  expect(rows.sort()).toEqual(keys.sort())
  await memory.close()
})
