import { afterEach, expect, test } from 'vitest'
import { memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { DENIED, grants, type Policy } from '../../../../src/core/access/policy.ts'
import type { EntryKind } from '../../../../src/core/sync/io.ts'
import { consoleLogger, createReplica, type Replica } from '../../../../src/index.ts'
import { nodeSha256 } from '../../../../src/node/index.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'
import { Author, incoming } from '../../../support/author.ts'
import { eventually } from '../../../support/fleet.ts'
import { openLog } from '../../../support/memory-log.ts'

const open: Replica[] = []
afterEach(async () => {
  for (const replica of open.splice(0)) await replica.close()
})

async function start(name: string, policy: Policy): Promise<Replica> {
  const replica = await createReplica({
    storage: memoryStorage(),
    name,
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    policy,
  })
  open.push(replica)
  return replica
}

async function rejectedOf(replica: Replica): Promise<readonly unknown[]> {
  const all: unknown[] = []
  for await (const { document, hash, code } of replica.rejected())
    all.push({ document, hash, code })
  return all
}

/** A node that may edit documents of the cloud, and delete or move them only as far as it is allowed. */
async function fleet(): Promise<{
  readonly cloud: Replica
  readonly node: Replica
  readonly allow: (...kinds: readonly EntryKind[]) => void
}> {
  const all = { read: ['*'], write: ['*'] }
  const table = grants({ cloud: all, node: all })
  const allowed = new Set<EntryKind>(['event'])
  const cloud = await start('cloud', {
    ...table,
    mayWrite: (principal, request) =>
      allowed.has(request.kind) ? table.mayWrite(principal, request) : DENIED,
  })
  const node = await start('node', table)
  const hub = new MemoryHub()
  cloud.serve(hub.listen('memory:cloud'))
  const transport = hub.transport({ principal: 'node' })
  node.connect({ transport, address: 'memory:cloud', collections: ['c', 'd'] })
  const note = await node.open<{ n?: number }>('c/1', { collection: 'c' })
  note.change(() => ({ n: 1 }))
  await note.durable('cloud')
  await note.close()
  return {
    cloud,
    node,
    allow: (...kinds) => {
      for (const kind of kinds) allowed.add(kind)
    },
  }
}

test('a document whose end was refused goes on, and the refusal is seen', async () => {
  const { cloud, node, allow } = await fleet()
  const seen: string[] = []
  node.onRejected((documents) => seen.push(...documents))
  const held = await node.open<{ n?: number }>('c/1')
  await node.delete('c/1')
  expect(held.deleted).toBe(true)
  await eventually(() => seen.length > 0)
  expect(seen).toEqual(['c/1'])
  expect((await node.record('c/1'))?.deleted).toBe(false)
  expect(held.deleted).toBe(false)
  expect(held.value).toEqual({ n: 1 })
  expect(await rejectedOf(node)).toEqual([
    { document: 'c/1', hash: 'tombstone', code: 'ACCESS_DENIED' },
  ])
  expect((await node.status()).rejected).toBe(1)
  expect(await node.digest(['c'])).toBe(await cloud.digest(['c']))
  // It can be written again, from both sides.
  held.change(() => ({ n: 2 }))
  await held.durable('cloud')
  await held.close()
  expect(await node.digest(['c'])).toBe(await cloud.digest(['c']))

  // And deleted, when that is allowed.
  allow('tombstone')
  await node.delete('c/1')
  await eventually(() => cloud.peers().length > 0)
  const marker = await node.open<{ n?: number }>('c/2', { collection: 'c' })
  marker.change(() => ({ n: 1 }))
  await marker.durable('cloud')
  expect((await cloud.record('c/1'))?.deleted).toBe(true)
  expect((await node.record('c/1'))?.deleted).toBe(true)
  expect(await rejectedOf(node)).toEqual([])
  expect(await node.digest(['c'])).toBe(await cloud.digest(['c']))
  expect((await node.open('c/1')).deleted).toBe(true)
})

test('of a document that was moved and deleted only the refused end is taken back', async () => {
  const { cloud, node } = await fleet()
  const seen: string[] = []
  node.onRejected((documents) => seen.push(...documents))
  await node.move('c/1', 'd')
  await node.delete('c/1')
  await eventually(() => seen.length > 0)
  expect(await rejectedOf(node)).toEqual([
    { document: 'c/1', hash: 'tombstone', code: 'ACCESS_DENIED' },
  ])
  expect(await node.record('c/1')).toMatchObject({ deleted: false, collection: 'd' })
  expect(await cloud.record('c/1')).toMatchObject({ deleted: false, collection: 'c' })
})

test('a refused move does not take back the end of the document', async () => {
  const { cloud, node, allow } = await fleet()
  allow('tombstone')
  await node.move('c/1', 'd')
  await node.delete('c/1')
  const marker = await node.open<{ n?: number }>('c/2', { collection: 'c' })
  marker.change(() => ({ n: 1 }))
  await marker.durable('cloud')
  await marker.close()
  expect((await cloud.record('c/1'))?.deleted).toBe(true)
  expect((await node.record('c/1'))?.deleted).toBe(true)
  expect(await rejectedOf(node)).toEqual([])
})

test('what was refused once and comes from elsewhere counts again', async () => {
  const log = await openLog({ replica: 'here' })
  const event = new Author(log.actor(0)).set('a', 1)
  await log.commit({ type: 'local', document: 'd', collection: 'c', events: [event] })
  const { hash } = event.header
  const rejects = [
    { document: 'd', kind: 'event', hash, code: 'ACCESS_DENIED', message: 'no' } as const,
  ]
  await log.commit({ type: 'reject', peer: 'p', rejects, atMs: 1 })
  expect(await log.readDocument('d')).toEqual([])
  const entries = [incoming('d', event)]
  const check = (): undefined => undefined
  await log.commit({ type: 'remote', from: 'q', entries, peer: undefined, check })
  expect((await log.readDocument('d')).map((entry) => entry.hash)).toEqual([hash])
  for await (const rejected of log.rejected()) throw new Error(rejected.hash)
  await log.close()
})
