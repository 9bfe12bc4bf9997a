import { equalBytes, fromHex, toHex } from '../bytes.ts'
import type { ActorId, EventHash } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { ByteReader } from '../log/event.ts'
import {
  ByteSink,
  RunColumn,
  StepColumn,
  TextSource,
  writeBooleans,
  writeRuns,
  writeSteps,
} from './change-columns.ts'
import { GENESIS_ACTOR } from './genesis-actor.ts'

// One change of an Automerge document as bytes (automerge.org/automerge-binary-format-spec), of a document
// whose changes were made one after another: there every operation has a number of its own, and what an
// operation replaces is one operation or none.

/** What an operation does, by Automerge's numbers. */
export const ACTION = { makeMap: 0, set: 1, makeList: 2, delete: 3, increment: 5 } as const

/** Of what type a written value is, by Automerge's numbers. */
export const TYPE = {
  null: 0,
  false: 1,
  true: 2,
  integer: 4,
  float: 5,
  text: 6,
  counter: 8,
} as const

/** A value of one of the types above. */
export type Scalar = string | number | boolean | null

/** One operation of a change. It has the number of the one before it, and one more. */
export interface Operation {
  /** The operation that made the map or list that is written to; 0 for the root. */
  readonly object: number
  /** Where: a key of a map; in a list the operation that made the item before it, 0 for none. */
  readonly key: string | number
  readonly action: number
  readonly type: number
  readonly value: Scalar
  /** The operation that is replaced; 0 for none. */
  readonly replaces: number
}

/** One change, without its operations. */
interface ChangeHeader {
  /** In order. */
  readonly parents: readonly EventHash[]
  readonly actor: ActorId
  readonly sequence: number
  /** The number of its first operation. */
  readonly start: number
  readonly timeSeconds: number
  readonly message: string | undefined
}

/** Who made an operation. */
type AuthorOf = (operation: number) => ActorId | undefined

/** Of each change: what makes it one, room for the checksum, and that it is not compressed. */
const BEGINNING = Uint8Array.of(0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1)
/** The change before, and the newest one of the same author. */
const PARENTS_MAX = 2
/** Changes of more operations are left to Automerge: they are read to here, and so make other bytes. */
const OPERATIONS_MAX = 100_000

/**
 * The bytes of a change: exactly those that Automerge makes of the same operations.
 *
 * @param authorOf of operations of earlier changes and of this one.
 */
export function encodeChange(
  header: ChangeHeader,
  operations: readonly Operation[],
  authorOf: AuthorOf,
  sha256: Sha256,
): { readonly bytes: Uint8Array; readonly hash: EventHash } {
  const actors = actorsOf(header, operations, authorOf)
  content.clear()
  content.unsigned(header.parents.length)
  for (const parent of header.parents) content.raw(fromHex(parent))
  writeActor(header.actor)
  content.unsigned(header.sequence)
  content.unsigned(header.start)
  content.signed(header.timeSeconds)
  content.key(header.message ?? '')
  content.unsigned(actors.length - 1)
  for (const actor of actors.slice(1)) writeActor(actor)
  writeColumns(operations, actors, authorOf)
  return chunk(sha256)
}

/** The change that is made just now. */
const content = new ByteSink()

function writeActor(actor: ActorId): void {
  content.unsigned(actor.length / 2)
  content.raw(fromHex(actor))
}

/** What was written, with its checksum and its length. */
function chunk(sha256: Sha256): { readonly bytes: Uint8Array; readonly hash: EventHash } {
  columns.clear()
  columns.raw(BEGINNING)
  columns.unsigned(content.length)
  const bytes = new Uint8Array(columns.length + content.length)
  bytes.set(columns.bytes)
  bytes.set(content.bytes, columns.length)
  const digest = sha256(bytes.subarray(8))
  bytes.set(digest.subarray(0, 4), 4)
  return { bytes, hash: toHex(digest) }
}

