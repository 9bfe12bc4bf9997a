import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { levelStorage } from '../../../../src/adapters/storage/level/index.ts'
import type { Storage } from '../../../../src/core/interfaces/storage.ts'
import { consoleLogger, createReplica, grants, type Replica } from '../../../../src/index.ts'
import { nodeSha256 } from '../../../../src/node/index.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'
import { type LogPortrait, portrait, SHEET_KIND } from '../../../support/log-portrait.ts'

// Written by storage-fixture-main.ts, once a version, by the code of that version.
const FIXTURES = fileURLToPath(new URL('../../../fixtures/storage/', import.meta.url))
const versions = (await readdir(FIXTURES)).sort()

let root: string
const opened: Replica[] = []
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tideway-fixture-'))
})
afterEach(async () => {
  for (const replica of opened.splice(0)) await replica.close()
  await rm(root, { recursive: true, force: true })
})

describe.each(versions)('logs that were written in version %s', (version) => {
  let expected: Readonly<Record<string, LogPortrait>>
  beforeEach(async () => {
    await cp(join(FIXTURES, version), root, { recursive: true })
    expected = JSON.parse(await readFile(join(root, 'expected.json'), 'utf8'))
  })
  const place = (name: string) => (): Promise<Storage> =>
    levelStorage({ directory: join(root, name) })

  test.each(['edge-1', 'cloud'])('show all that they showed then: %s', async (name) => {
    const before = expected[name]
    const peers = before?.peers.map((peer) => String((peer as { replica: string }).replica)) ?? []
    expect(before?.documents.length).toBeGreaterThan(5)
    expect(await portrait(place(name), peers)).toEqual(before)
    // And again: opening it changed nothing that counts.
    expect(await portrait(place(name), peers)).toEqual(before)
  })

  test('go on where they stopped: same writers, next positions, no history sent again', async () => {
    const [edge, cloud] = [await open('edge-1', place), await open('cloud', place)]
    const hub = new MemoryHub()
    cloud.serve(hub.listen('memory:cloud'))
    const added: string[] = []
    cloud.onAppended((entries) => {
      added.push(...entries.map(({ document, kind }) => `${kind} ${document}`))
    })
    const collections = ['notes', 'archive', 'fixed']
    edge.connect({
      transport: hub.transport({ principal: 'edge-1' }),
      address: 'memory:cloud',
      principal: 'cloud',
      collections,
    })
    await expect
      .poll(async () => (await edge.digest(collections)) === (await cloud.digest(collections)))
      .toBe(true)
    // Only what the edge had not sent when it was stopped.
    expect(added.sort()).toEqual(['event notes/plain', 'event notes/waiting'])
    const plain = await edge.open('notes/plain')
    expect(plain.value).toMatchObject({ edge: 3, cloud: 3, other: 2 })
    const head = edge.head
    plain.change((draft) => ({ ...draft, edge: 4 }))
    await plain.durable('cloud')
    expect(edge.head).toBe(head + 1)
    expect(edge.actor).toBe(expected['edge-1']?.actor)
    const copy = await cloud.open('notes/plain')
    expect(copy.value).toEqual(plain.value)
    expect(copy.heads).toEqual(plain.heads)
  })
})

async function open(name: string, place: (name: string) => () => Promise<Storage>) {
  const ALL = { read: ['*'], write: ['*'] }
  const limited = { read: ['notes', 'archive', 'fixed'], write: ['notes', 'archive'] }
  const replica = await createReplica({
    name,
    storage: await place(name)(),
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    policy: grants({ cloud: ALL, 'edge-1': limited }),
    kinds: [SHEET_KIND],
  })
  opened.push(replica)
  return replica
}
