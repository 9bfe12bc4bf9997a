import { DocumentError } from '../errors.ts'
import type { CollectionId, DocumentId } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { StoredEntry } from '../log/entry.ts'
import type { EventLog } from '../log/event-log.ts'
import type { DocumentRecord } from '../log/records.ts'
import type { DocumentKind } from './kind.ts'
import { OpenDocument } from './open-document.ts'

/** How often a document may break before it is left alone until the next start. */
const FAILURES_MAX = 3

/** Which document, and what it is if it is new here. */
interface Wanted {
  readonly id: DocumentId
  readonly kind: DocumentKind
  readonly collection: CollectionId
}

/** Makes documents from their entries in the log, and leaves those alone that break again and again. */
export class DocumentReader {
  readonly #log: EventLog
  readonly #sha256: Sha256
  readonly #logger: Logger
  readonly #failures = new Map<DocumentId, number>()

  constructor(options: {
    readonly log: EventLog
    readonly sha256: Sha256
    readonly logger: Logger
  }) {
    this.#log = options.log
    this.#sha256 = options.sha256
    this.#logger = options.logger
  }

  /**
   * Reads and adopts inside one barrier: nothing may be appended between the two.
   *
   * @throws DocumentError `DOCUMENT_BROKEN` when it cannot be read from its events.
   */
  async read<T>(wanted: Wanted, adopt: (document: OpenDocument) => T): Promise<T> {
    const { id } = wanted
    if ((this.#failures.get(id) ?? 0) >= FAILURES_MAX) {
      throw new DocumentError(
        'DOCUMENT_BROKEN',
        'the document broke repeatedly and is left alone',
        { document: id },
      )
    }
    // Of a document that is not here nothing is read, so there is nothing to wait for.
    if (this.#log.isFree(id)) return adopt(this.#made(wanted, undefined, []))
    return await this.#log.barrier(async () => adopt(await this.#load(wanted)))
  }

  async #load(wanted: Wanted): Promise<OpenDocument> {
    const record = await this.#log.record(wanted.id)
    const entries = await this.#log.readDocument(wanted.id)
    return this.#made(wanted, record, entries)
  }

  #made(
    { id, kind, collection }: Wanted,
    record: DocumentRecord | undefined,
    entries: readonly StoredEntry[],
  ): OpenDocument {
    const home = record === undefined || record.left ? collection : record.collection
    const actor = this.#log.actor(record?.fork ?? 0)
    const document = new OpenDocument(id, kind, { collection: home, actor, sha256: this.#sha256 })
    try {
      document.load(entries)
    } catch (cause) {
      this.#broke(id, cause)
      throw new DocumentError(
        'DOCUMENT_BROKEN',
        'the document cannot be read from its events',
        { document: id },
        cause,
      )
    }
    document.end({ deleted: record?.deleted ?? false, left: record?.left ?? false })
    if (document.damaged.length > 0) reportDamage(document, this.#logger)
    return document
  }

  #broke(id: DocumentId, error: unknown): void {
    const failures = (this.#failures.get(id) ?? 0) + 1
    this.#failures.set(id, failures)
    this.#logger.error('a document broke', { document: id, failures, error })
  }
}

/** Says which events of a document cannot be read. */
export function reportDamage({ id, damaged }: OpenDocument, logger: Logger): void {
  logger.error('a document has events that cannot be read', { document: id, damaged })
}
