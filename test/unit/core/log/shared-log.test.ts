import { afterEach, expect, test } from 'vitest'
import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import type { Storage } from '../../../../src/core/interfaces/storage.ts'
import { consoleLogger, createReplica, grants, type Replica } from '../../../../src/index.ts'
import { nodeSha256 } from '../../../../src/node/index.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'
import { Author } from '../../../support/author.ts'
import { openLog } from '../../../support/memory-log.ts'

const open: Replica[] = []
afterEach(async () => {
  for (const replica of open.splice(0)) await replica.close()
})

/** Another opener of a medium. One that is deaf hears of nobody's appends. */
function opener(medium: MemoryMedium, { isDeaf = false } = {}): Storage {
  const storage = memoryStorage({ medium, shared: true })
  return isDeaf ? Object.assign(storage, { tail: () => () => undefined }) : storage
}

async function replicaOn(storage: Storage, name: string, grant?: { write: string[] }) {
  const peers = { read: ['*'], write: ['*'], ...grant }
  const replica = await createReplica({
    name,
    storage,
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    policy: grants({ cloud: peers, edge: peers }),
  })
  open.push(replica)
  return replica
}

function local(document: string, author: Author, key: string) {
  const events = [author.set(key, 1)]
  return { type: 'local', document, collection: 'c', events } as const
}

test('an opener that heard of nothing plans again on what the others left', async () => {
  const medium = new MemoryMedium()
  const [first, second] = [
    await openLog({ storage: opener(medium) }),
    await openLog({ storage: opener(medium, { isDeaf: true }) }),
  ]
  expect(second.epoch).toBe(first.epoch)
  expect(second.actor(0)).not.toBe(first.actor(0))
  // Both know the document and its digest as they are now.
  const [a, b] = [new Author(first.actor(0)), new Author(second.actor(0))]
  await first.commit(local('d', a, 'a'))
  await second.barrier(() => second.record('d'))
  const told: string[] = []
  second.onAppended((entries, head) => {
    told.push(...entries.map(({ position, document }) => `${position} ${document}`), `head ${head}`)
  })
  await first.commit(local('d', a, 'again'))
  await first.commit(local('e', new Author(first.actor(0)), 'a'))
  expect(await second.commit(local('d', b, 'b'))).toMatchObject({ head: 4 })
  expect(told).toEqual(['2 d', '3 e', 'head 3', '4 d', 'head 4'])
  expect(await second.record('d')).toMatchObject({ entries: 3, last: 4 })
  const sum = (await second.digest(['c'])).sum
  await first.barrier(() => Promise.resolve())
  expect((await first.digest(['c'])).sum).toBe(sum)
  expect(await first.record('d')).toEqual(await second.record('d'))
  await first.close()
  await second.close()
})

test('a record of another opener that cannot be read stops appends, and nothing else', async () => {
  const medium = new MemoryMedium()
  const [first, second] = [
    await openLog({ storage: opener(medium) }),
    await openLog({ storage: opener(medium, { isDeaf: true }) }),
  ]
  await first.commit(local('d', new Author(first.actor(0)), 'a'))
  medium.corrupt(1)
  const late = second.commit(local('e', new Author(second.actor(0)), 'b'))
  await expect(late).rejects.toMatchObject({ code: 'STORAGE_CORRUPT', fields: { position: 1 } })
  expect(await second.barrier(() => Promise.resolve('goes on'))).toBe('goes on')
  await first.close()
  await second.close()
})

test('an opener without a connection hears what a peer has, and what it refused', async () => {
  const medium = new MemoryMedium()
  const cloud = await replicaOn(memoryStorage(), 'cloud', { write: ['open'] })
  const hub = new MemoryHub()
  cloud.serve(hub.listen('memory:cloud'))
  const connected = await replicaOn(opener(medium), 'edge')
  const writer = await replicaOn(opener(medium), 'edge')
  connected.connect({
    transport: hub.transport({ principal: 'edge' }),
    address: 'memory:cloud',
    collections: ['open', 'closed'],
  })
  const note = await writer.open('note', { collection: 'open' })
  note.change(() => ({ text: 'by way of another' }))
  await note.durable('cloud')
  expect((await cloud.open('note')).value).toEqual(note.value)

  const refused = new Promise((resolve) => writer.onRejected(resolve))
  const rule = await writer.open('rule', { collection: 'closed' })
  rule.change(() => ({ text: 'refused' }))
  expect(await refused).toEqual(['rule'])
  expect(rule.value).toEqual({})
  // What is written next is written under another name, and is not taken for what was refused.
  rule.change(() => ({ text: 'once more' }))
  await rule.durable()
  expect((await writer.record('rule'))?.fork).toBe(1)
})
