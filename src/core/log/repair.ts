import { fromHex } from '../bytes.ts'
import { isTidewayError, type TidewayError } from '../errors.ts'
import type { ActorId, DocumentId, EventHash, Position } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Put, Storage } from '../interfaces/storage.ts'
import { Digest, digestTerm } from './digest.ts'
import { fromRecord, type StoredEntry } from './entry.ts'
import { readEvent } from './event.ts'
import { cutsOf, FIRST_GENERATION } from './generation.ts'
import { damageKey, documentKey, lateKey, sequenceKey, sequencePrefix } from './keys.ts'
import { baseOf, countingEntries, laterEvents, TOMBSTONE } from './lineage.ts'
import { placesUnder } from './place-blocks.ts'
import {
  type DamageRecord,
  type DocumentRecord,
  encodeRecord,
  type LateRecord,
  type OwnLoss,
} from './records.ts'

/** How much of a document is read at once. */
const PAGE_BYTES_MAX = 1 << 20

/** Lost events that are named; of more, only the number is known. */
const LOST_NAMED_MAX = 1_000

/** What a repair needs to know of the log. */
export interface RepairView {
  readonly storage: Storage
  readonly sha256: Sha256
  readonly record: DocumentRecord
  /** What was refused in the document. */
  readonly refused: ReadonlySet<string>
  /** The damage that is known from before. */
  readonly before: DamageRecord | undefined
  /** Under whom we write in the document. */
  readonly actor: ActorId
  /** Whether an actor is ours, or was. */
  readonly isOwn: (actor: ActorId) => boolean
  readonly atMs: number
}

/** What to write, in one step, and what to drop after it. */
export interface Repair {
  readonly puts: readonly Put[]
  readonly positions: readonly Position[]
  readonly record: DocumentRecord
  readonly damage: DamageRecord
}

/** The position that an error names as damaged; undefined when it is another error. */
export function damagedPosition(error: unknown): Position | undefined {
  if (!isTidewayError(error) || error.code !== 'STORAGE_CORRUPT') return undefined
  const position = (error as TidewayError).fields['position']
  return typeof position === 'number' ? position : undefined
}

/**
 * Works out what is left of a document some of whose entries cannot be read: its record, its digest and the
 * index of places come to say what is still there, so that what is lost may come again.
 *
 * @returns undefined when nothing is damaged.
 */
export async function planRepair(
  view: RepairView,
  document: DocumentId,
): Promise<Repair | undefined> {
  const { record, refused, sha256 } = view
  const { entries, damaged } = await readWhatIsLeft(view.storage, document)
  if (damaged.length === 0) return undefined
  const counting = record.left ? [] : countingEntries(entries, refused)
  const isHeadless = cutsOf(record.generation) > 0 && baseOf(counting) === undefined && !record.left
  const events = laterEvents(counting).map((bytes) => ({ bytes, header: readEvent(bytes, sha256) }))
  const kept = isHeadless ? [] : events
  const puts: Put[] = []
  // What is left of a generation without its beginning waits for it.
  for (const { bytes, header } of isHeadless ? events : []) {
    const { generation, collection } = record
    const late: LateRecord = { generation, collection, bytes }
    const own = { ...header, place: { generation, sequence: header.sequence } }
    puts.push({ key: lateKey(document, own), value: encodeRecord(late) })
  }
  // Of a document that left nothing is kept, so nothing of it is lost.
  const places = record.left ? NONE_LOST : await lostPlaces(view, document, kept)
  const waiting = new Set(isHeadless ? events.map(({ header }) => header.hash) : [])
  const lost = places.lost.filter(({ hash }) => !waiting.has(hash))
  puts.push(...places.forgotten)
  const digest = new Digest()
  const generation = isHeadless ? FIRST_GENERATION : record.generation
  const count = (name: string): void => digest.add(digestTerm(document, generation, name, sha256))
  for (const { header } of kept) count(header.hash)
  const base = counting.find(({ kind }) => kind === 'base')
  if (base?.hash !== undefined && !isHeadless) count(base.hash)
  if (record.deleted && !record.left) count(TOMBSTONE)
  const left = isHeadless ? [] : entries
  const repaired: DocumentRecord = {
    ...record,
    generation,
    entries: left.length,
    bytes: left.reduce((sum, { bytes }) => sum + bytes.length, 0),
    digest: digest.bytes(),
    // A peer may have what we lost of our own: its places are not ours to fill again. Nor are those of all that went with a
    // beginning: it reaches them, and may come back.
    fork: record.fork + (places.isOurs || isHeadless ? 1 : 0),
  }
  const here = new Set(kept.map(({ header }) => header.hash))
  const damage = damageOf(view, damaged, lost, here, isHeadless)
  puts.push({ key: documentKey(document), value: encodeRecord(repaired) })
  puts.push({ key: damageKey(document), value: encodeRecord(damage) })
  const headless = isHeadless ? entries.map(({ position }) => position) : []
  return { puts, positions: [...damaged, ...headless], record: repaired, damage }
}

