import { expect } from 'vitest'
import { Digest, digestTerm } from '../../src/core/log/digest.ts'
import { readEvent } from '../../src/core/log/event.ts'
import type { Replica, StoredEntry } from '../../src/index.ts'
import { nodeSha256 } from '../../src/node/index.ts'

const COLLECTIONS = ['c0', 'c1', 'c2']
const sha256 = nodeSha256()

/** What a process told, line by line, before it was killed. */
export interface Told {
  readonly keys: Map<string, Set<string>>
  readonly deleted: Set<string>
  readonly homes: Map<string, string>
  count: number
}

export function nothingTold(): Told {
  return { keys: new Map(), deleted: new Set(), homes: new Map(), count: 0 }
}

/** Takes one line in. @returns the document that it is about. */
export function takeLine(told: Told, line: string): string | undefined {
  const [what, id = '', word = '', home = ''] = line.split(' ')
  if (what === 'edit') {
    const keys = told.keys.get(id) ?? new Set()
    told.keys.set(id, keys.add(word))
    told.homes.set(id, home)
  } else if (what === 'delete') told.deleted.add(id)
  else if (what === 'move') told.homes.set(id, word)
  else return undefined
  told.count += 1
  return id
}

/**
 * Makes sure that a replica has all of `documents` that was told, that its digests are those of its log,
 * and that every writer's events follow each other without a gap.
 */
export async function audit(
  replica: Replica,
  told: Told,
  documents: Iterable<string>,
): Promise<void> {
  for (const id of documents) {
    const handle = await replica.open(id)
    expect(handle.missing, id).toEqual([])
    expect(handle.damaged, id).toEqual([])
    if (told.deleted.has(id)) expect(handle.deleted, `${id} is deleted`).toBe(true)
    if (!handle.deleted) {
      const lacking = [...(told.keys.get(id) ?? [])].filter((key) => !(key in handle.value))
      expect(lacking, `what ${id} lacks`).toEqual([])
    }
    await handle.close()
  }
  await auditLog(replica, told)
}

async function auditLog(replica: Replica, told: Told): Promise<void> {
  const entries = await readAll(replica)
  expect(entries.map(({ position }) => position)).toEqual(
    Array.from({ length: replica.head }, (_, index) => index + 1),
  )
  const sums = new Map(COLLECTIONS.map((collection) => [collection, new Digest()]))
  const sequences = new Map<string, number>()
  const events = new Set<string>()
  for (const { kind, document, generation, hash, bytes } of entries) {
    if (kind === 'join' || kind === 'leave') continue
    const record = await replica.record(document)
    if (record === undefined) throw new Error(`${document} has entries and no record`)
    const name = kind === 'tombstone' ? kind : (hash ?? '')
    sums.get(record.collection)?.add(digestTerm(document, generation, name, sha256))
    if (kind !== 'event') continue
    const { actor, sequence, hash: own } = readEvent(bytes, sha256)
    expect(own).toBe(hash)
    expect(events.has(own), 'an event is there once').toBe(false)
    events.add(own)
    expect(actor, 'who writes').toBe(replica.actor)
    expect(sequence, `the next event of ${document}`).toBe((sequences.get(document) ?? 0) + 1)
    sequences.set(document, sequence)
  }
  for (const [collection, sum] of sums) {
    const digest = await replica.digest([collection])
    expect(digest, `the digest of ${collection}`).toBe(sum.sum.toString(16).padStart(32, '0'))
  }
  for (const [id, home] of told.homes) {
    const record = await replica.record(id)
    // A move that was under way when the process was killed may be there or not.
    if (record?.collection !== home) expect(COLLECTIONS).toContain(record?.collection)
  }
}

async function readAll(replica: Replica): Promise<readonly StoredEntry[]> {
  const all: StoredEntry[] = []
  for (let after = 0; ; ) {
    const page = await replica.readLog({ after, bytesMax: 1 << 22 })
    all.push(...page.entries)
    if (page.end) return all
    after = page.upTo
  }
}
