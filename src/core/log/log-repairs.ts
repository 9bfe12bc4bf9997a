import type { ActorId, CollectionId, DocumentId, EventHash, Position } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Put, Storage } from '../interfaces/storage.ts'
import { Digest } from './digest.ts'
import type { StoredEntry } from './entry.ts'
import type { EventLog } from './event-log.ts'
import { documentOf } from './find-document.ts'
import { reaches } from './generation.ts'
import { readBeginning } from './generation-beginning.ts'
import { homeOf } from './homes.ts'
import { refusedOf } from './kept-aside.ts'
import { DAMAGE_PREFIX, damageKey, digestKey, sequencePrefix } from './keys.ts'
import type { LogCache } from './log-cache.ts'
import { placesUnder } from './place-blocks.ts'
import { type DamageRecord, decodeRecord } from './records.ts'
import { planRepair } from './repair.ts'

/** What {@link LogRepairs} work on. */
export interface LogRepairsOptions {
  readonly storage: Storage
  readonly cache: LogCache
  readonly sha256: Sha256
  readonly log: Pick<
    EventLog,
    | 'barrier'
    | 'record'
    | 'digest'
    | 'documents'
    | 'documentsAt'
    | 'isShared'
    | 'actor'
    | 'authors'
    | 'replica'
  >
}

/**
 * Takes damaged entries out of a log. What was lost with them is known by its hashes, and may come again
 * from a peer: see `docs/storage-format.md`.
 */
export class LogRepairs {
  readonly #options: LogRepairsOptions

  constructor(options: LogRepairsOptions) {
    this.#options = options
  }

  /** Documents of which entries were damaged and are not all back. */
  async *known(): AsyncIterable<readonly [document: DocumentId, damage: DamageRecord]> {
    const { storage } = this.#options
    for await (const { key, value } of storage.scan(DAMAGE_PREFIX)) {
      const document = key.slice(DAMAGE_PREFIX.length)
      const damage = decodeRecord<DamageRecord>(value, 'lost')
      // Only when all was back it was written down that some is.
      const here = new Set<EventHash>()
      for await (const places of storage.scan(sequencePrefix(document)))
        for (const { hash } of placesUnder(document, places.key, places.value)) here.add(hash)
      const lost = damage.lost.filter((hash) => !here.has(hash))
      const isWhole = lost.length === 0 && damage.lost.length > 0
      if (!isWhole || damage.beginning === true) yield [document, { ...damage, lost }]
    }
  }

  /**
   * What is lost of a document when it gets a beginning. That stands for everything before it, but for what we wrote
   * and it does not reach: nobody else has that.
   */
  begun(damage: DamageRecord, { document, generation, bytes }: StoredEntry): DamageRecord {
    const { reach } = readBeginning(document, generation, bytes, this.#options.sha256)
    const own = (damage.own ?? []).filter(
      (loss) => damage.lost.includes(loss.hash) && !reaches(reach, loss.actor, loss),
    )
    return { ...damage, lost: own.map(({ hash }) => hash), own, beginning: undefined }
  }

  /** The document of an entry that cannot be read. */
  documentAt(position: Position): Promise<DocumentId | undefined> {
    const { log, storage } = this.#options
    return documentOf(log, storage, position)
  }

  /** Takes out an entry that belongs to no document that is known, so that reads go on past it. */
  async drop(position: Position): Promise<void> {
    await this.#options.log.barrier(() => this.#options.storage.drop([position]))
  }

  /**
   * Takes the damaged entries of a document out. A log that others append to is left as it is.
   *
   * @returns all that is known of its damage; undefined when there is none.
   */
  repair(document: DocumentId, atMs: number): Promise<DamageRecord | undefined> {
    const { log, storage, cache, sha256 } = this.#options
    return log.barrier(async () => {
      const record = await log.record(document)
      if (record === undefined || log.isShared) return undefined
      const refused = await refusedOf(storage, document)
      const [known] = await storage.get([damageKey(document)])
      const before = known === undefined ? undefined : decodeRecord<DamageRecord>(known, 'lost')
      const actor = log.actor(record.fork)
      const isOwn = (writer: ActorId): boolean => log.authors.of(writer) === log.replica
      const view = { storage, sha256, record, refused, before, actor, isOwn, atMs }
      const repair = await planRepair(view, document)
      if (repair === undefined) return undefined
      const digests = new Map<CollectionId, Digest>()
      const puts: Put[] = [...repair.puts]
      const home = homeOf(record)
      if (home !== undefined) {
        const digest = await log.digest([home])
        digest.subtract(Digest.of(record.digest).sum)
        digest.add(Digest.of(repair.record.digest).sum)
        digests.set(home, digest)
        puts.push({ key: digestKey(home), value: digest.bytes() })
      }
      await storage.append({ records: [], puts })
      const records = new Map([[document, repair.record]])
      const places = { taken: new Map(), forgotten: new Set([document]) }
      cache.adopt({ records, digests, peers: new Map(), noted: puts, places })
      // Not with the puts: a crash in between leaves damage that is found, and taken out, again.
      await storage.drop(repair.positions)
      return repair.damage
    })
  }
}
