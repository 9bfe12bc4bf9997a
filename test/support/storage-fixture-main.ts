// Writes test/fixtures/storage/v<version>: the level directories of two replicas that have lived a
// little, and what each showed of its log when it was written. A version's fixture is written once, by
// the code of that version, and never again:
//
//   npx tsx test/support/storage-fixture-main.ts test/fixtures/storage/v2

import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { levelStorage } from '../../src/adapters/storage/level/index.ts'
import { memoryStorage } from '../../src/adapters/storage/memory/index.ts'
import type { Storage } from '../../src/core/interfaces/storage.ts'
import {
  consoleLogger,
  createReplica,
  type DocumentHandle,
  grants,
  type JsonMap,
  type Replica,
  type Uplink,
} from '../../src/index.ts'
import { nodeSha256 } from '../../src/node/index.ts'
import { MemoryHub } from '../../src/transports/memory/index.ts'
import { portrait, SHEET_KIND } from './log-portrait.ts'

const [target = ''] = process.argv.slice(2)
if (target === '') throw new Error('say where the fixture goes')
const ALL = { read: ['*'], write: ['*'] }
const SHARED = ['notes', 'archive', 'fixed']
const hub = new MemoryHub()

function open(name: string, storage: Storage, table: Parameters<typeof grants>[0]) {
  const sha256 = nodeSha256()
  const logger = consoleLogger('error')
  const policy = grants(table)
  return createReplica({ name, storage, sha256, logger, policy, kinds: [SHEET_KIND] })
}

function connect(from: Replica): Uplink {
  const transport = hub.transport({ principal: from.name })
  return from.connect({
    transport,
    address: 'memory:cloud',
    collections: SHARED,
    principal: 'cloud',
  })
}

async function note(replica: Replica, id: string, collection: string) {
  return await replica.open(id, { collection })
}

async function until(isDone: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isDone())) await new Promise((resolve) => setTimeout(resolve, 5))
}

async function sameDigests(a: Replica, b: Replica): Promise<boolean> {
  return (await a.digest(SHARED)) === (await b.digest(SHARED))
}

async function set(handle: DocumentHandle<JsonMap>, patch: JsonMap, message?: string) {
  handle.change((draft) => ({ ...draft, ...patch }), { message })
  await handle.durable()
}

await rm(target, { recursive: true, force: true })
await mkdir(target, { recursive: true })
const place = (name: string) => () => levelStorage({ directory: join(target, name) })
const limited = { read: SHARED, write: ['notes', 'archive'] }
const cloud = await open('cloud', await place('cloud')(), { 'edge-1': limited, 'edge-2': ALL })
const edge = await open('edge-1', await place('edge-1')(), { cloud: ALL })
const other = await open('edge-2', memoryStorage(), { cloud: ALL })
cloud.serve(hub.listen('memory:cloud'))

// Before they meet: both make the same two documents.
const plain = await note(edge, 'notes/plain', 'notes')
await set(
  plain,
  { title: 'from the edge', edge: 1, list: [1, 2.5, -3], nested: { a: true } },
  'made',
)
const plainCloud = await note(cloud, 'notes/plain', 'notes')
await set(plainCloud, { title: 'from the cloud', cloud: 1, nested: { b: false } })
const sheet = await edge.open('notes/sheet', { collection: 'notes', kind: SHEET_KIND })
const row = (name: string, size: number) => ({ name, size })
await set(sheet, { total: 5, tags: ['a', 'b'], rows: [row('x', 1), row('y', 2)] })
const sheetCloud = await cloud.open('notes/sheet', { collection: 'notes', kind: SHEET_KIND })
await set(sheetCloud, { total: 7, tags: ['b', 'c'], rows: [row('z', 3)], options: { k: 'v' } })
const own = await note(edge, 'local/many', 'local')
for (let count = 0; count < 40; count++) await set(own, { count, [`k${count % 5}`]: `v${count}` })
await set(await note(edge, 'notes/größe/🚢', 'notes'), {
  text: 'Löwe 🦁',
  large: 'x'.repeat(3_000),
})
for (const id of ['deleted', 'moved', 'left', 'returned']) {
  await set(await note(cloud, `notes/${id}`, 'notes'), { id, step: 1 })
}
await set(await note(cloud, 'fixed/rules', 'fixed'), { rule: 'one' })

// They meet.
const uplinks = [connect(edge), connect(other)]
await until(async () => (await sameDigests(edge, cloud)) && (await sameDigests(other, cloud)))
await set(await note(other, 'notes/plain', 'notes'), { other: 2 })
await cloud.move('notes/moved', 'archive')
await cloud.move('notes/left', 'hidden')
await cloud.move('notes/returned', 'hidden')
await until(async () => (await edge.record('notes/returned'))?.left === true)
await set(await note(cloud, 'notes/returned', 'notes'), { step: 2 })
await cloud.move('notes/returned', 'archive')
await until(async () => (await edge.record('notes/returned'))?.left === false)

// Apart: the edge edits what the cloud deletes, and what it may only read.
await uplinks[0]?.close()
const deleted = await note(edge, 'notes/deleted', 'notes')
await set(deleted, { late: 'kept, and never shown' })
await set(plain, { edge: 2, title: 'offline' })
const rules = await note(edge, 'fixed/rules', 'fixed')
await set(rules, { rule: 'mine' })
await set(rules, { and: 'what builds on it' })
await set(await note(edge, 'notes/moved', 'archive'), { step: 2 })
await cloud.delete('notes/deleted')
await set(plainCloud, { cloud: 2, title: 'online' })
uplinks.push(connect(edge))
await until(async () => (await edge.record('fixed/rules'))?.fork === 1)
await until(async () => (await sameDigests(edge, cloud)) && (await sameDigests(other, cloud)))
await set(sheet, { total: 9 })
await sheet.durable('cloud')
await plain.durable('cloud')

// Apart again, and stopped with edits that the other side does not have.
for (const uplink of uplinks) await uplink.close()
await until(() => cloud.peers().length === 0)
await set(plain, { edge: 3 })
await set(plainCloud, { cloud: 3 })
await set(await note(edge, 'notes/waiting', 'notes'), { text: 'not sent yet' })
await Promise.all([edge.close(), cloud.close(), other.close()])

// Copies are opened: the fixture stays as the first opener left it, with a log that was not rewritten.
const copies = await mkdtemp(join(tmpdir(), 'tideway-fixture-'))
await cp(target, copies, { recursive: true })
const copy = (name: string) => () => levelStorage({ directory: join(copies, name) })
const edgePortrait = await portrait(copy('edge-1'), ['cloud', 'edge-2'])
const cloudPortrait = await portrait(copy('cloud'), ['edge-1', 'edge-2'])
await rm(copies, { recursive: true })
for (const name of ['edge-1', 'cloud']) {
  // What LevelDB tells of itself, with times and paths.
  for (const file of ['LOG', 'LOG.old', 'LOCK']) await rm(join(target, name, file), { force: true })
}
const text = JSON.stringify({ 'edge-1': edgePortrait, cloud: cloudPortrait }, undefined, 1)
await writeFile(join(target, 'expected.json'), `${text}\n`)
