import type { Policy } from '../access/policy.ts'
import type { CollectionId, DocumentId } from '../ids.ts'
import type { Clock } from '../interfaces/clock.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { StoredEntry } from '../log/entry.ts'
import { readEvent } from '../log/event.ts'
import type { EventLog } from '../log/event-log.ts'
import { cutsOf } from '../log/generation.ts'
import { originOf } from '../log/generation-origin.ts'
import type { Reject, SessionClose } from '../sync/io.ts'
import type { PeerLink } from './peer-link.ts'

/** Refusals of one peer that wait to be written down: more than it can be sent events meanwhile. */
export const REFUSALS_MAX = 50_000

/** Refusals written down in one step: each needs the events of its document. */
const AT_ONCE = 100

const TOO_MANY: SessionClose = {
  code: 'PROTOCOL_LIMIT_EXCEEDED',
  message: 'REJECTS: more than were sent',
  retryable: false,
  retryAfterMs: undefined,
}

const UNWRITTEN: SessionClose = {
  code: 'STORAGE_UNAVAILABLE',
  message: 'a refusal could not be written down',
  retryable: true,
  retryAfterMs: undefined,
}

/** What {@link Refusals} needs of its replica. */
export interface RefusalsOptions {
  readonly policy: Policy
  readonly clock: Clock
  readonly sha256: Sha256
  readonly logger: Logger
  /** Runs what reads the log, and again past damage. */
  readonly retried: <T>(run: () => Promise<T>) => Promise<T>
}

/** What a peer refused and is being written down. */
interface Waiting {
  count: number
  /** Whether all of it so far is. Never rejects. */
  last: Promise<boolean>
}

/** Of whom an event is. */
interface Writer {
  readonly isOurs: boolean
  readonly isAgain: boolean
}

/**
 * What peers refused of our log.
 *
 * A refusal takes an event off the log when the peer may write the document. Another peer could unmake
 * with it what it may only read: its refusal is remembered as something that it lacks. So is a refusal
 * that is about us and not about the event: the peer does not take it from who only passes it on. What
 * is of another generation than the peer has stays as well: when one base is at both sides, it is in it,
 * or written again on it. And so does what it refuses because the document is not there: either the peer
 * tells that the document left, and it goes aside with it, or a comparison brings the document there.
 */
export class Refusals {
  readonly #log: EventLog
  readonly #options: RefusalsOptions
  readonly #onTaken: (documents: readonly DocumentId[]) => Promise<void>
  readonly #waiting = new WeakMap<PeerLink, Waiting>()

  /** @param onTaken is told of documents of which events no longer count. */
  constructor(
    log: EventLog,
    options: RefusalsOptions,
    onTaken: (documents: readonly DocumentId[]) => Promise<void>,
  ) {
    this.#log = log
    this.#options = options
    this.#onTaken = onTaken
  }

  take(link: PeerLink, rejects: readonly Reject[]): void {
    const queue = this.#waiting.get(link) ?? { count: 0, last: Promise.resolve(true) }
    this.#waiting.set(link, queue)
    if (queue.count + rejects.length > REFUSALS_MAX) return link.refuse(TOO_MANY)
    queue.count += rejects.length
    // From now on: the peer may tell that the document left before this is written down.
    for (const { document, hash } of rejects) if (hash) link.refused.add(document, hash)
    queue.last = queue.last.then(async (before) => {
      let all = before
      for (let i = 0; i < rejects.length; i += AT_ONCE)
        all = (await this.#write(link, rejects.slice(i, i + AT_ONCE))) && all
      queue.count -= rejects.length
      return all
    })
  }

  /**
   * When what a peer refused so far is written down, and whether it is; undefined when nothing was refused.
   * Never rejects.
   */
  written(link: PeerLink): Promise<boolean> | undefined {
    return this.#waiting.get(link)?.last
  }

  /** @returns whether it is written down. Never rejects. */
  async #write(link: PeerLink, rejects: readonly Reject[]): Promise<boolean> {
    const { logger } = this.#options
    const peer = link.peer ?? ''
    try {
      await this.#options.retried(() => this.#writeOnce(link, peer, rejects))
      for (const { document, hash } of rejects) if (hash) link.refused.remove(document, [hash])
      return true
    } catch (error) {
      logger.error('a refusal could not be written down', { peer, error })
      // The peer has forgotten it: at the next meeting the digests differ, and it refuses again.
      link.refuse(UNWRITTEN)
      return false
    }
  }

