import { isTidewayError } from '../errors.ts'
import type { DocumentId, Position } from '../ids.ts'
import type { Cancel } from '../interfaces/clock.ts'
import type { Appended, Put, Storage } from '../interfaces/storage.ts'
import type { PeerState } from '../sync/io.ts'
import { fromRecord, type StoredEntry } from './entry.ts'
import { PEER_PREFIX, REFUSALS_KEY, REJECTED_PREFIX } from './keys.ts'
import { decodeRecord } from './records.ts'

/** How much of what others appended is read at once. */
const PAGE_BYTES_MAX = 1 << 20

/** How often one append is planned again because another opener was faster: each time one of them went on. */
const CONFLICTS_MAX = 1_000

/** How often catching up starts over because more came meanwhile, before what waits has its turn. */
const ROUNDS_MAX = 16

/** What other openers did that no entry shows. */
export interface Elsewhere {
  /** Documents of which a peer refused events: they no longer count. */
  readonly refused: readonly DocumentId[]
  /** What is known of every peer now. */
  readonly peers: readonly PeerState[]
}

/** Told what other openers of a shared storage did. */
export type ElsewhereListener = (elsewhere: Elsewhere) => void

/** What {@link SharedLog.catchUp} moves on. */
export interface SharedView {
  head(): Position
  /** Forgets what it keeps of the storage, takes these peers, and reads again what it must have at hand. */
  renew(peers: readonly PeerState[]): Promise<void>
  /** Entries of others, in order, with the head after them. */
  take(entries: readonly StoredEntry[], head: Position): void
}

/**
 * Keeps one opener of a shared storage level with what the others append.
 *
 * Every append is conditional on the newest revision that this opener has seen: when it meets a conflict,
 * it catches up and plans again, so no plan is ever written that was made from an older state.
 */
export class SharedLog {
  readonly #storage: Storage
  readonly #listeners = new Set<ElsewhereListener>()
  #revision: number
  /** Every refused event that is known here, by its key. */
  #refused: ReadonlySet<string>
  #marker: string
  #cancel: Cancel | undefined

  private constructor(storage: Storage, revision: number) {
    this.#storage = storage
    this.#revision = revision
    this.#refused = new Set()
    this.#marker = ''
  }

  /** To be called before anything else is read. @returns undefined when the storage has one opener. */
  static async open(storage: Storage): Promise<SharedLog | undefined> {
    if (!storage.supports.shared) return undefined
    const shared = new SharedLog(storage, (await storage.revision?.()) ?? 0)
    await shared.#newRefusals()
    return shared
  }

  /** The newest revision that this opener has seen. */
  get revision(): number {
    return this.#revision
  }

  /** Calls back when another opener has appended, until {@link close}. */
  follow(look: () => void): void {
    this.#cancel = this.#storage.tail?.(look)
  }

  onElsewhere(listener: ElsewhereListener): Cancel {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** What an append adds so that the others see that events were refused: no entry shows it. */
  mark(isRefusal: boolean): readonly Put[] {
    if (!isRefusal) return []
    return [{ key: REFUSALS_KEY, value: new TextEncoder().encode(String(this.#revision + 1)) }]
  }

  /** An append of our own is durable. */
  appended({ revision }: Appended): void {
    this.#revision = revision ?? this.#revision
  }

  /** Whether what failed was only overtaken and may be planned again. */
  isOvertaken(error: unknown, tries: number): boolean {
    return isTidewayError(error) && error.code === 'STORAGE_CONFLICT' && tries < CONFLICTS_MAX
  }

  /** Brings `view` up to what is stored now. Nothing may be planned or read with it meanwhile. */
  async catchUp(view: SharedView): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const revision = (await this.#storage.revision?.()) ?? this.#revision
      if (revision === this.#revision) return
      const peers: PeerState[] = []
      for await (const { value } of this.#storage.scan(PEER_PREFIX)) {
        peers.push(decodeRecord<PeerState>(value, 'cursor'))
      }
      await view.renew(peers)
      await this.#takeEntries(view)
      const refused = await this.#newRefusals()
      // Only now: what was interrupted before here is done again.
      this.#revision = revision
      for (const listener of [...this.#listeners]) listener({ refused, peers })
    }
  }

  close(): void {
    this.#cancel?.()
  }

  async #takeEntries(view: SharedView): Promise<void> {
    for (let isEnd = false; !isEnd; ) {
      const page = await this.#storage.read({ after: view.head(), bytesMax: PAGE_BYTES_MAX })
      isEnd = page.end
      if (page.upTo > view.head()) view.take(page.records.map(fromRecord), page.upTo)
    }
  }

  async #newRefusals(): Promise<readonly DocumentId[]> {
    const [bytes] = await this.#storage.get([REFUSALS_KEY])
    const marker = bytes === undefined ? '' : new TextDecoder().decode(bytes)
    if (marker === this.#marker) return []
    const keys = new Set<string>()
    for await (const { key } of this.#storage.scan(REJECTED_PREFIX)) keys.add(key)
    const fresh = [...keys].filter((key) => !this.#refused.has(key))
    this.#refused = keys
    this.#marker = marker
    return [
      ...new Set(fresh.map((key) => key.slice(REJECTED_PREFIX.length).split('\u0000')[0] ?? '')),
    ]
  }
}
