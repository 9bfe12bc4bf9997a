import * as Automerge from '@automerge/automerge'
import { expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { createHandle } from '../../../../src/core/document/create-handle.ts'
import { Documents, type Held } from '../../../../src/core/document/documents.ts'
import type { DocumentHandle } from '../../../../src/core/document/handle.ts'
import { type DocumentKind, PLAIN_KIND } from '../../../../src/core/document/kind.ts'
import { packEvents } from '../../../../src/core/log/entry.ts'
import { readEvent } from '../../../../src/core/log/event.ts'
import type { EventLog } from '../../../../src/core/log/event-log.ts'
import type { CheckedEvent, IncomingEntry } from '../../../../src/core/log/submission.ts'
import { consoleLogger } from '../../../../src/index.ts'
import { systemClock } from '../../../../src/system.ts'
import { Author, incoming, incomingMark } from '../../../support/author.ts'
import { eventually } from '../../../support/fleet.ts'
import { openLog, sha256 } from '../../../support/memory-log.ts'

type Value = Record<string, unknown>
type Place = { log: EventLog; documents: Documents; storage: ReturnType<typeof memoryStorage> }

const remote = (...entries: readonly IncomingEntry[]) =>
  ({ type: 'remote', from: 'peer', entries, peer: undefined, check: () => undefined }) as const

async function place(
  options: { cacheBytesMax?: number; sync?: () => Promise<void> } = {},
): Promise<Place> {
  const { cacheBytesMax = 40 << 20, sync } = options
  const storage = memoryStorage({
    medium: new MemoryMedium(),
    ...(sync === undefined ? {} : { sync }),
  })
  const log = await openLog({ storage })
  const logger = consoleLogger('silent')
  return {
    log,
    storage,
    documents: new Documents({ log, clock: systemClock, sha256, logger, cacheBytesMax }),
  }
}

async function open(
  { documents }: Place,
  id = 'd',
  kind = PLAIN_KIND,
): Promise<{ held: Held; handle: DocumentHandle<Value> }> {
  const held = await documents.hold(id, kind, 'c')
  const handle = createHandle<Value>(documents, held, {
    acknowledgements: { wait: () => Promise.resolve() },
    replicaOf: () => undefined,
    logger: consoleLogger('silent'),
  })
  return { held, handle }
}

/** Events of one actor; every change of their bytes that Automerge does not take, with a right checksum. */
function* broken(event: CheckedEvent): Iterable<CheckedEvent> {
  for (let at = 24; at < event.bytes.length; at += 1) {
    for (const value of [0x00, 0x7f, 0xff]) {
      const bytes = event.bytes.slice()
      if (bytes[at] === value) continue
      bytes[at] = value
      bytes.set(sha256(bytes.subarray(8)).subarray(0, 4), 4)
      try {
        yield { bytes, header: readEvent(bytes, sha256) }
      } catch {
        // Its header is broken too: it never gets into a log.
      }
    }
  }
}

test('an intact event with senseless content harms no other event, live or after a restart', async () => {
  const author = new Author()
  const first = author.set('a', 1)
  const fork = author.fork('bbbbbbbbbbbbbbbb')
  const good = author.set('b', 2)
  let damaged = 0
  for (const bad of broken(fork.set('x', 'y'))) {
    const here = await place()
    const { handle } = await open(here)
    for (const event of [first, bad, good]) await here.log.commit(remote(incoming('d', event)))
    await eventually(() => handle.value['b'] === 2)
    expect(handle.value).toMatchObject({ a: 1, b: 2 })
    damaged += handle.damaged.length
    handle.change((draft) => {
      draft['c'] = 3
    })
    await handle.durable()
    const again = { ...here, documents: documentsOf(here) }
    const { handle: reopened } = await open(again)
    expect(reopened.value).toMatchObject({ a: 1, b: 2, c: 3 })
    expect(reopened.damaged).toEqual(handle.damaged)
  }
  expect(damaged).toBeGreaterThan(10)
})

function documentsOf({ log }: Place): Documents {
  return new Documents({
    log,
    clock: systemClock,
    sha256,
    logger: consoleLogger('silent'),
    cacheBytesMax: 1,
  })
}

test('a senseless event is named, and alone it leaves the document empty', async () => {
  const here = await place()
  const author = new Author()
  const bad = [...broken(author.set('a', 1))].find(({ bytes }) => !isReadable(bytes))
  if (bad === undefined) throw new Error('nothing is broken')
  await here.log.commit(remote(incoming('d', bad)))
  const { handle } = await open(here)
  expect(handle.damaged).toEqual([bad.header.hash])
  expect(handle.value).toEqual({})
})

function isReadable(bytes: Uint8Array): boolean {
  try {
    Automerge.decodeChange(bytes)
    return true
  } catch {
    return false
  }
}

test('a document is not dropped between being read and being handed out', async () => {
  const here = await place({ cacheBytesMax: 1 })
  const { documents } = here
  const first = await open(here, 'first')
  const [second, third] = [
    documents.hold('second', PLAIN_KIND, 'c'),
    documents.hold('third', PLAIN_KIND, 'c'),
  ]
  const stop = { done: false }
  const shrink = async () => {
    while (!stop.done) {
      documents.release(await documents.hold('first', PLAIN_KIND, 'c'))
      await Promise.resolve()
    }
  }
  const shrinking = shrink()
  const held = await Promise.all([second, third])
  stop.done = true
  await shrinking
  for (const { document } of held) expect(document.value).toEqual({})
  expect(first.handle.value).toEqual({})
})

test('after close a handle is refused with a code, also when its document is gone from memory', async () => {
  const here = await place({ cacheBytesMax: 1 })
  const { handle } = await open(here)
  await handle.close()
  expect(() => handle.change(() => ({ a: 1 }))).toThrow(
    expect.objectContaining({ code: 'USAGE_CLOSED' }),
  )
  expect(() => handle.subscribe(() => undefined)).toThrow(
    expect.objectContaining({ code: 'USAGE_CLOSED' }),
  )
  expect(() => handle.value).toThrow(expect.objectContaining({ code: 'USAGE_CLOSED' }))
})

test('a document that left and came back is whole again for who held it', async () => {
  const here = await place()
  const author = new Author()
  const events = [author.set('a', 1), author.set('b', 2)]
  await here.log.commit(remote(...events.map((event) => incoming('d', event))))
  const { handle } = await open(here)
  expect(handle.value).toEqual({ a: 1, b: 2 })
  await here.log.commit(remote(incomingMark('d', 'leave')))
  expect([handle.value, handle.deleted]).toEqual([{}, true])
  expect(() => handle.change(() => ({ c: 3 }))).toThrow(
    expect.objectContaining({ code: 'DOCUMENT_DELETED' }),
  )
  const bytes = packEvents(events.map((event) => event.bytes))
  const wire = { kind: 'join', document: 'd', collection: 'c', generation: 1, bytes } as const
  await here.log.commit(remote({ wire, events }))
  await eventually(() => handle.value['b'] === 2)
  expect([handle.value, handle.deleted]).toEqual([{ a: 1, b: 2 }, false])
  handle.change((draft) => ({ ...draft, c: 3 }))
  await handle.durable()
})

test('an edit while the document is read again is refused, and taken afterwards', async () => {
  const here = await place()
  const { handle } = await open(here)
  handle.change(() => ({ a: 1 }))
  await handle.durable()
  const reloading = here.documents.reload('d')
  expect(() => handle.change(() => ({ a: 2 }))).toThrow(
    expect.objectContaining({ code: 'STORAGE_UNAVAILABLE' }),
  )
  await reloading
  handle.change(() => ({ a: 3 }))
  await handle.durable()
  expect(handle.value).toEqual({ a: 3 })
  expect(handle.missing).toEqual([])
})

test('a document that could not be read again is read at the next try', async () => {
  let failing = false
  const here = await place({
    sync: () => (failing ? Promise.reject(new Error('full')) : Promise.resolve()),
  })
  const { handle } = await open(here)
  handle.change(() => ({ a: 1 }))
  await handle.durable()
  const read = here.storage.read.bind(here.storage)
  Object.assign(here.storage, {
    read: (query: never) => (failing ? Promise.reject(new Error('no')) : read(query)),
  })
  failing = true
  handle.change(() => ({ a: 2 }))
  await expect(handle.durable()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  failing = false
  expect(() => handle.change(() => ({ a: 3 }))).toThrow()
  await eventually(() => (handle.value['a'] === 1 ? true : undefined))
  await eventually(() => {
    try {
      handle.change(() => ({ a: 4 }))
      return true
    } catch {
      return false
    }
  })
  await handle.durable()
  expect(handle.value).toEqual({ a: 4 })
})

test('an edit made right after a failed append never refers to what was not stored', async () => {
  for (let turns = 0; turns < 12; turns += 1) {
    let failing = false
    const here = await place({
      sync: () => (failing ? Promise.reject(new Error('full')) : Promise.resolve()),
    })
    const { handle } = await open(here)
    handle.change(() => ({ a: 1 }))
    await handle.durable()
    failing = true
    handle.change(() => ({ a: 2 }))
    const lost = handle.durable().catch(() => undefined)
    await new Promise((resolve) => {
      const off = here.log.onAppended(() => undefined)
      off()
      setImmediate(resolve)
    })
    failing = false
    for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
    try {
      handle.change((draft) => ({ ...draft, b: 1 }))
    } catch {
      // Refused at once: as good.
    }
    await handle.durable().catch(() => undefined)
    await lost
    const { handle: again } = await open({ ...here, documents: documentsOf(here) })
    expect(again.missing).toEqual([])
    expect(again.value['a']).toBe(1)
  }
})

test('a subscriber that throws harms nobody else', async () => {
  const here = await place()
  const { handle } = await open(here)
  const told: unknown[] = []
  handle.subscribe(() => {
    throw new Error('not ours')
  })
  handle.subscribe((change) => told.push(change.value))
  expect(handle.change(() => ({ a: 1 }))).toBeDefined()
  await here.log.commit(remote(incoming('d', new Author('bbbbbbbbbbbbbbbb').set('b', 2))))
  await handle.durable()
  expect(told).toEqual([{ a: 1 }, { a: 1, b: 2 }])
})

test('the durable value lacks the edits that are on their way', async () => {
  const gate: (() => void)[] = []
  let slow = false
  const here = await place({
    sync: () => (slow ? new Promise((resolve) => gate.push(resolve)) : Promise.resolve()),
  })
  const { handle } = await open(here)
  handle.change(() => ({ a: 1 }))
  await handle.durable()
  slow = true
  handle.change(() => ({ a: 2 }))
  expect([handle.value, handle.durableValue]).toEqual([{ a: 2 }, { a: 1 }])
  await eventually(() => gate.length > 0)
  handle.change(() => ({ a: 3 }))
  gate.shift()?.()
  await eventually(() => gate.length > 0)
  expect([handle.value, handle.durableValue]).toEqual([{ a: 3 }, { a: 2 }])
  gate.shift()?.()
  await handle.durable()
  expect(handle.durableValue).toBe(handle.value)
})

test('the first event of a kind is stored with the first edit, whatever came before it', async () => {
  const kind: DocumentKind = { name: 'k/v1', shape: { type: 'map' }, skeleton: ['labels'] }
  const here = await place()
  const { handle } = await open(here, 'd', kind)
  await here.log.commit(remote(incoming('d', new Author('bbbbbbbbbbbbbbbb').set('b', 2))))
  handle.change((draft) => ({ ...draft, a: 1 }))
  await handle.durable()
  const { handle: again } = await open({ ...here, documents: documentsOf(here) }, 'd', kind)
  expect(again.missing).toEqual([])
  expect(again.value).toEqual({ a: 1, b: 2 })
})

test('a document that was opened without a kind takes on the first one', async () => {
  const kind: DocumentKind = {
    name: 'k/v1',
    shape: { type: 'map', fields: { words: { type: 'set' } } },
    skeleton: ['words'],
  }
  const here = await place()
  const plain = await open(here)
  const known = await open(here, 'd', kind)
  known.handle.change(() => ({ words: ['b', 'a'] }))
  await known.handle.durable()
  expect(plain.handle.value).toEqual({ words: ['a', 'b'] })
})
