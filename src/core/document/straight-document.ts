import { Counter, ImmutableString } from '@automerge/automerge/slim'

import { compareUtf8 } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import type { ActorId, EventHash } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import {
  ACTION,
  decodeChange,
  encodeChange,
  type Operation,
  type Scalar,
  TYPE,
} from './change-codec.ts'
import type { JsonValue } from './value.ts'

/** A map or list as it stands in a document: what it holds now, text as plain text. */
type Held = Record<string, unknown> | unknown[]

interface Node {
  /** The operation that made it; 0 for the root. */
  readonly made: number
  readonly held: Held
  /** Of a map: the operation behind each key, which is what made the map or list that stands there. */
  readonly operations: Record<string, number>
  /** Of a list: the operation that made its last item; 0 while it is empty. */
  last: number
  readonly inside: Node | undefined
  /** As an edit sees it. */
  draft: Record<string, unknown> | undefined
}

/** From here on Automerge is faster: it takes longer to begin, and less for each event. */
const EVENTS_MAX = 100

/** Thrown at what only Automerge can do. Never leaves this file. */
const BEYOND = new Error('left to Automerge')

/**
 * A document whose changes were made one after another, of maps, of lists that are written once, of
 * plain values and of counters: as most documents are most of the time. It reads and makes changes without
 * Automerge, which takes ten times as long, and makes the very bytes that Automerge would make.
 *
 * Whatever is beyond it, it says so and is of no use afterwards: the changes so far, loaded by Automerge, are the
 * same document.
 */
export class StraightDocument {
  readonly #sha256: Sha256
  readonly #nodes = new Map<number, Node>()
  readonly #root: Node
  /** Who made the operations from a number on, in order. */
  readonly #authors: { readonly start: number; readonly actor: ActorId }[] = []
  /** The newest change of each author, and which of its changes that is. */
  readonly #newest = new Map<ActorId, { readonly hash: EventHash; readonly sequence: number }>()
  #next = 1
  #made: Operation[] = []
  /** What was read of the document, while it holds. */
  readonly known: Map<object, JsonValue> = new Map()
  /** Its newest change; undefined while there is none. */
  head: EventHash | undefined

  constructor(sha256: Sha256) {
    this.#sha256 = sha256
    this.#root = this.#node(0, {}, undefined)
  }

  /** One that these events make; undefined when that is beyond it. */
  static of(events: readonly Uint8Array[], sha256: Sha256): StraightDocument | undefined {
    if (events.length > EVENTS_MAX) return undefined
    const document = new StraightDocument(sha256)
    const isStraight = events.every((bytes) => document.apply(bytes))
    return isStraight ? document : undefined
  }

  /** Its content, to be read as Automerge's is. It changes with the document. */
  get root(): Record<string, unknown> {
    return this.#root.held as Record<string, unknown>
  }

