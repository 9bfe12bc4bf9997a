import type { Doc } from '@automerge/automerge/slim'

import { DocumentError, UsageError } from '../errors.ts'
import type { DocumentId, EventHash, Heads } from '../ids.ts'
import type { Authorship, ReplicaOf, Signature } from './authorship.ts'
import { allChanges, type ChangeFacts, changeFacts } from './automerge-state.ts'

/** How many changes a history gives when nothing else is said. */
export const HISTORY_LIMIT = 1000

/** Which part of a history, and in what order. */
export interface HistoryOptions {
  /** The state whose history is meant. Default: the present one. */
  readonly heads?: Heads | undefined
  /** How many changes at most. Default 1,000. */
  readonly limit?: number | undefined
  /** Default `newest` first. Either way a change and those that it builds on are in order. */
  readonly order?: 'newest' | 'oldest' | undefined
}

/** One edit of a document. */
export interface HistoryEntry extends Signature {
  readonly hash: EventHash
  /** 1 for the actor's first edit of the document since its history was cut, then one more each. */
  readonly sequence: number
  /** The edits that it was made after, as far back as the history goes. */
  readonly parents: readonly EventHash[]
}

/** A document whose history is read. It is asked for at each step: it may be read again meanwhile. */
export interface Readable {
  readonly state: Doc<unknown>
  readonly authorship: Authorship
}

/** The edits of a document, read one by one as they are asked for. */
export function* readHistory(
  current: () => Readable,
  heads: Heads,
  options: HistoryOptions,
  replicaOf: ReplicaOf,
): Generator<HistoryEntry, void, undefined> {
  const limit = options.limit ?? HISTORY_LIMIT
  if (!(limit >= 0)) {
    throw new UsageError('USAGE_INVALID_ARGUMENT', 'limit must be a number from 0 on', { limit })
  }
  let count = 0
  const order = options.order ?? 'newest'
  for (const facts of order === 'newest' ? newest(current, heads) : oldest(current, heads)) {
    if (count >= limit) return
    count += 1
    yield described(current(), facts, replicaOf)
  }
}

/**
 * One edit of a document.
 *
 * @throws DocumentError `DOCUMENT_HISTORY_MISSING` when it is not here.
 */
export function requireEdit(
  document: Readable & { readonly id: DocumentId },
  hash: EventHash,
): ChangeFacts {
  const facts = checkHash(hash) ? changeFacts(document.state, hash) : undefined
  if (facts !== undefined && document.authorship.isEdit(facts)) return facts
  throw missingHistory(document.id, [hash])
}

/**
 * Checks that a document has what `heads` name.
 *
 * @throws UsageError when one is not a hash.
 * @throws DocumentError `DOCUMENT_HISTORY_MISSING` with those that are not here.
 */
export function checkHeads(doc: Doc<unknown>, document: DocumentId, heads: Heads): void {
  const missing = heads.filter((hash) => !checkHash(hash) || changeFacts(doc, hash) === undefined)
  if (missing.length > 0) throw missingHistory(document, missing)
}

/** Newest first; on all replicas alike. */
export function compareChanges(a: ChangeFacts, b: ChangeFacts): number {
  return (
    b.startOp - a.startOp ||
    b.maxOp - a.maxOp ||
    b.seq - a.seq ||
    (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0)
  )
}

function* newest(current: () => Readable, heads: Heads): Iterable<ChangeFacts> {
  const seen = new Set<EventHash>(heads)
  const open = heads.flatMap((hash) => changeFacts(current().state, hash) ?? [])
  open.sort(compareChanges)
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    if (current().authorship.isEdit(next)) yield next
    for (const hash of next.deps) {
      if (seen.has(hash)) continue
      seen.add(hash)
      const facts = changeFacts(current().state, hash)
      if (facts === undefined) continue
      // What is open are the ends of concurrent lines: a few.
      const place = open.findIndex((other) => compareChanges(facts, other) < 0)
      open.splice(place === -1 ? open.length : place, 0, facts)
    }
  }
}

/** All are read before the first is given: it is the last one that a walk from the heads comes to. */
function* oldest(current: () => Readable, heads: Heads): Iterable<ChangeFacts> {
  const changes = new Map(allChanges(current().state).map((facts) => [facts.hash, facts]))
  const wanted = new Map<EventHash, ChangeFacts>()
  const open = [...heads]
  for (let hash = open.pop(); hash !== undefined; hash = open.pop()) {
    const facts = changes.get(hash)
    if (facts === undefined || wanted.has(hash)) continue
    wanted.set(hash, facts)
    open.push(...facts.deps)
  }
  const ordered = [...wanted.values()].sort((a, b) => compareChanges(b, a))
  for (const facts of ordered) if (current().authorship.isEdit(facts)) yield facts
}

function described(
  { state, authorship }: Readable,
  facts: ChangeFacts,
  replicaOf: ReplicaOf,
): HistoryEntry {
  const isEdit = (hash: EventHash): boolean => {
    const parent = changeFacts(state, hash)
    return parent !== undefined && authorship.isEdit(parent)
  }
  return {
    hash: facts.hash,
    ...authorship.signature(facts, replicaOf),
    sequence: facts.seq,
    parents: facts.deps.filter(isEdit),
  }
}

function checkHash(hash: unknown): boolean {
  if (typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash)) return true
  throw new UsageError('USAGE_INVALID_ARGUMENT', 'a hash must be 64 hex digits', {
    field: 'hash',
    given: String(hash).slice(0, 80),
  })
}

function missingHistory(document: DocumentId, missing: readonly EventHash[]): DocumentError {
  return new DocumentError(
    'DOCUMENT_HISTORY_MISSING',
    'the document has no such events here, or not all that they build on',
    { document, missing },
  )
}
