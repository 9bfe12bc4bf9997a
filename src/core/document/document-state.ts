import {
  change,
  type Doc,
  free,
  getHeads,
  getMissingDeps,
  loadIncremental,
  view,
} from '@automerge/automerge/slim'

import { assert } from '../errors.ts'
import type { ActorId, EventHash } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { changeByHash } from './automerge-state.ts'
import { isTaken, loadEvents } from './load-events.ts'
import { type KnownValues, readValue } from './read-value.ts'
import { StraightDocument } from './straight-document.ts'
import type { JsonValue } from './value.ts'

/** A document, or a part of it, as Automerge shows it. */
type State = Record<string, unknown>

/** One event as bytes, with its name. */
export interface MadeEvent {
  readonly bytes: Uint8Array
  readonly hash: EventHash
}

/** What an edit says of itself. */
export interface EditFacts {
  readonly timeSeconds: number
  readonly message: string | undefined
}

/** From the third edit on a document is taken for one that is written to all the time. */
const AWOKEN_MAX = 1

/**
 * What the events of a document add up to: a {@link StraightDocument} as long as that can be, and held by
 * Automerge from the first time on that only Automerge will do.
 */
export class DocumentState {
  readonly #actor: ActorId
  readonly #sha256: Sha256
  /** Whether some part of it counts. */
  readonly #counts: boolean
  #straight: StraightDocument | undefined
  /** While Automerge does not hold it: all that is in it. */
  #events: Uint8Array[]
  /** How often it had to be read again after a rest. */
  #awoken = 0
  /** Its newest event, while it rests. */
  #resting: EventHash | undefined
  #doc: Doc<State> | undefined
  /** An event of another writer came while it was loaded. */
  #merged = false
  /** Parts of the value by what they were read from: Automerge keeps what did not change. */
  readonly #known: KnownValues = new WeakMap<object, JsonValue>()
  /** Events that are intact as bytes and that cannot be read: they are in no value. */
  readonly damaged: Set<EventHash> = new Set()

  /**
   * @param events parents first, as far as possible.
   * @throws DocumentError when too many of them cannot be read.
   */
  constructor(
    events: readonly Uint8Array[],
    options: { readonly actor: ActorId; readonly sha256: Sha256; readonly counts: boolean },
  ) {
    this.#actor = options.actor
    this.#sha256 = options.sha256
    this.#counts = options.counts
    this.#events = [...events]
    this.#straight = StraightDocument.of(events, options.sha256)
    if (this.#straight === undefined) this.#open()
  }

  /** As Automerge holds it, for reading only. */
  get doc(): Doc<State> {
    return this.#doc ?? this.#open()
  }

  /** How it is held: as its events alone, as a tree beside them, or by Automerge. */
  get held(): 'events' | 'tree' | 'automerge' {
    if (this.#doc !== undefined) return 'automerge'
    return this.#straight === undefined ? 'events' : 'tree'
  }

  /** Keeps no more than its events, where they are all that is needed to go on. */
  rest(): void {
    if (this.#straight?.head === undefined) return
    this.#resting = this.#straight.head
    this.#straight = undefined
  }

  get heads(): readonly EventHash[] {
    const head = this.#resting ?? this.#straight?.head
    if (head !== undefined) return [head]
    return this.#straight === undefined ? getHeads(this.doc) : []
  }

  /** Events that are named as parents and are not here. */
  get missing(): readonly EventHash[] {
    return this.#doc === undefined ? [] : getMissingDeps(this.#doc, [])
  }

  /**
   * Its value now; then it rests, as most documents are written to once in a long time. Undefined where it
   * has been written to again and again: then it stays ready for the next edit.
   */
  readOnce(): JsonValue | undefined {
    const straight = this.#straight
    if (straight === undefined || this.#awoken > AWOKEN_MAX) return undefined
    const value = readValue(straight.root)
    this.rest()
    return value
  }

  /** Its value now. */
  read(): JsonValue {
    const straight = this.#awake()
    if (straight !== undefined) return readValue(straight.root, straight.known)
    const { doc } = this
    // Automerge shows a counter without its increments when another value that hid it goes away: what it
    // keeps is right, so a document where that may be is read anew.
    if (this.#merged && this.#counts) return readValue(view(doc, getHeads(doc)))
    return readValue(doc, this.#known)
  }

  /** Its value at some of its heads. */
  readAt(heads: readonly EventHash[]): JsonValue {
    return readValue(view(this.doc, [...heads]))
  }

  /**
   * Makes one event of what `write` does to the draft that it is given, beside what that is a draft of.
   *
   * @returns undefined when nothing changed.
   */
  change(
    about: EditFacts,
    write: (draft: State, now: State) => void,
    mayBeStraight = true,
  ): MadeEvent | undefined {
    const straight = mayBeStraight ? this.#awake() : undefined
    // Of no use after a failure: then the events tell what there was.
    this.#straight = undefined
    const { root } = straight ?? {}
    const made = straight?.edit(this.#actor, about, (draft) => write(draft, root ?? draft))
    if (made === undefined) return this.#change(about, write)
    this.#straight = straight
    const { bytes, hash } = made
    if (bytes === undefined || hash === undefined) return undefined
    this.#events.push(bytes)
    return { bytes, hash }
  }

  /** Takes in an event of another writer. */
  add({ bytes, hash }: MadeEvent): void {
    this.#merged = true
    const straight = this.#awake()
    this.#straight = undefined
    if (straight?.apply(bytes) === true) {
      this.#straight = straight
      this.#events.push(bytes)
      return
    }
    this.#doc = loadIncremental(this.doc, bytes)
    if (!isTaken(this.#doc, hash, bytes)) this.damaged.add(hash)
  }

  /** Gives the memory back. It is not usable afterwards. */
  free(): void {
    if (this.#doc !== undefined) free(this.#doc)
  }

  #awake(): StraightDocument | undefined {
    if (this.#resting !== undefined) {
      this.#resting = undefined
      this.#awoken += 1
      this.#straight = StraightDocument.of(this.#events, this.#sha256, true)
      if (this.#straight === undefined) this.#open()
    }
    return this.#straight
  }

  #change(
    { timeSeconds: time, message }: EditFacts,
    write: (draft: State, now: State) => void,
  ): MadeEvent | undefined {
    const current = this.doc
    const before = getHeads(current)
    const settings = { time, ...(message === undefined ? {} : { message }) }
    this.#doc = change(current, settings, (draft) => write(draft, this.#counts ? draft : current))
    const [hash] = getHeads(this.#doc)
    if (hash === undefined || before.includes(hash)) return undefined
    const bytes = changeByHash(this.#doc, hash)
    assert(bytes !== undefined, 'a change of the heads makes an event')
    return { bytes, hash }
  }

  #open(): Doc<State> {
    const loaded = loadEvents<State>(this.#events, this.#actor, this.#sha256)
    this.#doc = loaded.doc
    for (const hash of loaded.damaged) this.damaged.add(hash)
    this.#straight = undefined
    this.#resting = undefined
    this.#events = []
    return loaded.doc
  }
}
