import { concatBytes, fromHex, toHex } from '../bytes.ts'
import type { CollectionId, DocumentId } from '../ids.ts'
import { digestTerm } from '../log/digest.ts'
import type { StoredEntry } from '../log/entry.ts'
import { readEvent } from '../log/event.ts'
import { cutsOf } from '../log/generation.ts'
import { homeOf } from '../log/homes.ts'
import { eventBytes } from '../log/lineage.ts'
import type { DocumentRecord } from '../log/records.ts'
import type { EntryKind } from '../sync/io.ts'
import { ENTRY_NAMES_MAX } from '../sync/limits.ts'
import type { DocumentState, Want } from '../sync/reconcile-frames.ts'
import type { Delivery, ReconcileResult } from '../sync/reconcile-steps.ts'
import type { LinkView } from './link-digest.ts'

/** The hex digits of the name of an entry. */
const NAME_DIGITS = 16

/** What a state costs in a frame, beside names. */
const STATE_BYTES = 16

/** An entry that counts in its document, by the short name that both sides know it by. */
export interface NamedEntry {
  readonly name: string
  readonly kind: EntryKind
  readonly bytes: Uint8Array
}

/** What a document holds that counts, and that the peer does not refuse. */
export async function namedEntries(
  view: LinkView,
  document: DocumentId,
  record: DocumentRecord,
): Promise<readonly NamedEntry[]> {
  const stored = await view.log.readDocument(document)
  const refused = view.kept.of(document)
  const named = new Map<string, NamedEntry>()
  for (const { kind, hash, bytes } of eventsOf(view, stored)) {
    const name = hash.slice(0, NAME_DIGITS)
    if (refused?.has(hash) !== true) named.set(name, { name, kind, bytes })
  }
  if (record.deleted) {
    const term = digestTerm(document, record.generation, 'tombstone', view.sha256)
    const name = (term >> 64n).toString(16).padStart(NAME_DIGITS, '0')
    named.set(name, { name, kind: 'tombstone', bytes: new Uint8Array(0) })
  }
  return [...named.values()]
}

function eventsOf(
  { sha256 }: LinkView,
  stored: readonly StoredEntry[],
): readonly { readonly kind: EntryKind; readonly hash: string; readonly bytes: Uint8Array }[] {
  const events = stored.flatMap(({ kind, hash, bytes }) =>
    (kind === 'event' || kind === 'base') && hash !== undefined ? [{ kind, hash, bytes }] : [],
  )
  if (events.length > 0) return events
  return eventBytes(stored).map((bytes) => {
    return { kind: 'event', hash: readEvent(bytes, sha256).hash, bytes }
  })
}

/** How the first of some documents stand here: at least one, until the states reach `bytesMax`. */
export async function documentStates(
  view: LinkView,
  collection: CollectionId,
  documents: readonly DocumentId[],
  bytesMax: number,
): Promise<ReconcileResult> {
  const states: DocumentState[] = []
  const leaves: Delivery[] = []
  let taken = 0
  let bytes = 0
  for (const document of documents) {
    const record = await view.log.record(document)
    const home = homeOf(record)
    const isHidden = home !== undefined && !view.granted.includes(home)
    if (isHidden && (await hasLeft(view, collection, document))) {
      // The peer may not know where it went; it is to know that it is gone.
      leaves.push({ document, collection, whole: true, names: undefined })
      taken += 1
      continue
    }
    const state = await stateOf(view, collection, document, isHidden ? undefined : record)
    const size = document.length * 3 + (state.names?.length ?? 0) + STATE_BYTES
    if (states.length > 0 && bytes + size > bytesMax) break
    taken += 1
    bytes += size
    states.push(state)
  }
  return { type: 'states', documents: states, taken, leaves }
}

async function stateOf(
  view: LinkView,
  collection: CollectionId,
  document: DocumentId,
  record: DocumentRecord | undefined,
): Promise<DocumentState> {
  const nothing = { document, generation: 0, moves: 0, names: new Uint8Array(0) }
  if (record === undefined) return { ...nothing, home: 'none' }
  const { generation, moves = 0 } = record
  if (record.left) return { ...nothing, home: 'left', moves }
  const home = record.collection === collection ? 'here' : { collection: record.collection }
  if (record.entries > ENTRY_NAMES_MAX)
    return { document, home, generation, moves, names: undefined }
  const names = (await namedEntries(view, document, record)).map(({ name }) => fromHex(name))
  return { document, home, generation, moves, names: concatBytes(names) }
}

/** What the peer lacks of some documents, and what we lack. */
export async function compareEntries(
  view: LinkView,
  collection: CollectionId,
  documents: readonly DocumentState[],
): Promise<ReconcileResult> {
  const wants: Want[] = []
  const deliveries: Delivery[] = []
  let cost = 0
  for (const state of documents) {
    const record = await view.log.record(state.document)
    cost += 1 + (record?.entries ?? 0)
    const { want, delivery } = await compareEntry(view, collection, state, record)
    if (want !== undefined) wants.push(want)
    if (delivery !== undefined) deliveries.push(delivery)
  }
  return { type: 'entries', wants, deliveries, cost }
}