/** The author, then whose operations are named. */
function actorsOf(
  { actor }: ChangeHeader,
  operations: readonly Operation[],
  authorOf: AuthorOf,
): readonly ActorId[] {
  const others = new Set<ActorId>()
  const name = (operation: string | number): void => {
    if (typeof operation === 'number' && operation > 0) others.add(authorOf(operation) ?? actor)
  }
  for (const { object, key, replaces } of operations) {
    name(object)
    name(key)
    name(replaces)
  }
  others.delete(actor)
  return [actor, ...[...others].sort()]
}

// Columns have numbers: of the object 0x01 (author) and 0x02, of the key 0x11 (author), 0x13 and 0x15 (text),
// 0x34 whether it is a new item, 0x42 the action, of the value 0x56 (type and length) and 0x57, of what is
// replaced 0x70 (how many), 0x71 (authors) and 0x73.

/** The columns of the change that is made just now, one after another, and the bytes of its values. */
const columns = new ByteSink()
const values = new ByteSink()

function writeColumns(
  operations: readonly Operation[],
  actors: readonly ActorId[],
  authorOf: AuthorOf,
): void {
  columns.clear()
  values.clear()
  const lengths: (readonly [number, number])[] = []
  const column = (number: number, write: () => void): void => {
    const before = columns.length
    write()
    if (columns.length > before) lengths.push([number, columns.length - before])
  }
  const numbers = <Item>(
    number: number,
    items: readonly Item[],
    valueIn: (item: Item) => number | undefined,
  ): void =>
    column(number, () => writeRuns(columns, items, valueIn, (value) => columns.unsigned(value)))
  const actorOf = (operation: number | undefined): number | undefined =>
    operation ? actors.indexOf(authorOf(operation) ?? '') : undefined
  const replacing = operations.filter(({ replaces }) => replaces !== 0)
  const types = operations.map((operation) => writeValue(values, operation) * 16 + operation.type)
  numbers(0x01, operations, ({ object }) => actorOf(object))
  numbers(0x02, operations, ({ object }) => object || undefined)
  numbers(0x11, operations, (operation) => actorOf(itemOf(operation)))
  column(0x13, () => writeSteps(columns, operations.map(itemOf)))
  column(0x15, () => writeRuns(columns, operations, keyOf, (key) => columns.key(key)))
  column(0x34, () => writeBooleans(columns, operations, isItem))
  numbers(0x42, operations, ({ action }) => action)
  numbers(0x56, types, (type) => type)
  column(0x57, () => columns.raw(values.bytes))
  numbers(0x70, operations, ({ replaces }) => (replaces === 0 ? 0 : 1))
  numbers(0x71, replacing, ({ replaces }) => actorOf(replaces))
  column(0x73, () =>
    writeSteps(
      columns,
      replacing.map(({ replaces }) => replaces),
    ),
  )
  content.unsigned(lengths.length)
  for (const [number, length] of lengths) {
    content.unsigned(number)
    content.unsigned(length)
  }
  content.raw(columns.bytes)
}

function itemOf({ key }: Operation): number | undefined {
  return typeof key === 'number' ? key : undefined
}

function keyOf({ key }: Operation): string | undefined {
  return typeof key === 'string' ? key : undefined
}

function isItem({ key }: Operation): boolean {
  return typeof key === 'number'
}

/** @returns how many bytes the value takes. */
function writeValue(sink: ByteSink, { type, value }: Operation): number {
  const before = sink.length
  if (typeof value === 'string') sink.text(value)
  else if (type === TYPE.float) sink.float(Number(value))
  else if (typeof value === 'number') sink.signed(value)
  return sink.length - before
}

/** One change as it is read. */
interface DecodedChange {
  readonly hash: EventHash
  readonly header: ChangeHeader
  readonly operations: readonly Operation[]
}

/**
 * Reads a change that {@link encodeChange} could have made.
 *
 * @param isKnown whether it was read before, and nothing else is to be found out.
 * @returns undefined for other ones, right or wrong: those are Automerge's to judge.
 * @throws ProtocolError for one that ends too early.
 */
