import type { Doc } from '@automerge/automerge/slim'

import { DocumentError, UsageError } from '../errors.ts'
import type {
  ActorId,
  CollectionId,
  DocumentId,
  EventHash,
  Heads,
  Position,
  ReplicaId,
} from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { StoredEntry } from '../log/entry.ts'
import { readMadeEvent } from '../log/event.ts'
import { FIRST_GENERATION } from '../log/generation.ts'
import { eventBytes } from '../log/lineage.ts'
import type { CheckedEvent } from '../log/submission.ts'
import { Authorship } from './authorship.ts'
import { DocumentState, type EditFacts, type MadeEvent } from './document-state.ts'
import { type CarriedEdit, carriedEdit } from './generation-carry.ts'
import { checkHeads } from './history.ts'
import { type DocumentKind, genesisEvent } from './kind.ts'
import { applyPortable } from './portable-edit.ts'
import { prune } from './read-value.ts'
import { hasCounter } from './shape.ts'
import { checkValue, freeze, isMap, type JsonMap, type JsonValue } from './value.ts'
import { writeChanges } from './write-value.ts'

/** The size of a document as JSON text, in characters: past it an edit is refused. Kubernetes allows 1.5 MB. */
export const DOCUMENT_CHARS_MAX = 1_500_000

/**
 * How many values a document may be made of. What peers take is bounded by operations, of which an edit
 * makes up to four a value.
 */
export const DOCUMENT_VALUES_MAX = 50_000

/** What a document costs, as it is held: so much for itself, and so many times its events. */
const MEMORY = {
  events: { baseBytes: 3_000, factor: 1 },
  value: { baseBytes: 3_500, factor: 5 },
  tree: { baseBytes: 6_000, factor: 16 },
  automerge: { baseBytes: 24_000, factor: 8 },
} as const

/** What a document without edits shows. */
const EMPTY: JsonMap = freeze({})

/** Who made an edit, when and what for. It travels with the event. */
export interface EditOptions {
  /** Seconds since the Unix epoch. */
  readonly timeSeconds?: number | undefined
  /** A short text for the history, such as the name of the writer. */
  readonly message?: string | undefined
}

/** One edit: the events to store for it, in order. */
export interface Edit {
  readonly hash: EventHash
  readonly events: readonly CheckedEvent[]
}

/**
 * One document as Automerge holds it, with what the log said when it was loaded.
 *
 * It stores nothing itself: {@link edit} hands out events, {@link apply} takes stored ones in.
 */
export class OpenDocument {
  readonly id: DocumentId
  readonly kind: DocumentKind
  collection: CollectionId
  #deleted = false
  #left = false
  /** The newest position of an entry, by who delivered it; '' for entries made here. */
  readonly #positions = new Map<ReplicaId, Position>()
  readonly #sha256: Sha256
  readonly #skeleton: readonly (readonly string[])[]
  readonly #actor: ActorId
  #state: DocumentState | undefined
  #freed = false
  /** Edits that are not durable yet, with their parents. */
  readonly #own = new Map<EventHash, readonly EventHash[]>()
  /** While there are such edits: what is durable, ancestors of each other allowed. */
  #durableHeads: Heads = []
  #durableValue: JsonMap | undefined
  /** The first event, while the log does not have it: stored with the first edit. */
  #genesis: CheckedEvent | undefined
  /** The first event, where it was put in without the log: it need not be taken in again. */
  #begun: EventHash | undefined
  #value: JsonMap | undefined
  #heads: Heads | undefined
  #authorship: Authorship | undefined
  /** The generation that it is in, as the log numbers them. */
  generation: number = FIRST_GENERATION
  bytes = 0

  constructor(
    id: DocumentId,
    kind: DocumentKind,
    options: {
      readonly collection: CollectionId
      readonly actor: ActorId
      readonly sha256: Sha256
    },
  ) {
    this.id = id
    this.kind = kind
    this.collection = options.collection
    this.#sha256 = options.sha256
    this.#skeleton = kind.skeleton
      .map((path) => path.split('.'))
      .sort((a, b) => b.length - a.length)
    this.#actor = options.actor
  }

  /**
   * Takes in what the log holds. Called once, before anything else.
   *
   * @throws DocumentError when too many of its events cannot be read.
   */
  load(entries: readonly StoredEntry[]): void {
    for (const entry of entries) this.#note(entry)
    const events = eventBytes(entries)
    if (events.length === 0) this.#genesis = genesisEvent(this.kind, this.#sha256)
    this.#begun = this.#genesis?.header.hash
    const options = {
      actor: this.#actor,
      sha256: this.#sha256,
      counts: hasCounter(this.kind.shape),
    }
    const begun = this.#genesis === undefined ? events : [this.#genesis.bytes]
    this.#state = new DocumentState(begun, options)
  }

