import { expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import type { RecordQuery } from '../../../../src/core/interfaces/storage.ts'
import type { EventLog } from '../../../../src/core/log/event-log.ts'
import { Author } from '../../../support/author.ts'
import { openLog } from '../../../support/memory-log.ts'

async function write(log: EventLog, document: string, collection: string): Promise<number> {
  const events = [new Author().set(document, 1)]
  return (await log.commit({ type: 'local', document, collection, events })).head
}

test('the document of damage is looked for where it stands, and everywhere else when it moved', async () => {
  const medium = new MemoryMedium()
  const storage = memoryStorage({ medium })
  const asked: RecordQuery[] = []
  const read = storage.read.bind(storage)
  storage.read = (query) => {
    asked.push(query)
    return read(query)
  }
  const log = await openLog({ storage })
  for (let i = 0; i < 50; i += 1) await write(log, `many/${i}`, 'many')
  const few = await write(log, 'few/1', 'few')
  const moved = await write(log, 'many/moved', 'few')
  await log.commit({ type: 'move', document: 'many/moved', to: 'many' })
  for (let i = 0; i < 50; i += 1) await write(log, `later/${i}`, 'many')
  medium.corrupt(few)
  asked.length = 0
  expect(await log.repairs.documentAt(few)).toBe('few/1')
  expect(asked.length).toBeLessThan(5)
  medium.corrupt(moved)
  expect(await log.repairs.documentAt(moved)).toBe('many/moved')
  expect(await log.repairs.documentAt(moved + 1_000)).toBeUndefined()
  await log.close()
})
