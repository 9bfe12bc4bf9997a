import { consoleLogger, createReplica, incarnationId, openIncarnation, type Replica } from 'tideway'
import { memoryStorage } from 'tideway/adapters/storage/memory'
import { afterEach, beforeEach, expect, test } from 'vitest'

let replica: Replica

beforeEach(async () => {
  replica = await createReplica({ storage: memoryStorage(), logger: consoleLogger('silent') })
})

afterEach(() => replica.close())

test('a name can be created again after each deletion, as another document', async () => {
  for (const incarnation of [1, 2, 3]) {
    const note = await openIncarnation<{ n?: number }>(replica, 'notes/today')
    expect([note.id, note.value]).toEqual([incarnationId('notes/today', incarnation), {}])
    note.change(() => ({ n: incarnation }))
    await note.durable()
    const same = await openIncarnation<{ n?: number }>(replica, 'notes/today')
    expect([same.id, same.value]).toEqual([note.id, { n: incarnation }])
    await replica.delete(note.id)
    expect(note.deleted).toBe(true)
  }
})

test('numbers are compared as numbers, and other ids with the same beginning do not count', async () => {
  for (const id of ['n@9', 'n@10', 'n@x', 'n@07', 'n@2/part', 'nn@99']) {
    const note = await replica.open(id)
    note.change(() => ({ id }))
    await note.durable()
    await note.close()
  }
  expect((await openIncarnation(replica, 'n')).value).toEqual({ id: 'n@10' })
})