  /** It was deleted for good, or it left. */
  get deleted(): boolean {
    return this.#deleted || this.#left
  }

  /** It is no longer here. When it comes back it has to be read again. */
  get left(): boolean {
    return this.#left
  }

  /** Takes over what the log knows of the document as a whole. */
  end(state: { readonly deleted: boolean; readonly left: boolean }): void {
    this.#deleted = state.deleted
    this.#left = state.left
    this.#changed()
  }

  /** The current value, frozen, and the same object until the document changes. */
  get value(): JsonMap {
    this.#value ??= this.#show(() => this.#current.read())
    return this.#value
  }

  /** The value without the edits that are on their way to the disk. */
  get durableValue(): JsonMap {
    if (this.#own.size === 0) return this.value
    this.#durableValue ??= this.#show(() => this.#current.readAt(this.#durableHeads))
    return this.#durableValue
  }

  /**
   * The value at earlier heads, also of a deleted document. Empty for no heads.
   *
   * @throws DocumentError `DOCUMENT_HISTORY_MISSING` when not all of it is here; `DOCUMENT_DELETED` after it
   * left.
   */
  at(heads: Heads): JsonMap {
    this.checkHeads(heads)
    return heads.length === 0 ? freeze({}) : this.#shown(this.#current.readAt(heads))
  }

  /** @throws DocumentError as {@link at} does. */
  checkHeads(heads: Heads): void {
    checkHeads(this.state, this.id, heads)
  }

  /**
   * As Automerge holds it, for reading only.
   *
   * @throws DocumentError `DOCUMENT_DELETED` after it left: what was in it is no longer ours to read.
   */
  get state(): Doc<unknown> {
    if (this.#left) throw this.#gone()
    return this.#current.doc
  }

  /** Who made its changes. */
  get authorship(): Authorship {
    this.#authorship ??= new Authorship(this, this.#sha256)
    return this.#authorship
  }

  /** Empty for a document without events. */
  get heads(): Heads {
    if (this.#heads === undefined) {
      const heads = [...this.#current.heads].sort()
      const isNew = heads.length === 1 && heads[0] === this.#genesis?.header.hash
      this.#heads = isNew ? [] : heads
    }
    return this.#heads
  }

  /** Events that are stored and passed on, and that cannot be read: they are not in the value. */
  get damaged(): readonly EventHash[] {
    return [...(this.#state?.damaged ?? [])]
  }

  /** Events that are named as parents and are not here: what builds on them waits. */
  get missing(): readonly EventHash[] {
    return this.#current.missing
  }

  /** The newest position that `peer` has to acknowledge to have all of this document. */
  positionFor(peer: ReplicaId): Position {
    let newest = 0
    for (const [from, position] of this.#positions) {
      if (from !== peer && position > newest) newest = position
    }
    return newest
  }

  /**
   * Makes the event that turns `base` into `next` on top of what the document holds now.
   *
   * @returns undefined when there is nothing to change.
   * @throws DocumentError when the value cannot be held, or the document is deleted.
   */
  edit(base: JsonMap, next: unknown, options: EditOptions): Edit | undefined {
    if (this.deleted) throw this.#gone()
    const { values, charsMax } = checkValue(next)
    if (!isMap(next)) {
      throw new DocumentError('VALUE_UNSUPPORTED', 'the value at (root) is not a map', {
        path: '(root)',
      })
    }
    // Most values are far from the limit, so that counting their text exactly is not needed.
    const chars = charsMax <= DOCUMENT_CHARS_MAX ? charsMax : JSON.stringify(next).length
    if (chars > DOCUMENT_CHARS_MAX || values > DOCUMENT_VALUES_MAX) {
      throw new DocumentError('DOCUMENT_TOO_LARGE', 'the document would be larger than allowed', {
        document: this.id,
        chars,
        charsMax: DOCUMENT_CHARS_MAX,
        values,
        valuesMax: DOCUMENT_VALUES_MAX,
      })
    }
    return this.#record(options, (about) =>
      this.#current.change(about, (draft, now) =>
        writeChanges(draft, base, next, this.kind.shape, now),
      ),
    )
  }

  /** Edits that are not durable yet, in order, to be made again in another generation. */
  get underWay(): readonly CarriedEdit[] {
    return [...this.#own.keys()].flatMap((hash) => carriedEdit(this.#current.doc, hash) ?? [])
  }

  /**
   * Makes an edit of an older generation again.
   *
   * @throws DocumentError when the document is deleted.
   */
  redo(carried: CarriedEdit): Edit | undefined {
    if (this.deleted) throw this.#gone()
    return this.#record(carried, (about) =>
      this.#current.change(about, (draft) => applyPortable(draft, carried.edit), false),
    )
  }

  /** What becomes of edits that were under way when the document was deleted. */
  refusal(): Promise<never> {
    const refused = Promise.reject(this.#gone())
    refused.catch(() => undefined)
    return refused
  }

  #record(
    { timeSeconds = 0, message }: EditOptions,
    make: (about: EditFacts) => MadeEvent | undefined,
  ): Edit | undefined {
    const before = this.#current.heads
    const isFirst = this.heads.length === 0
    const made = make({ timeSeconds, message })
    if (made === undefined) return undefined
    const event: CheckedEvent = { bytes: made.bytes, header: readMadeEvent(made.bytes, made.hash) }
    const events = this.#genesis === undefined ? [event] : [this.#genesis, event]
    this.#genesis = undefined
    const shown = isFirst ? EMPTY : this.#value
    const durableValue = this.#own.size === 0 ? shown : this.#durableValue
    if (this.#own.size === 0) this.#durableHeads = before
    this.#own.set(event.header.hash, event.header.parents)
    this.#changed()
    this.#durableValue = durableValue
    const value = this.#current.readOnce()
    if (value !== undefined) this.#value = this.#shown(value)
    return { hash: event.header.hash, events }
  }

  /** Takes in an entry that is durable now. @returns whether the value may have changed. */
  apply(entry: StoredEntry): boolean {
    this.#note(entry)
    if (entry.kind === 'tombstone') {
      this.#changed()
      return true
    }
    if (entry.kind !== 'event' || entry.hash === undefined) return false
    if (this.#stored(entry.hash)) return false
    if (entry.hash === this.#begun) return this.#begins()
    const { heads } = this
    const before = this.#current.heads
    this.#current.add({ bytes: entry.bytes, hash: entry.hash })
    this.#changed()
    const fresh = this.#current.heads.filter((head) => !before.includes(head))
    if (this.#own.size > 0) this.#durableHeads = [...this.#durableHeads, ...fresh]
    return fresh.length > 0 || heads.length !== this.heads.length
  }

  /** About how much memory it takes. */
  get memoryBytes(): number {
    const held = this.#state?.held ?? 'events'
    const isShown = held === 'events' && this.#value !== undefined
    const { baseBytes, factor } = MEMORY[isShown ? 'value' : held]
    return baseBytes + this.bytes * factor
  }

  /** Gives back what can be had again from its events, while nobody looks. */
  rest(): void {
    if (this.#own.size > 0 || this.#freed) return
    this.#state?.rest()
    if (this.#state?.held === 'events') this.#value = this.#durableValue = undefined
  }

  /** Gives the memory back. The document is not usable afterwards. */
  free(): void {
    if (this.#freed) return
    this.#freed = true
    this.#state?.free()
  }

  get #current(): DocumentState {
    if (this.#freed || this.#state === undefined) {
      throw new UsageError('USAGE_CLOSED', 'the handle is closed', { document: this.id })
    }
    return this.#state
  }

  /** The first event is stored now, ours or the same of another. @returns whether that is a change. */
  #begins(): boolean {
    if (this.#genesis === undefined) return false
    this.#genesis = undefined
    this.#changed()
    return true
  }

  /** An edit made here is durable now. @returns whether it was one. */
  #stored(hash: EventHash): boolean {
    const parents = this.#own.get(hash)
    if (parents === undefined) return false
    this.#own.delete(hash)
    this.#durableHeads = [...this.#durableHeads.filter((head) => !parents.includes(head)), hash]
    this.#durableValue = undefined
    return true
  }

  #note(entry: StoredEntry): void {
    const from = entry.from ?? ''
    this.#positions.set(from, Math.max(entry.position, this.#positions.get(from) ?? 0))
    this.bytes += entry.bytes.length
    this.generation = entry.generation
    if (entry.kind === 'tombstone') this.#deleted = true
    if (entry.kind === 'join') this.collection = entry.collection
  }

  #changed(): void {
    this.#value = undefined
    this.#durableValue = undefined
    this.#heads = undefined
  }

  #show(read: () => JsonValue): JsonMap {
    return this.deleted ? EMPTY : this.#shown(read())
  }

  #shown(value: JsonValue): JsonMap {
    return freeze(isMap(value) ? prune(value, this.#skeleton) : {})
  }

  #gone(): DocumentError {
    return new DocumentError('DOCUMENT_DELETED', 'the document is deleted', { document: this.id })
  }
}
