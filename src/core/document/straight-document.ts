import { Counter, ImmutableString } from '@automerge/automerge/slim'

import { compareUtf8 } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import type { ActorId, EventHash } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { sortTexts } from '../sort-texts.ts'
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
  /**
   * Of a map: the operation behind each key, which is what made the map or list that stands there. Undefined
   * while its keys were written one after another, as all of a new map are: then `first` tells.
   */
  operations: Record<string, number> | undefined
  /** Of a map without `operations`: the operation behind its first key, and how many keys it has. */
  first: number
  count: number
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
  /** By the operation that made each. */
  readonly #nodes: (Node | undefined)[] = []
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

  /**
   * One that these events make; undefined when that is beyond it.
   *
   * @param isKnown whether one was made of them, or made them, before.
   */
  static of(
    events: readonly Uint8Array[],
    sha256: Sha256,
    isKnown = false,
  ): StraightDocument | undefined {
    if (events.length > EVENTS_MAX) return undefined
    const document = new StraightDocument(sha256)
    const isStraight = events.every((bytes) => document.apply(bytes, isKnown))
    return isStraight ? document : undefined
  }

  /** Its content, to be read as Automerge's is. It changes with the document. */
  get root(): Record<string, unknown> {
    return this.#root.held as Record<string, unknown>
  }

  /**
   * Takes in one change.
   *
   * @param isKnown whether it was taken in before, by another document of the same changes.
   * @returns false when that is beyond it.
   */
  apply(bytes: Uint8Array, isKnown = false): boolean {
    try {
      const authorOf = (operation: number): ActorId | undefined => this.#author(operation)
      const change = decodeChange(bytes, authorOf, this.#sha256, isKnown)
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
    try {
      write(this.#draft(this.#root))
    } catch (error) {
      if (error === BEYOND) return undefined
      throw error
    }
    const operations = this.#made
    this.#made = []
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
    const node: Node = {
      made,
      held,
      operations: undefined,
      first: 0,
      count: 0,
      last: 0,
      inside,
      draft: undefined,
    }
    // No holes: however far apart its maps are, it stays an array.
    while (this.#nodes.length < made) this.#nodes.push(undefined)
    this.#nodes[made] = node
    return node
  }

  /** @returns the map or list that it makes. */
  #take(operation: Operation): Node | undefined {
    const { object, key, action, type, replaces } = operation
    const node = this.#nodes[object]
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
        const inner = this.#nodes[operationAt(node, key)]
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
      else
        for (const place of sortTexts(Object.keys(inner), compareUtf8))
          write(made, place, inner[place], true)
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
function operationAt(node: Node, key: string): number {
  if (!Object.hasOwn(node.held, key)) return 0
  return operationsOf(node)[key] ?? 0
}

/** Written down one by one from the first time on that somebody asks for one of them. */
function operationsOf(node: Node): Record<string, number> {
  if (node.operations !== undefined) return node.operations
  const operations: Record<string, number> = {}
  Object.keys(node.held).forEach((key, index) => {
    operations[key] = node.first + index
  })
  node.operations = operations
  return operations
}

/** Whether a key may stand before others that were there first: JavaScript sorts keys that are numbers. */
function isSorted(key: string): boolean {
  const code = key.charCodeAt(0)
  return code >= 48 && code <= 57
}

function hold(node: Node, key: string | number, made: number, value: unknown): void {
  if (Array.isArray(node.held)) {
    node.held.push(value)
    return
  }
  const text = String(key)
  if (node.count === 0) node.first = made
  if (node.operations === undefined && (made !== node.first + node.count || isSorted(text)))
    operationsOf(node)
  node.held[text] = value
  node.count += 1
  if (node.operations !== undefined) node.operations[text] = made
}

function drop(node: Node, key: string | number, { type, replaces }: Operation): void {
  if (Array.isArray(node.held) || replaces === 0 || type !== TYPE.null) throw BEYOND
  operationsOf(node)
  delete node.held[key]
  delete node.operations?.[key]
}

function increase(node: Node, key: string | number, { type, value, replaces }: Operation): void {
  if (Array.isArray(node.held) || replaces === 0 || type !== TYPE.integer) throw BEYOND
  const before = node.held[key]
  if (!(before instanceof Counter)) throw BEYOND
  node.held[key] = new Counter(before.value + Number(value))
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
