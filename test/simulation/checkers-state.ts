import * as Automerge from '@automerge/automerge'
import type { CollectionId, DocumentId, EventHash } from '../../src/core/ids.ts'
import { digestTerm } from '../../src/core/log/digest.ts'
import { isOfMove, type StoredEntry } from '../../src/core/log/entry.ts'
import { readBeginning } from '../../src/core/log/generation-beginning.ts'
import type { DocumentRecord } from '../../src/core/log/records.ts'
import type { Replica } from '../../src/core/replica/replica.ts'
import { type Machine, nativeSha256 } from './simulator.ts'
import { isHarmed } from './topology.ts'
import type { World } from './world.ts'

/** What a replica shows of one collection. */
export interface CollectionState {
  readonly digest: string
  /** Each document with its heads, its value and what it lacks, as text. */
  readonly text: string
}

/** What the CRDT library alone makes of a document's events. */
interface Reference {
  readonly heads: string
  readonly value: string
  readonly conflicts: string
}

/** I2: replicas with the same events show the same value, heads, conflicts and digest. */
export class StateChecker {
  readonly #world: World
  /** By document and set of events. */
  readonly #references: Map<string, Reference> = new Map()

  constructor(world: World) {
    this.#world = world
  }

  /**
   * The state of one collection on one machine. `deep` compares each document with what the library
   * makes of the events in the log, and the digest with the sum of those events.
   */
  async of(machine: Machine, collection: CollectionId, deep: boolean): Promise<CollectionState> {
    const replica = machine.process?.replica
    if (replica === undefined) return { digest: 'not running', text: '' }
    const lines: string[] = []
    const digest = await replica.digest([collection])
    let sum = 0n
    for await (const { id, record } of replica.documents()) {
      if (record.collection !== collection || record.left) continue
      const entries = deep ? await countingEntries(replica, id) : []
      sum += termsOf(id, record, entries)
      lines.push(await this.#line(machine.name, replica, id, record, entries, deep))
    }
    const expected = (sum % (1n << 128n)).toString(16).padStart(32, '0')
    if (deep && expected !== digest)
      this.#fail(`${machine.name} has the digest ${digest} of events that make ${expected}`)
    return { digest, text: lines.filter((line) => line !== '').join('\n') }
  }

  async #line(
    name: string,
    replica: Replica,
    id: DocumentId,
    record: DocumentRecord,
    entries: readonly StoredEntry[],
    deep: boolean,
  ): Promise<string> {
    if (record.deleted && !deep) return `${id} deleted`
    const opened = replica.open<unknown>(id, { collection: record.collection })
    const handle = isHarmed(id) ? await opened.catch(() => undefined) : await opened
    if (handle === undefined) return `${id} broken`
    try {
      if (handle.deleted !== record.deleted)
        this.#fail(`${name} shows ${id} as ${handle.deleted ? 'deleted' : 'alive'}`)
      if (record.deleted) return `${id} deleted`
      const heads = [...handle.heads].sort().join(',')
      const value = canonical(handle.value)
      // All that its author wrote was refused: nobody else ever saw it.
      if (deep && entries.length === 0 && value === '{}' && heads === '') return ''
      const line = `${id} ${heads} ${value} lacks ${handle.missing.length}`
      if (!deep) return line
      const reference = this.#reference(id, entries)
      if (reference === undefined) return line
      if (reference.heads !== heads || reference.value !== value) {
        this.#fail(
          `${name} shows ${id} as ${value} at ${heads}; its events make ${reference.value} at ${reference.heads}`,
        )
      }
      return `${line} conflicts ${reference.conflicts}`
    } finally {
      await handle.close()
    }
  }

  #reference(id: DocumentId, entries: readonly StoredEntry[]): Reference | undefined {
    const set = `${id} ${entries
      .map(({ hash }) => hash)
      .sort()
      .join(' ')}`
    let reference = this.#references.get(set)
    if (reference === undefined) {
      try {
        reference = referenceOf(entries.flatMap(changesOf))
      } catch (error) {
        // The library has no answer to some events that make no sense; a replica goes on without them.
        if (isHarmed(id)) return undefined
        throw error
      }
      this.#references.set(set, reference)
    }
    return reference
  }

  /** Compares the states of those who share a collection: equal digests promise equal states. */
  compare(collection: CollectionId, states: ReadonlyMap<string, CollectionState>): boolean {
    const byDigest = new Map<string, { readonly name: string; readonly text: string }>()
    for (const [name, { digest, text }] of states) {
      const other = byDigest.get(digest)
      if (other === undefined) byDigest.set(digest, { name, text })
      else if (other.text !== text) {
        const sides = `${other.name}:\n${other.text}\n${name}:\n${text}`
        this.#fail(`${collection} has one digest and two states\n${sides}`)
      }
    }
    return byDigest.size <= 1
  }

  #fail(what: string): void {
    this.#world.fail('I2', what)
  }
}

/** The events that count in a document: those since it last left, each once, without refused ones. */
async function countingEntries(replica: Replica, document: DocumentId): Promise<StoredEntry[]> {
  const refused = new Set<EventHash>()
  for await (const rejected of replica.rejected())
    if (rejected.document === document) refused.add(rejected.hash)
  const counting = new Map<string, StoredEntry>()
  let home: CollectionId | undefined
  let base: StoredEntry | undefined
  for (let after = 0; ; ) {
    const page = await replica.readLog({ after, document, bytesMax: 1 << 20 })
    for (const entry of page.entries) {
      if (entry.kind === 'leave') {
        if (home !== entry.collection || isOfMove(entry)) continue
        counting.clear()
        base = undefined
        continue
      }
      home = entry.collection
      if (entry.kind === 'base') {
        counting.clear()
        base = entry
      }
      if (entry.kind === 'event' && entry.hash !== undefined && !refused.has(entry.hash))
        counting.set(entry.hash, entry)
    }
    if (page.end) return [...(base === undefined ? [] : [base]), ...counting.values()]
    after = page.upTo
  }
}

function termsOf(
  document: DocumentId,
  record: DocumentRecord,
  entries: readonly StoredEntry[],
): bigint {
  let sum = 0n
  for (const { hash, generation } of entries)
    sum += digestTerm(document, generation, hash ?? '', nativeSha256)
  if (record.deleted) sum += digestTerm(document, record.generation, 'tombstone', nativeSha256)
  return sum
}

/** The change in an event, or in a base; none in that of a deleted document. */
function changesOf({ kind, document, generation, bytes }: StoredEntry): readonly Uint8Array[] {
  if (kind === 'event') return [bytes]
  const { change } = readBeginning(document, generation, bytes, nativeSha256)
  return change === undefined ? [] : [change.bytes]
}

function referenceOf(events: readonly Uint8Array[]): Reference {
  const [document] = Automerge.applyChanges(Automerge.init<Record<string, unknown>>(), [...events])
  const conflicts = Object.keys(document)
    .sort()
    .flatMap((key) => {
      const all = Automerge.getConflicts(document, key)
      return all === undefined ? [] : [`${key}: ${canonical(all)}`]
    })
  const reference = {
    heads: [...Automerge.getHeads(document)].sort().join(','),
    value: canonical(document),
    conflicts: conflicts.join('; '),
  }
  Automerge.free(document)
  return reference
}

/** JSON with sorted keys: the order of keys is no part of a value. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  )
}
