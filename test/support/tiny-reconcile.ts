import { fromHex, toHex } from '../../src/core/bytes.ts'
import type { CollectionId } from '../../src/core/ids.ts'
import type { WireEntry } from '../../src/core/sync/io.ts'
import type {
  DocumentMark,
  DocumentState,
  RangeAnswer,
  RangePart,
  RangeQuestion,
  Want,
} from '../../src/core/sync/reconcile-frames.ts'
import type {
  Comparison,
  Delivery,
  DeliveryAnswer,
  DeliveryCursor,
  Difference,
  ReconcileResult,
  ReconcileStep,
} from '../../src/core/sync/reconcile-steps.ts'
import { hashOf, type TinyReplica } from './tiny-replica.ts'

const NAME_DIGITS = 16
const LIST_MAX = 16
const PAGE_ENTRIES = 50

/** What a {@link TinyReplica} says when a session looks for what differs. */
export function tinyStep(replica: TinyReplica, step: ReconcileStep): ReconcileResult {
  switch (step.type) {
    case 'begin': {
      const ranges = step.collections.map((collection) => {
        const range = { collection, from: '', to: undefined }
        return { ...range, fingerprint: sum(marks(replica, range)) }
      })
      return { type: 'begin', ranges }
    }
    case 'ranges': {
      const answers = step.ranges.map((range) => answer(replica, range))
      return { type: 'ranges', answers, cost: replica.log.length }
    }
    case 'compare':
      return compare(replica, step.compares)
    case 'states': {
      const held = byDocument(replica, step.collection)
      const documents = step.documents.map((document): DocumentState => {
        const names = [...(held.get(document)?.keys() ?? [])]
        const home = names.length === 0 ? 'none' : 'here'
        return { document, home, generation: 1, moves: 0, names: fromHex(names.join('')) }
      })
      return { type: 'states', documents, taken: documents.length, leaves: [] }
    }
    case 'entries':
      return entries(replica, step.collection, step.documents)
  }
}

/** What was asked for, some entries a page. */
export function tinyPage(
  replica: TinyReplica,
  deliveries: readonly Delivery[],
  after: DeliveryCursor,
): DeliveryAnswer {
  const held = new Map(
    deliveries.map(({ collection }) => [collection, byDocument(replica, collection)]),
  )
  const all = deliveries.flatMap(({ collection, document, names }) => {
    const entries = held.get(collection)?.get(document)
    const wanted = names === undefined ? [...(entries?.keys() ?? [])] : split(names)
    return wanted.flatMap((name) => entries?.get(name) ?? [])
  })
  const done = after.entries + PAGE_ENTRIES
  const next = done < all.length ? { index: 0, entries: done } : undefined
  return { entries: all.slice(after.entries, done), next }
}

type Held = ReadonlyMap<string, ReadonlyMap<string, WireEntry>>

const indexes = new WeakMap<TinyReplica, Map<string, Held>>()

/** What counts in each document of a collection, by name. */
function byDocument(replica: TinyReplica, collection: CollectionId): Held {
  const state = `${replica.log.length} ${replica.refused.size} ${collection}`
  const known = indexes.get(replica)?.get(state)
  if (known !== undefined) return known
  const found = indexed(replica, collection)
  indexes.set(replica, new Map([[state, found]]))
  return found
}

function indexed(replica: TinyReplica, collection: CollectionId): Held {
  const found = new Map<string, Map<string, WireEntry>>()
  for (const { entry } of replica.log) {
    if (entry.collection !== collection) continue
    const hash = hashOf(entry)
    if (replica.refused.has(hash)) continue
    const names = found.get(entry.document) ?? new Map<string, WireEntry>()
    names.set(hash.slice(0, NAME_DIGITS), entry)
    found.set(entry.document, names)
  }
  return found
}

function marks(
  replica: TinyReplica,
  { collection, from, to }: Pick<RangeQuestion, 'collection' | 'from' | 'to'>,
): readonly DocumentMark[] {
  return [...byDocument(replica, collection)]
    .filter(([document]) => document >= from && (to === undefined || document < to))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([document, names]) => {
      return { document, fingerprint: add([...names.keys()].map(fromHex)) }
    })
}

function add(fingerprints: readonly Uint8Array[]): Uint8Array {
  const total = fingerprints.reduce((all, bytes) => all + BigInt(`0x${toHex(bytes)}`), 0n)
  return fromHex(BigInt.asUintN(64, total).toString(16).padStart(NAME_DIGITS, '0'))
}

function sum(list: readonly DocumentMark[]): Uint8Array {
  return add(list.map(({ fingerprint }) => fingerprint))
}

function answer(replica: TinyReplica, range: RangeQuestion): RangeAnswer {
  const documents = marks(replica, range)
  if (range.fingerprint !== undefined && toHex(range.fingerprint) === toHex(sum(documents)))
    return { kind: 'equal' }
  if (documents.length <= LIST_MAX) return { kind: 'documents', documents }
  const size = Math.ceil(documents.length / LIST_MAX)
  const parts: RangePart[] = []
  for (let i = 0; i < documents.length; i += size) {
    const to = i + size < documents.length ? documents[i + size]?.document : range.to
    parts.push({ to, fingerprint: sum(documents.slice(i, i + size)) })
  }
  return { kind: 'parts', parts }
}

function compare(replica: TinyReplica, compares: readonly Comparison[]): ReconcileResult {
  const ranges: RangeQuestion[] = []
  const differences: Difference[] = []
  for (const { range, answer: told } of compares) {
    const { collection } = range
    if (told.kind === 'parts') {
      let from = range.from
      for (const { to, fingerprint } of told.parts) {
        const depth = (range.depth ?? 0) + 1
        const part = { collection, from, to, fingerprint: undefined, depth }
        if (toHex(sum(marks(replica, part))) !== toHex(fingerprint)) ranges.push(part)
        from = to ?? from
      }
    }
    if (told.kind !== 'documents') continue
    const theirs = new Map(told.documents.map((mark) => [mark.document, toHex(mark.fingerprint)]))
    const ours = new Map(
      marks(replica, range).map((mark) => [mark.document, toHex(mark.fingerprint)]),
    )
    for (const document of new Set([...theirs.keys(), ...ours.keys()])) {
      if (theirs.get(document) !== ours.get(document)) differences.push({ collection, document })
    }
  }
  return { type: 'compare', ranges, differences, rest: [] }
}

function entries(
  replica: TinyReplica,
  collection: CollectionId,
  documents: readonly DocumentState[],
): ReconcileResult {
  const wants: Want[] = []
  const deliveries: Delivery[] = []
  const held = byDocument(replica, collection)
  for (const { document, names = new Uint8Array(0) } of documents) {
    const theirs = new Set(split(names))
    const ours = [...(held.get(document)?.keys() ?? [])]
    const lacking = ours.filter((name) => !theirs.has(name))
    const wanted = [...theirs].filter((name) => !ours.includes(name))
    const place = { document, whole: false }
    if (wanted.length > 0) wants.push({ ...place, names: fromHex(wanted.join('')) })
    if (lacking.length > 0)
      deliveries.push({ ...place, collection, names: fromHex(lacking.join('')) })
  }
  return { type: 'entries', wants, deliveries, cost: replica.log.length }
}

function split(names: Uint8Array): readonly string[] {
  return toHex(names).match(new RegExp(`.{${NAME_DIGITS}}`, 'g')) ?? []
}
