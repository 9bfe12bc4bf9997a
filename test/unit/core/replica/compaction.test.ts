import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import type { CompactionOptions } from '../../../../src/core/replica/compaction.ts'
import { consoleLogger, createReplica, grants, type Replica } from '../../../../src/index.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'
import { ManualClock } from '../../adapters/reconciler/manual-clock.ts'

const HOUR_MS = 3_600_000

const GRANT = { read: ['notes'], write: ['notes'] }
const OPTIONS = { policy: grants({ a: GRANT, b: GRANT }), logger: consoleLogger('silent') }

let hub: MemoryHub
let replicas: Replica[]

beforeEach(() => {
  hub = new MemoryHub()
  replicas = []
})

afterEach(async () => {
  for (const replica of replicas) await replica.close()
})

async function start(name: string, compaction?: CompactionOptions): Promise<Replica> {
  const options = { ...OPTIONS, name, storage: memoryStorage() }
  const replica = await createReplica(
    compaction === undefined ? options : { ...options, compaction },
  )
  replicas.push(replica)
  return replica
}

function connect(from: Replica, to: string) {
  const transport = hub.transport({ principal: from.name })
  return from.connect({ transport, address: to, principal: to, collections: ['notes'] })
}

/** Resolves when a document has a generation that fits. */
function begun(replica: Replica, document: string): Promise<void> {
  return new Promise((resolve) => {
    const cancel = replica.onAppended((entries) => {
      if (!entries.some((entry) => entry.kind === 'base' && entry.document === document)) return
      cancel()
      resolve()
    })
  })
}

async function write(replica: Replica, id: string, count: number): Promise<void> {
  const note = await replica.open<Record<string, unknown>>(id, { collection: 'notes' })
  for (let i = 0; i < count; i += 1) {
    note.change((draft) => {
      draft['n'] = i
    })
    await note.durable()
  }
  await note.close()
}

async function entriesOf(replica: Replica, document: string): Promise<readonly string[]> {
  const page = await replica.readLog({ after: 0, document, bytesMax: 1 << 24 })
  return page.entries.map(({ kind }) => kind)
}

describe('the history of a document', () => {
  test('is cut past a number of events, and only where the collection is owned', async () => {
    const a = await start('a', { owns: (collection) => collection === 'notes', events: 20 })
    const cut = begun(a, 'n')
    await write(a, 'n', 21)
    await cut
    expect((await entriesOf(a, 'n')).length).toBeLessThan(21)
    const other = await a.open<Record<string, unknown>>('other', { collection: 'foreign' })
    for (let i = 0; i < 50; i += 1)
      other.change((draft) => {
        draft['n'] = i
      })
    await other.durable()
    expect((await a.record('other'))?.generation).toBe(1)
  })

  test('is cut past a number of bytes', async () => {
    const a = await start('a', { owns: () => true, bytes: 1_000 })
    const cut = begun(a, 'n')
    await write(a, 'n', 30)
    await cut
    expect((await a.record('n'))?.generation).toBeGreaterThan(1)
  })

  test('is cut past an age, which counts anew in each process', async () => {
    const medium = new MemoryMedium()
    const live = async () => {
      const clock = new ManualClock()
      const replica = await createReplica({
        ...OPTIONS,
        name: 'a',
        clock,
        storage: memoryStorage({ medium }),
        compaction: { owns: () => true, ageMs: HOUR_MS },
      })
      replicas.push(replica)
      return { replica, clock }
    }
    const first = await live()
    await write(first.replica, 'n', 2)
    await write(first.replica, 'm', 2)
    first.clock.advance(HOUR_MS - 1)
    await write(first.replica, 'later', 1)
    const cut = Promise.all([begun(first.replica, 'n'), begun(first.replica, 'm')])
    first.clock.advance(300)
    await cut
    expect(await entriesOf(first.replica, 'n')).toEqual(['base'])
    expect(await entriesOf(first.replica, 'later')).toEqual(['event'])
    await first.replica.close()

    const second = await live()
    const started = begun(second.replica, 'later')
    // Some seconds after the start it is found, and from then on its time counts.
    second.clock.advance(5_000)
    await expect.poll(() => second.clock.nextMs).toBeLessThanOrEqual(250)
    second.clock.advance(HOUR_MS - 1)
    await write(second.replica, 'n', 1)
    expect(await entriesOf(second.replica, 'later')).toEqual(['event'])
    second.clock.advance(300)
    await started
    expect(await entriesOf(second.replica, 'n')).toEqual(['base', 'event'])
  })

  test('of a collection without history is cut after every edit', async () => {
    const a = await start('a', { owns: () => true, withoutHistory: () => true })
    const cut = begun(a, 'n')
    await write(a, 'n', 1)
    await cut
    await expect.poll(() => entriesOf(a, 'n')).toEqual(['base'])
  })

  test('is kept until subscribers have it, but not for ever', async () => {
    const a = await start('a', { owns: () => true, events: 10, waitEvents: 40 })
    a.serve(hub.listen('a'))
    const b = await start('b')
    const uplink = connect(b, 'a')
    await write(a, 'n', 1)
    const note = await a.open('n')
    await note.durable('b')
    await uplink.close()
    await write(a, 'n', 30)
    expect((await a.record('n'))?.generation).toBe(1)
    const cut = begun(a, 'n')
    await write(a, 'n', 15)
    await cut
    const arrived = begun(b, 'n')
    connect(b, 'a')
    await arrived
    const theirs = await b.open('n')
    expect(theirs.value).toEqual({ n: 14 })
  })

  test('is cut on request, and says whether there was any', async () => {
    const a = await start('a')
    expect(await a.compact('n')).toBe(false)
    await write(a, 'n', 3)
    expect(await a.compact('n')).toBe(true)
    expect(await a.compact('n')).toBe(false)
    expect(await entriesOf(a, 'n')).toEqual(['base'])
  })

  test('an edit that a peer cannot apply any more is safe there, and merged at once', async () => {
    const a = await start('a')
    a.serve(hub.listen('a'))
    const b = await start('b')
    const uplink = connect(b, 'a')
    await write(a, 'n', 2)
    await (await a.open('n')).durable('b')
    await uplink.close()
    const note = await b.open<Record<string, unknown>>('n', { collection: 'notes' })
    note.change((draft) => {
      draft['mine'] = true
    })
    const there = note.durable('a')
    await a.compact('n')
    connect(b, 'a')
    await there
    const theirs = await a.open('n')
    await expect.poll(() => theirs.value).toEqual({ n: 1, mine: true })
    expect(note.value).toEqual({ n: 1, mine: true })
    expect(await a.digest(['notes'])).toBe(await b.digest(['notes']))
  })
})