/** Whether a document was at home in a collection before it went on: its subscribers know of it. */
async function hasLeft(
  { log }: LinkView,
  collection: CollectionId,
  document: DocumentId,
): Promise<boolean> {
  const stored = await log.readDocument(document)
  return stored.some((entry) => entry.kind === 'leave' && entry.collection === collection)
}

/** Whether a peer may know of a document that it does not share: it was shared, or it names an entry. */
async function knows(
  view: LinkView,
  collection: CollectionId,
  { document, names }: DocumentState,
  record: DocumentRecord,
): Promise<boolean> {
  if (await hasLeft(view, collection, document)) return true
  const theirs = splitNames(names ?? new Uint8Array(0))
  if (theirs.size === 0) return false
  return (await namedEntries(view, document, record)).some(({ name }) => theirs.has(name))
}

interface Compared {
  readonly want?: Want | undefined
  readonly delivery?: Delivery | undefined
}

async function compareEntry(
  view: LinkView,
  collection: CollectionId,
  state: DocumentState,
  record: DocumentRecord | undefined,
): Promise<Compared> {
  const { document } = state
  const home = homeOf(record)
  const all = { document, names: undefined }
  if (record === undefined || home === undefined) {
    if (state.home === 'none' || state.home === 'left') return {}
    // It left after the last move that the peer has heard of.
    if (state.home === 'here' && (record?.moves ?? 0) > state.moves)
      return { delivery: { ...all, collection, whole: true } }
    return { want: { ...all, whole: record !== undefined } }
  }
  if (home !== collection && !view.granted.includes(home)) {
    if (state.home === 'none' || state.home === 'left') return {}
    // The peer may not know where it went; it is to know that it is gone. Who only guesses is told what
    // is said of documents that nobody has heard of.
    const mayKnow = state.home === 'here' && (await knows(view, collection, state, record))
    if (!mayKnow) return { want: { ...all, whole: false } }
    return { delivery: { ...all, collection, whole: true } }
  }
  if (state.home === 'none' || state.home === 'left') {
    if (home !== collection) return {}
    const { moves = 0 } = record
    if (state.home === 'left' && state.moves > moves) return { want: { ...all, whole: true } }
    const whole = state.home === 'left' || moves > 0
    return { delivery: { ...all, collection, whole } }
  }
  const theirs = state.home === 'here' ? collection : state.home.collection
  if (theirs !== home) {
    // Both sides come to the same answer: the home that was chosen last, as far as moves can tell.
    const moves = record.moves ?? 0
    const ours = moves === state.moves ? home > theirs : moves > state.moves
    const cuts = cutsOf(record.generation) - cutsOf(state.generation)
    const isSame = record.generation === state.generation
    // Who chose the home is not always who cut last.
    const delivery = { ...all, collection: home, whole: true }
    const want = { ...all, whole: true }
    if (isSame) return ours ? { delivery } : { want }
    return {
      delivery: ours || cuts >= 0 ? delivery : undefined,
      want: !ours || cuts <= 0 ? want : undefined,
    }
  }
  if (record.generation !== state.generation) {
    // What the newer generation has taken in cannot be told by name any more. Of two that were begun by as
    // many cuts, both sides look which one counts.
    if (cutsOf(record.generation) === cutsOf(state.generation)) {
      const whole = { ...all, whole: false }
      return { want: whole, delivery: { ...whole, collection } }
    }
    if (record.generation < state.generation) return { want: { ...all, whole: false } }
    return { delivery: { ...all, collection, whole: false } }
  }
  return await compareNames(view, collection, state, record)
}

async function compareNames(
  view: LinkView,
  collection: CollectionId,
  { document, names }: DocumentState,
  record: DocumentRecord,
): Promise<Compared> {
  if (names === undefined || record.entries > ENTRY_NAMES_MAX) {
    const all = { document, whole: false, names: undefined }
    return { want: all, delivery: { ...all, collection } }
  }
  const theirs = splitNames(names)
  const lacking: Uint8Array[] = []
  for (const { name } of await namedEntries(view, document, record)) {
    if (!theirs.delete(name)) lacking.push(fromHex(name))
  }
  const wanted = concatBytes([...theirs].map(fromHex))
  const lacks = concatBytes(lacking)
  return {
    want: wanted.length === 0 ? undefined : { document, whole: false, names: wanted },
    delivery: lacks.length === 0 ? undefined : { document, collection, whole: false, names: lacks },
  }
}

/** The names in the form of {@link NamedEntry.name}. */
export function splitNames(names: Uint8Array): Set<string> {
  const found = new Set<string>()
  for (let i = 0; i < names.length; i += NAME_DIGITS / 2) {
    found.add(toHex(names.subarray(i, i + NAME_DIGITS / 2)))
  }
  return found
}