export function decodeChange(
  bytes: Uint8Array,
  authorOf: AuthorOf,
  sha256: Sha256,
  isKnown = false,
): DecodedChange | undefined {
  const checksum = new DataView(bytes.buffer, bytes.byteOffset).getUint32(4)
  const known = begun.get(checksum)
  if (known !== undefined && equalBytes(known.bytes, bytes)) return known.change
  const source = new ByteReader(bytes, 9)
  source.unsigned()
  const parents = Array.from({ length: Math.min(source.unsigned(), PARENTS_MAX) }, () =>
    toHex(source.bytes(32)),
  )
  const actor = toHex(source.bytes(source.unsigned()))
  const sequence = source.unsigned()
  const start = source.unsigned()
  const timeSeconds = source.signed()
  const message = text(source) || undefined
  for (let others = source.unsigned(); others > 0; others -= 1) text(source)
  const header = { parents, actor, sequence, start, timeSeconds, message }
  const operations = readOperations(readColumns(source))
  if (operations.length === 0) return undefined
  const end = start + operations.length
  const authors: AuthorOf = (operation) =>
    operation >= start && operation < end ? actor : authorOf(operation)
  if (isKnown) return { hash: toHex(sha256(bytes.subarray(8))), header, operations }
  // Whatever was read wrong, or was written in another way, makes other bytes.
  const again = encodeChange(header, operations, authors, sha256)
  if (!equalBytes(again.bytes, bytes)) return undefined
  const change = { hash: again.hash, header, operations }
  if (actor === GENESIS_ACTOR && parents.length === 0) {
    if (begun.size >= BEGUN_MAX) begun.clear()
    begun.set(checksum, { bytes, change })
  }
  return change
}

/** How many first changes are kept as they were read: one for each kind of document. */
const BEGUN_MAX = 256

/** By checksum: nearly every document begins with the same few bytes. */
const begun = new Map<number, { readonly bytes: Uint8Array; readonly change: DecodedChange }>()

function readColumns(source: ByteReader): ReadonlyMap<number, Uint8Array> {
  const lengths: (readonly [number, number])[] = []
  for (let count = source.unsigned(); count > 0; count -= 1)
    lengths.push([source.unsigned(), source.unsigned()])
  return new Map(lengths.map(([number, length]) => [number, source.bytes(length)]))
}

function readOperations(columns: ReadonlyMap<number, Uint8Array>): Operation[] {
  const column = (number: number): Uint8Array => columns.get(number) ?? NOTHING
  const numbers = (number: number): RunColumn<number> => {
    const source = new ByteReader(column(number))
    return new RunColumn(source, () => source.unsigned())
  }
  const objects = numbers(0x02)
  const items = new StepColumn(new ByteReader(column(0x13)))
  const texts = new TextSource(column(0x15))
  const keys = new RunColumn(texts.source, () => texts.text(texts.source.unsigned()))
  const actions = numbers(0x42)
  const types = numbers(0x56)
  const values = new TextSource(column(0x57))
  const replaces = numbers(0x70)
  const named = new StepColumn(new ByteReader(column(0x73)))
  const operations: Operation[] = []
  while (!actions.done && operations.length < OPERATIONS_MAX) {
    const action = actions.next() ?? -1
    const meta = types.next() ?? 0
    const type = meta % 16
    const key = keys.next()
    const item = items.next()
    operations.push({
      object: objects.next() ?? 0,
      key: key ?? item ?? 0,
      action,
      type,
      value: readScalar(values, type, Math.floor(meta / 16)),
      replaces: replaces.next() === 1 ? (named.next() ?? 0) : 0,
    })
  }
  return operations
}

/** A column that is left out. */
const NOTHING = new Uint8Array()

function readScalar(values: TextSource, type: number, length: number): Scalar {
  const { source } = values
  if (type === TYPE.text) return values.text(length)
  if (type === TYPE.integer || type === TYPE.counter) return source.signed()
  if (type !== TYPE.float) return type === TYPE.true ? true : type === TYPE.false ? false : null
  const { buffer, byteOffset } = source.bytes(8)
  return new DataView(buffer, byteOffset).getFloat64(0, true)
}

/** Text behind its length. */
function text(source: ByteReader): string {
  return decoder.decode(source.bytes(source.unsigned()))
}

const decoder = new TextDecoder(undefined, { ignoreBOM: true })