  async #writeOnce(link: PeerLink, peer: string, rejects: readonly Reject[]): Promise<void> {
    const { clock, logger } = this.#options
    const binding = await this.#binding(link, rejects)
    const bases = await this.#homesOfBases(binding)
    if (binding.length === 0) return
    for (const reject of binding) logger.warn('a peer refused an entry', { peer, ...reject })
    await this.#log.commit({ type: 'reject', peer, rejects: binding, atMs: clock.wallMs() })
    await this.#onTaken([...new Set(binding.map((reject) => reject.document))])
    // Instead of a beginning that is taken back we need what the peer has of the document.
    if (bases.size > 0) link.reconcile([...bases])
  }

  /** Where documents are at home of which the beginning was refused. */
  async #homesOfBases(rejects: readonly Reject[]): Promise<ReadonlySet<CollectionId>> {
    const homes = new Set<CollectionId>()
    for (const { document, hash } of rejects) {
      const record = await this.#log.record(document)
      if (record === undefined || cutsOf(record.generation) === 0) continue
      const entries = await this.#log.readDocument(document)
      if (entries.some((entry) => entry.kind === 'base' && entry.hash === hash))
        homes.add(record.collection)
    }
    return homes
  }

  async #binding(link: PeerLink, rejects: readonly Reject[]): Promise<readonly Reject[]> {
    const { policy, logger } = this.#options
    const binding: Reject[] = []
    for (const reject of rejects) {
      const { document, kind, hash } = reject
      const record = await this.#log.record(document)
      if (record === undefined || record.left || !link.granted.includes(record.collection)) continue
      const { collection } = record
      const request = { kind, document, collection, exists: true } as const
      const mayWrite = policy.mayWrite(link.principal, request) === undefined
      if (reject.code === 'DOCUMENT_COMPACTED') {
        logger.debug('a peer has another generation of a document', { ...reject })
        continue
      }
      if (reject.code === 'DOCUMENT_DELETED') {
        logger.debug('a peer does not have a document', { ...reject })
        if (hash !== undefined && !link.absent.add(document, hash)) link.refuse(UNWRITTEN)
        continue
      }
      if (hash === undefined) {
        // A move stays: all but this peer may have followed it.
        const isEnd = kind === 'tombstone' && record.deleted && (await this.#isOurEnd(document))
        if (mayWrite && isEnd) binding.push(reject)
        else logger.warn('a peer refused that a document ends or moves', { ...reject })
        continue
      }
      if (mayWrite && !(await this.#isOnlyPassedOn(reject))) binding.push(reject)
      else link.kept.add(document, hash)
    }
    return binding
  }

  /** Whether we deleted the document, and do not only pass on that it ended. */
  async #isOurEnd(document: DocumentId): Promise<boolean> {
    const entries = await this.#log.readDocument(document)
    return entries.some(({ kind, from }) => kind === 'tombstone' && from === undefined)
  }

  /** Whose edit an event is, and whether it was written again; undefined for what is no event. */
  #writerOf({ kind, generation, bytes }: StoredEntry): Writer | undefined {
    if (kind !== 'event') return undefined
    const { authors, replica } = this.#log
    const { sha256 } = this.#options
    const header = readEvent(bytes, sha256)
    const origin = originOf(header, generation, sha256)
    const isOurs = authors.of(origin?.actor ?? header.actor) === replica
    return { isOurs, isAgain: origin !== undefined }
  }

  /**
   * Whether what was refused is not the event but its delivery by us, who did not write it.
   */
  async #isOnlyPassedOn({ code, document, hash }: Reject): Promise<boolean> {
    const isAboutUs = code === 'ACCESS_AUTHOR' || code === 'ACCESS_QUARANTINED'
    const entries = await this.#log.readDocument(document)
    return entries.some((entry) => {
      if (entry.hash !== hash) return false
      const isDelivered = entry.from !== undefined
      if (isAboutUs && isDelivered) return true
      const writer = this.#writerOf(entry)
      if (writer === undefined || writer.isOurs) return false
      // All who have an edit write it again: one of those who may will bring it to the peer.
      return isAboutUs || (writer.isAgain && !isDelivered)
    })
  }
}