  /**
   * Takes in one change.
   *
   * @returns false when that is beyond it.
   */
  apply(bytes: Uint8Array): boolean {
    try {
      const change = decodeChange(bytes, (operation) => this.#author(operation), this.#sha256)
      if (change === undefined) return false
      const { parents, actor, sequence, start } = change.header
      const isNext = parents.join() === this.#parents(actor).join()
      if (!isNext || sequence !== this.#sequence(actor) || start !== this.#next) return false
      for (const operation of change.operations) this.#take(operation)
      this.#done(actor, start, change.hash)
      return true
    } catch (error) {
      if (error === BEYOND || error instanceof ProtocolError) return false
      throw error
    }
  }

  /**
   * Makes one change.
   *
   * @returns no bytes when nothing changed; undefined when that is beyond it.
   * @throws what `write` throws: it is of no use afterwards.
   */
  edit(
    actor: ActorId,
    about: { readonly timeSeconds: number; readonly message: string | undefined },
    write: (draft: Record<string, unknown>) => void,
  ): { readonly bytes?: Uint8Array; readonly hash?: EventHash } | undefined {
    const start = this.#next
    this.#made = []
    try {
      write(this.#draft(this.#root))
    } catch (error) {
      if (error === BEYOND) return undefined
      throw error
    }
    const operations = this.#made
    if (operations.length === 0) return {}
    const parents = this.#parents(actor)
    const header = { ...about, parents, actor, sequence: this.#sequence(actor), start }
    const author = (operation: number): ActorId | undefined =>
      operation >= start ? actor : this.#author(operation)
    const change = encodeChange(header, operations, author, this.#sha256)
    this.#done(actor, start, change.hash)
    return change
  }

  #done(actor: ActorId, start: number, hash: EventHash): void {
    this.#newest.set(actor, { hash, sequence: this.#sequence(actor) })
    if (this.#authors.at(-1)?.actor !== actor) this.#authors.push({ start, actor })
    this.head = hash
  }

  /** What the next change of an author is numbered. */
  #sequence(actor: ActorId): number {
    return (this.#newest.get(actor)?.sequence ?? 0) + 1
  }

  /** What the next change of an author builds on: the newest of all, and, as in Automerge, its own newest. */
  #parents(actor: ActorId): readonly EventHash[] {
    const own = this.#newest.get(actor)?.hash
    if (this.head === undefined) return []
    return own === undefined || own === this.head ? [this.head] : [this.head, own].sort()
  }

  #author(operation: number): ActorId | undefined {
    for (let i = this.#authors.length - 1; i >= 0; i -= 1) {
      const author = this.#authors[i]
      if (author !== undefined && author.start <= operation) return author.actor
    }
    return undefined
  }

  #node(made: number, held: Held, inside: Node | undefined): Node {
    const node = { made, held, operations: {}, last: 0, inside, draft: undefined }
    this.#nodes.set(made, node)
    return node
  }

  /** @returns the map or list that it makes. */
  #take(operation: Operation): Node | undefined {
    const { object, key, action, type, replaces } = operation
    const node = this.#nodes.get(object)
    if (node === undefined || Array.isArray(node.held) !== (typeof key === 'number')) throw BEYOND
    this.#touch(node)
    const made = this.#next
    this.#next += 1
    if (typeof key === 'number') {
      if (key !== node.last || replaces !== 0) throw BEYOND
      node.last = made
    } else if (key === '' || key === '__proto__' || operationAt(node, key) !== replaces)
      throw BEYOND
    switch (action) {
      case ACTION.makeMap:
      case ACTION.makeList: {
        if (type !== TYPE.null) throw BEYOND
        const held = action === ACTION.makeMap ? {} : []
        hold(node, key, made, held)
        return this.#node(made, held, node)
      }
      case ACTION.set:
        hold(node, key, made, shown(operation))
        return undefined
      case ACTION.delete:
        drop(node, key, operation)
        return undefined
      case ACTION.increment:
        increase(node, key, operation)
        return undefined
      default:
        throw BEYOND
    }
  }

  /** What was read of a map, and of all around it, holds no longer. */
  #touch(node: Node): void {
    if (this.known.size === 0) return
    for (let at: Node | undefined = node; at !== undefined; at = at.inside)
      this.known.delete(at.held)
  }

