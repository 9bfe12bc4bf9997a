import { expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import type { EventLog } from '../../../../src/core/log/event-log.ts'
import { Author } from '../../../support/author.ts'
import { openLog } from '../../../support/memory-log.ts'

async function write(log: EventLog, ...documents: readonly string[]): Promise<void> {
  for (const document of documents) {
    const events = [new Author().set('a', document)]
    await log.commit({ type: 'local', document, collection: 'c', events, generation: 1 })
  }
}

async function lookThrough(log: EventLog, prefix?: string): Promise<number> {
  let count = 0
  for await (const { id } of log.documents(prefix)) if (id !== '') count += 1
  return count
}

test('a name is known to be free once all documents were looked through, until somebody takes it', async () => {
  const medium = new MemoryMedium()
  const first = await openLog({ storage: memoryStorage({ medium }) })
  await write(first, 'a/1', 'a/2', 'b/1')
  await first.close()

  const log = await openLog({ storage: memoryStorage({ medium }) })
  expect(log.isFree('a/3')).toBe(false)
  await lookThrough(log, 'a/')
  expect(log.isFree('a/3')).toBe(false)
  expect(await lookThrough(log)).toBe(3)
  expect(log.isFree('a/3')).toBe(true)
  expect(['a/1', 'a/2', 'b/1'].some((name) => log.isFree(name))).toBe(false)
  await write(log, 'a/3')
  expect(log.isFree('a/3')).toBe(false)
  expect((await log.record('a/3'))?.entries).toBe(1)
  expect(await log.record('a/4')).toBeUndefined()
  await log.close()
})

test('what is written while somebody looks through the documents is not free afterwards', async () => {
  const log = await openLog()
  await write(log, 'a/1', 'a/2')
  for await (const { id } of log.documents()) if (id === 'a/1') await write(log, 'a/0', 'a/9')
  expect(['a/0', 'a/1', 'a/2', 'a/9'].some((name) => log.isFree(name))).toBe(false)
  expect(log.isFree('a/3')).toBe(true)
  await log.close()
})

test('of ten thousand names no taken one is free, and few free ones are not known to be', async () => {
  const log = await openLog()
  await lookThrough(log)
  const names = Array.from({ length: 10_000 }, (_, n) => `pods/default/web-${n}/1/desired`)
  const event = new Author().set('a', 1)
  await Promise.all(
    names.map((document) =>
      log.commit({ type: 'local', document, collection: 'c', events: [event], generation: 1 }),
    ),
  )
  expect(names.filter((name) => log.isFree(name))).toEqual([])
  const others = names.map((name) => name.replace('web', 'db'))
  expect(others.filter((name) => !log.isFree(name)).length).toBeLessThan(200)
  await log.close()
})
