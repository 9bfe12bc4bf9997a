import type { Position } from '../../../core/ids.ts'
import type { NewRecord } from '../../../core/interfaces/storage.ts'
import type { LevelOperation } from './database.ts'
import { encodeRun, type IndexEntry, RUN_LENGTH_MAX } from './index-run.ts'
import { collectionPrefix, documentPrefix, withPosition } from './keys.ts'

/**
 * Collects what both indexes get of one write: for each collection and each document the records that
 * are written together, as runs of at most {@link RUN_LENGTH_MAX}.
 */
export class IndexRuns {
  readonly #operations: LevelOperation[]
  readonly #collections = new Map<string, IndexEntry[]>()
  readonly #documents = new Map<string, IndexEntry[]>()

  /** @param operations gets the runs that are full, and by {@link end} all others. */
  constructor(operations: LevelOperation[]) {
    this.#operations = operations
  }

  /** Adds a record. Positions ascend from call to call. */
  add(position: Position, { collection, document, bytes }: NewRecord): void {
    const entry: IndexEntry = { position, bytes: bytes.length }
    this.#addTo(this.#collections, collectionPrefix, collection, entry)
    this.#addTo(this.#documents, documentPrefix, document, entry)
  }

  /** Writes the runs that are begun. */
  end(): void {
    for (const [name, run] of this.#collections) this.#write(collectionPrefix(name), run)
    for (const [name, run] of this.#documents) this.#write(documentPrefix(name), run)
  }

  #addTo(
    runs: Map<string, IndexEntry[]>,
    prefixOf: (name: string) => Uint8Array,
    name: string,
    entry: IndexEntry,
  ): void {
    const run = runs.get(name)
    if (run === undefined) {
      runs.set(name, [entry])
      return
    }
    run.push(entry)
    if (run.length < RUN_LENGTH_MAX) return
    this.#write(prefixOf(name), run)
    runs.delete(name)
  }

  #write(prefix: Uint8Array, run: readonly IndexEntry[]): void {
    this.#operations.push(putRun(prefix, run))
  }
}

/** What writes a run, under the position of its last entry. */
export function putRun(prefix: Uint8Array, run: readonly IndexEntry[]): LevelOperation {
  const key = withPosition(prefix, run.at(-1)?.position ?? 0)
  return { type: 'put', key, value: encodeRun(key, run) }
}