  /** A map as an edit sees it: what is written to it becomes operations. */
  #draft(node: Node): Record<string, unknown> {
    node.draft ??= new Proxy(node.held as Record<string, unknown>, {
      get: (held, key) => {
        const isThere = typeof key === 'string' && Object.hasOwn(held, key)
        if (!isThere) return undefined
        const value = held[key]
        if (value instanceof Counter) return this.#counter(node, key, value)
        if (!isContainer(value) || Array.isArray(value)) return value
        const inner = this.#nodes.get(operationAt(node, key))
        return inner === undefined ? value : this.#draft(inner)
      },
      set: (_, key, value: unknown) => {
        this.#put(node, String(key), value)
        return true
      },
      deleteProperty: (_, key) => {
        this.#write(node, String(key), ACTION.delete, TYPE.null, null)
        return true
      },
    })
    return node.draft
  }

  #counter(node: Node, key: string, counter: Counter): Counter {
    const increment = (by: number): void => {
      this.#write(node, key, ACTION.increment, TYPE.integer, by)
    }
    return Object.assign(new Counter(counter.value), { increment })
  }

  /** Writes a value, with all that is in it: level by level, maps in the order of their keys. */
  #put(node: Node, key: string, value: unknown): void {
    const before = (node.held as Record<string, unknown>)[key]
    if (value instanceof ImmutableString && value.val === before) return
    const within: { readonly made: Node; readonly value: Held }[] = []
    const write = (into: Node, place: string | number, item: unknown, isInner: boolean): void => {
      if (!isContainer(item)) return this.#writeScalar(into, place, item, isInner)
      const action = Array.isArray(item) ? ACTION.makeList : ACTION.makeMap
      const made = this.#write(into, place, action, TYPE.null, null)
      if (made !== undefined) within.push({ made, value: item })
    }
    write(node, key, value, false)
    for (const { made, value: inner } of within) {
      if (Array.isArray(inner)) for (const item of inner) write(made, made.last, item, true)
      else for (const place of sortedKeys(inner)) write(made, place, inner[place], true)
    }
  }

  #writeScalar(node: Node, key: string | number, value: unknown, isInner: boolean): void {
    const { set } = ACTION
    if (value === null) this.#write(node, key, set, TYPE.null, value)
    else if (value instanceof ImmutableString) this.#write(node, key, set, TYPE.text, value.val)
    else if (value instanceof Counter) this.#write(node, key, set, TYPE.counter, value.value)
    else if (typeof value === 'boolean')
      this.#write(node, key, set, value ? TYPE.true : TYPE.false, value)
    else if (typeof value !== 'number') throw BEYOND
    // Inside of what is written as a whole, Automerge takes numbers that are not above zero for fractions.
    else if (!Number.isInteger(value) || (isInner && value <= 0))
      this.#write(node, key, set, TYPE.float, value)
    else this.#write(node, key, set, TYPE.integer, value + 0)
  }

  #write(
    node: Node,
    key: string | number,
    action: number,
    type: number,
    value: Scalar,
  ): Node | undefined {
    const replaces = typeof key === 'string' ? operationAt(node, key) : 0
    const operation = { object: node.made, key, action, type, value, replaces }
    const made = this.#take(operation)
    this.#made.push(operation)
    return made
  }
}

/** The operation behind a key of a map; 0 for none. */
function operationAt({ operations }: Node, key: string): number {
  return Object.hasOwn(operations, key) ? (operations[key] ?? 0) : 0
}

function hold(node: Node, key: string | number, made: number, value: unknown): void {
  if (Array.isArray(node.held)) node.held.push(value)
  else {
    node.held[key] = value
    node.operations[key] = made
  }
}

function drop(node: Node, key: string | number, { type, replaces }: Operation): void {
  if (Array.isArray(node.held) || replaces === 0 || type !== TYPE.null) throw BEYOND
  delete node.held[key]
  delete node.operations[key]
}

function increase(node: Node, key: string | number, { type, value, replaces }: Operation): void {
  if (Array.isArray(node.held) || replaces === 0 || type !== TYPE.integer) throw BEYOND
  const before = node.held[key]
  if (!(before instanceof Counter)) throw BEYOND
  node.held[key] = new Counter(before.value + Number(value))
}

/** The keys of a map in the order of their bytes, as they often are already. */
function sortedKeys(map: Record<string, unknown>): readonly string[] {
  const keys = Object.keys(map)
  for (let i = 1; i < keys.length; i += 1)
    if (compareUtf8(keys[i - 1] ?? '', keys[i] ?? '') > 0) return keys.sort(compareUtf8)
  return keys
}

function isContainer(value: unknown): value is Record<string, unknown> | unknown[] {
  if (typeof value !== 'object' || value === null) return false
  return !(value instanceof ImmutableString) && !(value instanceof Counter)
}

/** A scalar as it is read. */
function shown({ type, value }: Operation): Scalar | Counter {
  switch (type) {
    case TYPE.counter:
      return new Counter(Number(value))
    case TYPE.integer:
      if (!Number.isSafeInteger(value)) throw BEYOND
      return value
    case TYPE.null:
    case TYPE.false:
    case TYPE.true:
    case TYPE.float:
    case TYPE.text:
      return value
    default:
      throw BEYOND
  }
}
