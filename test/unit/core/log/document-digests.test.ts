import { describe, expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { toHex } from '../../../../src/core/bytes.ts'
import type { Put, Storage } from '../../../../src/core/interfaces/storage.ts'
import { Digest } from '../../../../src/core/log/digest.ts'
import type { EventLog } from '../../../../src/core/log/event-log.ts'
import type { HomeRange } from '../../../../src/core/log/homes.ts'
import { DOCUMENT_PREFIX, HOME_PREFIX, IDENTITY_KEY } from '../../../../src/core/log/keys.ts'
import {
  type DocumentRecord,
  decodeRecord,
  encodeRecord,
  type Identity,
} from '../../../../src/core/log/records.ts'
import { Author, incoming, incomingMark } from '../../../support/author.ts'
import { openLog } from '../../../support/memory-log.ts'

const GONE = { code: 'ACCESS_DENIED', message: 'no' } as const
const remote = (entries: readonly ReturnType<typeof incoming>[]) =>
  ({ type: 'remote', from: 'peer', entries, peer: undefined, check: () => undefined }) as const

/** Everything that can happen to documents: edits, deletion, moves, leaving, refusal. */
async function live(log: EventLog): Promise<void> {
  for (const [index, document] of ['a', 'b', 'c', 'd', 'e'].entries()) {
    const author = new Author(`aaaaaaaaaaaaaa1${index}`)
    const events = [author.set('x', 1), author.set('y', 2)]
    await log.commit({ type: 'local', document, collection: 'one', events })
    await log.commit(remote([incoming(document, author.fork('cc'.repeat(8)).set('z', 3), 'one')]))
    if (document !== 'e') continue
    const hash = events[1]?.header.hash
    const rejects = [{ document, kind: 'event' as const, hash, ...GONE }]
    await log.commit({ type: 'reject', peer: 'peer', rejects, atMs: 0 })
  }
  await log.commit({ type: 'delete', document: 'b' })
  await log.commit({ type: 'move', document: 'b', to: 'two' })
  await log.commit({ type: 'move', document: 'c', to: 'two' })
  await log.commit(remote([incomingMark('d', 'leave', 'one')]))
}

/** The sum of the digests of the documents that are at home in each collection. */
async function sums(log: EventLog): Promise<Map<string, bigint>> {
  const found = new Map<string, Digest>()
  for await (const { record } of log.documents()) {
    const sum = found.get(record.collection) ?? new Digest()
    sum.add(Digest.of(record.digest).sum)
    found.set(record.collection, sum)
  }
  return new Map([...found].map(([collection, digest]) => [collection, digest.sum]))
}

async function collections(log: EventLog): Promise<Map<string, bigint>> {
  const names = ['one', 'two']
  return new Map(
    await Promise.all(
      names.map(async (name) => [name, (await log.digest([name])).sum] as [string, bigint]),
    ),
  )
}

/** Takes a log back to format 1, in which documents had no digest. */
async function takeBack(storage: Storage): Promise<void> {
  const [bytes] = await storage.get([IDENTITY_KEY])
  const identity = decodeRecord<Identity>(bytes ?? new Uint8Array(0), 'epoch')
  const puts: Put[] = [{ key: IDENTITY_KEY, value: encodeRecord({ ...identity, format: 1 }) }]
  for await (const { key, value } of storage.scan(DOCUMENT_PREFIX)) {
    const { digest: _, ...old } = decodeRecord<DocumentRecord>(value, 'last')
    puts.push({ key, value: encodeRecord(old as DocumentRecord) })
  }
  for await (const { key } of storage.scan(HOME_PREFIX)) puts.push({ key, value: undefined })
  await storage.append({ records: [], puts })
}

describe('the digest of a document', () => {
  test('sums up to that of its collection, whatever happened', async () => {
    const log = await openLog()
    await live(log)
    expect(await sums(log)).toEqual(await collections(log))
    expect((await log.record('d'))?.digest).toEqual(new Uint8Array(16))
  })

  test('is added to a log that was written without', async () => {
    const medium = new MemoryMedium()
    const first = await openLog({ storage: memoryStorage({ medium }) })
    await live(first)
    const before = await digests(first)
    await first.close()
    const storage = memoryStorage({ medium })
    await takeBack(storage)
    await storage.close()
    const second = await openLog({ storage: memoryStorage({ medium }) })
    expect(await digests(second)).toEqual(before)
    expect(await sums(second)).toEqual(await collections(second))
    expect(await homes(second)).toEqual(await expectedHomes(second))
  })
})

describe('the index of documents by home', () => {
  test('names those that are here, whatever happened', async () => {
    const log = await openLog()
    await live(log)
    const found = await homes(log)
    expect(found).toEqual({ one: ['a', 'b', 'e'], two: ['c'] })
    expect(found).toEqual(await expectedHomes(log))
  })

  test('is read by ranges, in the order of UTF-8 bytes', async () => {
    const log = await openLog()
    const ids = ['a', 'a/1', 'b', '～', '🚢']
    for (const [index, document] of ids.toReversed().entries()) {
      const author = new Author(`aaaaaaaaaaaaaa2${index}`)
      const events = [author.set('x', 1)]
      await log.commit({ type: 'local', document, collection: 'one', events })
      await log.commit({ type: 'local', document: `${document}!`, collection: 'on', events })
    }
    expect(await homes(log)).toMatchObject({ one: ids })
    expect(await names(log, 'one', { from: 'a/', to: '🚢' })).toEqual(['a/1', 'b', '～'])
    expect(await names(log, 'one', { from: 'c', to: undefined })).toEqual(['～', '🚢'])
    expect(await names(log, 'two', { from: '', to: undefined })).toEqual([])
  })
})

async function names(log: EventLog, collection: string, range: HomeRange): Promise<string[]> {
  const ids: string[] = []
  for await (const { id } of log.documentsAt(collection, range)) ids.push(id)
  return ids
}

async function homes(log: EventLog): Promise<Record<string, readonly string[]>> {
  const all = { from: '', to: undefined }
  return { one: await names(log, 'one', all), two: await names(log, 'two', all) }
}

async function expectedHomes(log: EventLog): Promise<Record<string, readonly string[]>> {
  const found: Record<string, string[]> = { one: [], two: [] }
  for await (const { id, record } of log.documents())
    if (!record.left) found[record.collection]?.push(id)
  return found
}

async function digests(log: EventLog): Promise<readonly string[]> {
  const all: string[] = []
  for await (const { id, record } of log.documents()) all.push(`${id} ${toHex(record.digest)}`)
  return all
}