function damageOf(
  { before, atMs, isOwn }: RepairView,
  damaged: readonly Position[],
  lost: readonly OwnLoss[],
  here: ReadonlySet<EventHash>,
  isHeadless: boolean,
): DamageRecord {
  const positions = [...new Set([...(before?.positions ?? []), ...damaged])]
  // Some of what was lost before has come back since.
  const missed = (before?.lost ?? []).filter((hash) => !here.has(hash))
  const all = [...new Set([...missed, ...lost.map(({ hash }) => hash)])].slice(-LOST_NAMED_MAX)
  const own = [...(before?.own ?? []), ...lost.filter(({ actor }) => isOwn(actor))]
  const named = new Set(all)
  return {
    positions: positions.slice(-LOST_NAMED_MAX),
    lost: all,
    own: own.filter(({ hash }) => named.has(hash)),
    beginning: isHeadless || before?.beginning === true ? true : undefined,
    atMs: before?.atMs ?? atMs,
  }
}

/** Reads the entries of a document up to a position, or all, around what cannot be read. */
export async function readWhatIsLeft(
  storage: Storage,
  document: DocumentId,
  last?: Position,
): Promise<{ readonly entries: readonly StoredEntry[]; readonly damaged: readonly Position[] }> {
  const entries: StoredEntry[] = []
  const damaged: Position[] = []
  const head = last ?? (await storage.head())
  for (let after = 0, upTo = head; after < head; ) {
    try {
      const page = await storage.read({ document, after, upTo, bytesMax: PAGE_BYTES_MAX })
      for (const stored of page.records) take(stored, entries, damaged)
      if (!page.end) after = page.upTo
      else if (upTo === head) break
      else {
        // Up to the damage: it is passed over.
        after = upTo + 1
        damaged.push(after)
        upTo = head
      }
    } catch (error) {
      const position = damagedPosition(error)
      if (position === undefined || position <= after) throw error
      upTo = position - 1
      if (upTo > after) continue
      damaged.push(position)
      after = position
      upTo = head
    }
  }
  return { entries, damaged }
}

function take(
  stored: Parameters<typeof fromRecord>[0],
  entries: StoredEntry[],
  damaged: Position[],
): void {
  try {
    entries.push(fromRecord(stored))
  } catch {
    damaged.push(stored.position)
  }
}

/** What is forgotten of the places of a document. */
interface LostPlaces {
  readonly forgotten: readonly Put[]
  readonly lost: readonly OwnLoss[]
  readonly isOurs: boolean
}

const NONE_LOST: LostPlaces = { forgotten: [], lost: [], isOurs: false }

/** Places of events that are not here any more: another may not stand there, but they may come again. */
async function lostPlaces(
  { storage, actor, record }: RepairView,
  document: DocumentId,
  kept: readonly { readonly header: { readonly actor: string; readonly sequence: number } }[],
): Promise<LostPlaces> {
  const here = new Set(
    kept.map(({ header }) => sequenceKey(document, header.actor, header.sequence)),
  )
  const forgotten: Put[] = []
  const lost: OwnLoss[] = []
  let isOurs = false
  for await (const { key, value } of storage.scan(sequencePrefix(document))) {
    const left: Put[] = []
    const places = placesUnder(document, key, value)
    for (const { actor: writer, sequence, hash } of places) {
      const place = sequenceKey(document, writer, sequence)
      if (here.has(place)) {
        left.push({ key: place, value: fromHex(hash) })
        continue
      }
      lost.push({ hash, actor: writer, generation: record.generation, sequence })
      isOurs ||= writer === actor
    }
    // What is left of a block stands alone.
    if (left.length < places.length) forgotten.push({ key, value: undefined }, ...left)
  }
  return { forgotten, lost, isOurs }
}
