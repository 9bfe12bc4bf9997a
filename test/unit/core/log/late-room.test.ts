import { expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { EventLog } from '../../../../src/core/log/event-log.ts'
import { makeBeginning } from '../../../../src/core/log/generation-beginning.ts'
import { cutActor } from '../../../../src/core/log/generation-origin.ts'
import { LATE_LIMITS, type LateLimits, LateRoom } from '../../../../src/core/log/late-room.ts'
import { checkEntry } from '../../../../src/core/replica/incoming.ts'
import { Author } from '../../../support/author.ts'
import { craftChange, repeatedOperation } from '../../../support/crafted-events.ts'
import { sha256 } from '../../../support/memory-log.ts'

const columns = repeatedOperation(1)

/** An event of a writer of its own. */
function eventOf(writer: number): Uint8Array {
  return craftChange({ columns, actor: writer.toString(16).padStart(16, '0') })
}

/** A base after one cut. */
function baseOf(document: string): { readonly generation: number; readonly bytes: Uint8Array } {
  const state = new Author(cutActor(document, 1, sha256)).set('a', 1)
  return makeBeginning(1, new Map(), state, sha256)
}

async function give(
  log: EventLog,
  kind: 'event' | 'base',
  document: string,
  generation: number,
  all: readonly Uint8Array[],
): Promise<readonly string[]> {
  const place = { document, collection: 'c', generation }
  const entries = all.map((bytes) => checkEntry({ kind, ...place, bytes }, sha256))
  const check = () => undefined
  const submission = { type: 'remote', from: 'b', entries, peer: undefined, check } as const
  return (await log.commit(submission)).rejects.map(({ code }) => code)
}

async function late(log: EventLog): Promise<number> {
  let count = 0
  for await (const { bytes } of log.late()) count += Number(bytes.length > 0)
  return count
}

function open(medium: MemoryMedium, lateLimits: LateLimits): Promise<EventLog> {
  const random = { fill: (bytes: Uint8Array) => bytes.fill(7) }
  const genesis = { genesisActor: '00', isGenesis: () => false }
  const storage = memoryStorage({ medium })
  return EventLog.open({ storage, sha256, random, lateLimits, ...genesis })
}

const range = (from: number, count: number): readonly Uint8Array[] =>
  Array.from({ length: count }, (_, i) => eventOf(from + i))

test('of one document no more late events are kept than there is room for', async () => {
  const documentEvents = 50
  const log = await open(new MemoryMedium(), { ...LATE_LIMITS, documentEvents })
  const base = baseOf('d')
  await give(log, 'base', 'd', base.generation, [base.bytes])
  expect(await give(log, 'event', 'd', 1, range(0, documentEvents))).toEqual([])
  expect(await late(log)).toBe(documentEvents)
  expect(await give(log, 'event', 'd', 1, range(documentEvents, 2))).toEqual([
    'DOCUMENT_COMPACTED',
    'DOCUMENT_COMPACTED',
  ])
  // What is kept already is no news, and other documents have room.
  expect(await give(log, 'event', 'd', 1, range(0, 2))).toEqual([])
  expect(await give(log, 'event', 'e', base.generation, range(0, 2))).toEqual([])
  expect(await late(log)).toBe(documentEvents + 2)
})

test('all documents together have room for so many, also after the log is opened again', async () => {
  const medium = new MemoryMedium()
  const lateLimits = { ...LATE_LIMITS, events: 3 }
  const log = await open(medium, lateLimits)
  const { generation } = baseOf('d')
  for (const document of ['d', 'e', 'f'])
    expect(await give(log, 'event', document, generation, [eventOf(1)])).toEqual([])
  expect(await give(log, 'event', 'g', generation, [eventOf(1)])).toEqual(['DOCUMENT_COMPACTED'])
  await log.close()
  medium.unlock()
  const again = await open(medium, lateLimits)
  expect(await give(again, 'event', 'g', generation, [eventOf(1)])).toEqual(['DOCUMENT_COMPACTED'])
  // The base that one of them waited for makes room.
  const base = baseOf('d')
  await give(again, 'base', 'd', base.generation, [base.bytes])
  expect(await late(again)).toBe(2)
  expect(await give(again, 'event', 'g', generation, [eventOf(1)])).toEqual([])
  await again.close()
})

test('bytes are counted as well, and what one plan puts counts in it already', () => {
  const limits = { ...LATE_LIMITS, documentBytes: 10, bytes: 15 }
  const room = new LateRoom(limits)
  room.apply([{ key: 'l/d\u0000a', value: new Uint8Array(8) }])
  expect(room.fits('l/d\u0000b', 2)).toBe(true)
  expect(room.fits('l/d\u0000b', 3)).toBe(false)
  expect(room.fits('l/e\u0000b', 7)).toBe(true)
  expect(room.fits('l/e\u0000b', 8)).toBe(false)
  const plan = room.over()
  plan.apply([{ key: 'l/d\u0000a', value: undefined }])
  expect(plan.fits('l/e\u0000b', 8)).toBe(true)
  plan.apply([{ key: 'l/e\u0000b', value: new Uint8Array(8) }])
  expect(plan.fits('l/d\u0000c', 8)).toBe(false)
  expect(plan.fits('l/d\u0000c', 7)).toBe(true)
  expect(room.fits('l/e\u0000b', 8)).toBe(false)
})
