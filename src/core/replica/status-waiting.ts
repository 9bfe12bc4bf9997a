import type { DocumentId, EventHash } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { StoredEntry } from '../log/entry.ts'
import { readEvent } from '../log/event.ts'
import type { EventLog } from '../log/event-log.ts'
import { eventBytes } from '../log/lineage.ts'
import type { CheckedEvent, IncomingEntry } from '../log/submission.ts'

/** Events that were stored last, of which this many or up to twice as many are known: most edits build on one of them. */
const RECENT_MAX = 8_192

/** Documents that may have waiting events. The one that was doubted first makes room. */
const DOUBTED_MAX = 1_000

/** Documents that are read for one answer. */
const LOOKED_AT_MAX = 200

/** A document with events that are stored and wait for others, and how many. */
export interface WaitingDocument {
  readonly document: DocumentId
  readonly events: number
}

/**
 * Which documents have events that wait for what they build on.
 *
 * The log takes events in any order and opens no document, so it cannot tell. What is noted here is a
 * doubt: an event came whose parents are not among the newest events. A look at the document settles it,
 * and is taken only when somebody asks.
 */
export class WaitingEvents {
  readonly #log: EventLog
  readonly #sha256: Sha256
  #recent = new Set<EventHash>()
  /** Those before them. They go all at once: one by one each would be looked for among those that went. */
  #older = new Set<EventHash>()
  readonly #doubted = new Set<DocumentId>()

  constructor(log: EventLog, sha256: Sha256) {
    this.#log = log
    this.#sha256 = sha256
  }

  appended(entries: readonly StoredEntry[]): void {
    for (const { hash } of entries) {
      if (hash === undefined) continue
      this.#recent.add(hash)
      if (this.#recent.size < RECENT_MAX) continue
      this.#older = this.#recent
      this.#recent = new Set()
    }
  }

  /** What a peer delivered is stored now. */
  delivered(entries: readonly IncomingEntry[]): void {
    for (const { wire, events } of entries) {
      if (events.every(({ header }) => header.parents.every((hash) => this.#isRecent(hash))))
        continue
      this.doubt(wire.document)
    }
  }

  #isRecent(hash: EventHash): boolean {
    return this.#recent.has(hash) || this.#older.has(hash)
  }

  /** Something of the document may be missing. */
  doubt(document: DocumentId): void {
    this.#doubted.add(document)
    if (this.#doubted.size <= DOUBTED_MAX) return
    for (const oldest of this.#doubted) {
      this.#doubted.delete(oldest)
      return
    }
  }

  /** Looks at documents in doubt, at most so many. Those where nothing waits are not looked at again. */
  async find(): Promise<readonly WaitingDocument[]> {
    const found: WaitingDocument[] = []
    let looks = LOOKED_AT_MAX
    for (const document of [...this.#doubted]) {
      if (looks === 0) break
      looks -= 1
      const bytes = eventBytes(await this.#log.readDocument(document))
      const headers = bytes.map((event) => readEvent(event, this.#sha256))
      const events = countWaiting(headers)
      if (events > 0) found.push({ document, events })
      else this.#doubted.delete(document)
    }
    return found
  }
}

/** How many of a document's events have not all their ancestors among them. */
export function countWaiting(
  headers: readonly Pick<CheckedEvent['header'], 'hash' | 'parents'>[],
): number {
  const here = new Set<EventHash>()
  const children = new Map<EventHash, EventHash[]>()
  const lacking = new Map<EventHash, number>()
  const ready: EventHash[] = []
  for (const { hash, parents } of headers) {
    if (here.has(hash)) continue
    here.add(hash)
    lacking.set(hash, parents.length)
    if (parents.length === 0) ready.push(hash)
    for (const parent of parents) children.set(parent, [...(children.get(parent) ?? []), hash])
  }
  let taken = 0
  for (let hash = ready.pop(); hash !== undefined; hash = ready.pop()) {
    taken += 1
    for (const child of children.get(hash) ?? []) {
      const left = (lacking.get(child) ?? 0) - 1
      lacking.set(child, left)
      if (left === 0) ready.push(child)
    }
  }
  return here.size - taken
}
