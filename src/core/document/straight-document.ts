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
import type { KnownValues } from './read-value.ts'
import type { JsonValue } from './value.ts'

/** A map or list as it stands in a document: what it holds now, text as plain text. */
type Held = Record<string, unknown> | unknown[]

interface Node {
  /** The operation that made it; 0 for the root. */
  readonly made: number
  readonly held: Held
  /** Of a map: the operation behind each key. */
  readonly operations: Map<string, number>
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
  readonly #byHeld = new WeakMap<object, Node>()
  readonly #root: Node
  /** Who made the operations from a number on, in order. */
  readonly #authors: { readonly start: number; readonly actor: ActorId }[] = []
  /** The newest change of each author, and which of its changes that is. */
  readonly #newest = new Map<ActorId, { readonly hash: EventHash; readonly sequence: number }>()
  #next = 1
  #made: Operation[] = []
  /** What was read of the document, while it holds. */
  readonly known: KnownValues = new WeakMap<object, JsonValue>()
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
    return [...new Set([this.head, own])].filter((hash) => hash !== undefined).sort()
  }

  #author(operation: number): ActorId | undefined {
    return this.#authors.findLast(({ start }) => start <= operation)?.actor
  }

  #node(made: number, held: Held, inside: Node | undefined): Node {
    const node = { made, held, operations: new Map(), last: 0, inside, draft: undefined }
    this.#nodes.set(made, node)
    this.#byHeld.set(held, node)
    return node
  }

  #take(operation: Operation): void {
    const { object, key, action, type, replaces } = operation
    const node = this.#nodes.get(object)
    if (node === undefined || Array.isArray(node.held) !== (typeof key === 'number')) throw BEYOND
    this.#touch(node)
    const made = this.#next
    this.#next += 1
    if (typeof key === 'number') {
      if (key !== node.last || replaces !== 0) throw BEYOND
      node.last = made
    } else if (key === '' || key === '__proto__' || (node.operations.get(key) ?? 0) !== replaces)
      throw BEYOND
    switch (action) {
      case ACTION.makeMap:
      case ACTION.makeList: {
        if (type !== TYPE.null) throw BEYOND
        const held = action === ACTION.makeMap ? {} : []
        this.#node(made, held, node)
        return this.#hold(node, key, made, held)
      }
      case ACTION.set:
        return this.#hold(node, key, made, shown(operation))
      case ACTION.delete:
        return this.#drop(node, key, operation)
      case ACTION.increment:
        return this.#increase(node, key, operation)
      default:
        throw BEYOND
    }
  }

  #hold(node: Node, key: string | number, made: number, value: unknown): void {
    if (Array.isArray(node.held)) node.held.push(value)
    else {
      node.held[key] = value
      node.operations.set(String(key), made)
    }
  }

  #drop(node: Node, key: string | number, { type, replaces }: Operation): void {
    if (Array.isArray(node.held) || replaces === 0 || type !== TYPE.null) throw BEYOND
    delete node.held[key]
    node.operations.delete(String(key))
  }

  #increase(node: Node, key: string | number, { type, value, replaces }: Operation): void {
    if (Array.isArray(node.held) || replaces === 0 || type !== TYPE.integer) throw BEYOND
    const before = node.held[key]
    if (!(before instanceof Counter)) throw BEYOND
    node.held[key] = new Counter(before.value + Number(value))
  }

  /** What was read of a map, and of all around it, holds no longer. */
  #touch(node: Node): void {
    for (let at: Node | undefined = node; at !== undefined; at = at.inside)
      this.known.delete(at.held)
  }

  /** A map as an edit sees it: what is written to it becomes operations. */
  #draft(node: Node): Record<string, unknown> {
    node.draft ??= new Proxy(node.held as Record<string, unknown>, {
      get: (held, key) => {
        const isThere = typeof key === 'string' && Object.hasOwn(held, key)
        const value = isThere ? held[key] : undefined
        if (value instanceof Counter) return this.#counter(node, String(key), value)
        const inner = isContainer(value) ? this.#byHeld.get(value) : undefined
        return inner === undefined || Array.isArray(value) ? value : this.#draft(inner)
      },
      set: (_, key, value: unknown) => {
        this.#put(node, String(key), value)
        return true
      },
      deleteProperty: (_, key) => {
        this.#write(
          { ...NOTHING, object: node.made, key: String(key), action: ACTION.delete },
          node,
        )
        return true
      },
    })
    return node.draft
  }

  #counter(node: Node, key: string, counter: Counter): Counter {
    const increment = (by: number): void => {
      const object = node.made
      const { increment: action } = ACTION
      this.#write({ ...NOTHING, object, key, action, type: TYPE.integer, value: by }, node)
    }
    return Object.assign(new Counter(counter.value), { increment })
  }

  /** Writes a value, with all that is in it: level by level, maps in the order of their keys. */
  #put(node: Node, key: string, value: unknown): void {
    const before = (node.held as Record<string, unknown>)[key]
    if (value instanceof ImmutableString && value.val === before) return
    const within: { readonly made: number; readonly value: object }[] = []
    const write = (
      object: number,
      place: string | number,
      item: unknown,
      isInner: boolean,
    ): void => {
      if (isContainer(item)) within.push({ made: this.#next, value: item })
      const parent = this.#nodes.get(object) ?? node
      this.#write({ ...NOTHING, ...written(item, isInner), object, key: place }, parent)
    }
    write(node.made, key, value, false)
    for (const { made, value: inner } of within) {
      if (Array.isArray(inner)) {
        let last = 0
        for (const item of inner) {
          const place = last
          last = this.#next
          write(made, place, item, true)
        }
      } else {
        const entries = Object.entries(inner).sort(([a], [b]) => compareUtf8(a, b))
        for (const [place, item] of entries) write(made, place, item, true)
      }
    }
  }

  #write(operation: Operation, node: Node): void {
    const { key } = operation
    const replaces = typeof key === 'string' ? (node.operations.get(key) ?? 0) : 0
    const whole = { ...operation, replaces }
    this.#take(whole)
    this.#made.push(whole)
  }
}

const NOTHING: Operation = {
  object: 0,
  key: '',
  action: ACTION.set,
  type: TYPE.null,
  value: null,
  replaces: 0,
}

function isContainer(value: unknown): value is Record<string, unknown> | unknown[] {
  if (typeof value !== 'object' || value === null) return false
  return !(value instanceof ImmutableString) && !(value instanceof Counter)
}

/** The part of an operation that says what is written. */
function written(value: unknown, isInner: boolean): Pick<Operation, 'action' | 'type' | 'value'> {
  const action = ACTION.set
  if (value === null) return { action, type: TYPE.null, value }
  if (value instanceof ImmutableString) return { action, type: TYPE.text, value: value.val }
  if (value instanceof Counter) return { action, type: TYPE.counter, value: value.value }
  if (typeof value === 'boolean') return { action, type: value ? TYPE.true : TYPE.false, value }
  if (typeof value === 'number') return { action, ...writtenNumber(value, isInner) }
  if (!isContainer(value)) throw BEYOND
  const { makeMap, makeList } = ACTION
  return { action: Array.isArray(value) ? makeList : makeMap, type: TYPE.null, value: null }
}

function writtenNumber(value: number, isInner: boolean): Pick<Operation, 'type' | 'value'> {
  // Inside of what is written as a whole, Automerge takes numbers that are not above zero for fractions.
  if (!Number.isInteger(value) || (isInner && value <= 0)) return { type: TYPE.float, value }
  return { type: TYPE.integer, value: value + 0 }
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
