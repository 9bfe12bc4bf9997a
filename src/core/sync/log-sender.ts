import type { CollectionId, Position } from '../ids.ts'
import type { SendCredit } from './credit.ts'
import { entryBytesMax } from './events-codec.ts'
import type { ReadAnswer, WireEntry } from './io.ts'
import { EVENTS_ENTRIES_MAX, EVENTS_FRAME_BYTES, PART_BYTES, READ_CREDIT_MIN } from './limits.ts'
import type { FrameEntry } from './message.ts'
import { encodeFrame } from './message-codec.ts'

/** A page of our log to ask for. */
export interface ReadRequest {
  readonly after: Position
  readonly upTo: Position | undefined
  readonly collections: readonly CollectionId[]
  readonly bytesMax: number
  readonly everything: boolean
}

/** The history of one newly shared collection. */
interface Backfill {
  readonly collection: CollectionId
  cursor: Position
  /** Fixed when the first page is asked for: from there on the main run has the collection. */
  upTo: Position | undefined
}

interface Page {
  readonly answer: ReadAnswer
  readonly backfill: Backfill | undefined
  /** The next entry to send. */
  next: number
  /** How many bytes of that entry went out in parts. */
  parted: number
}

/** Room for the fixed items of an EVENTS frame and the name of a collection. */
const FRAME_HEAD_BYTES = 384

/**
 * Our log on its way to the peer.
 *
 * It holds one page at most, so a peer that grants nothing costs its position and that page. Pages
 * become frames as credit allows; only the last frame of a page moves the peer's cursor, because an
 * entry's own position is not known here.
 */
export class LogSender {
  readonly #credit: SendCredit
  readonly #pageBytes: number
  readonly #backfills: Backfill[] = []
  #collections: readonly CollectionId[]
  #head: Position
  /** Every entry up to here is in frames that were made. */
  #sent: Position
  /** What the peer was last told about that. */
  #told: Position
  /** The newest position ever sent: a resync goes back, this does not. */
  #highest: Position
  /** The newest position at which an entry went out: when the peer has it, the peer has all. */
  #lastEntry: Position
  #everythingUpTo: Position = 0
  #finalOwed = true
  #reading: { readonly backfill: Backfill | undefined } | undefined
  #page: Page | undefined
  #preferBackfill = false
  /** While a check is prepared, reads go no further than this. */
  limit: Position | undefined

  constructor(
    start: Position,
    head: Position,
    collections: readonly CollectionId[],
    credit: SendCredit,
    pageBytes: number,
  ) {
    this.#sent = this.#told = this.#highest = this.#lastEntry = start
    this.#head = head
    this.#collections = collections
    this.#credit = credit
    this.#pageBytes = pageBytes
  }

  get sent(): Position {
    return this.#sent
  }

  get highest(): Position {
    return this.#highest
  }

  get lastEntry(): Position {
    return this.#lastEntry
  }

  /** Nothing is being read or waits for credit. */
  get idle(): boolean {
    return this.#reading === undefined && this.#page === undefined
  }

  /** Everything was sent up to our head (or the limit), the end was told, and no backfill is left. */
  get done(): boolean {
    return (
      this.idle && !this.#finalOwed && this.#sent >= this.#target && this.#backfills.length === 0
    )
  }

  /** Everything up to our head was sent at least once. */
  get finalTold(): boolean {
    return !this.#finalOwed
  }

  get #target(): Position {
    return this.limit ?? this.#head
  }

  grow(head: Position): void {
    this.#head = Math.max(this.#head, head)
  }

  share(collections: readonly CollectionId[]): void {
    this.#collections = collections
  }

  backfill(collection: CollectionId, upTo: Position | undefined): void {
    this.#backfills.push({ collection, cursor: 0, upTo })
  }

  /** Goes on from `position`, back or forth. What was being read is void. */
  moveTo(position: Position): void {
    this.#sent = this.#told = position
    this.#highest = Math.max(this.#highest, position)
    this.#page = undefined
    this.#reading = undefined
  }

  /** Sends everything again, with what the peer itself once wrote. */
  restart(): void {
    this.moveTo(0)
    this.#everythingUpTo = Math.max(this.#highest, this.#head)
    this.#finalOwed = true
    // A half-sent entry in parts is finished by nobody: the receiver drops it at RESYNC.
  }

  /** What to read now; undefined when nothing is due or there is no credit. Call it once per answer. */
  nextRead(): ReadRequest | undefined {
    if (!this.idle || this.#credit.available < READ_CREDIT_MIN) return undefined
    const mainDue = this.#sent < this.#target
    const backfill = this.#backfills[0]
    if (backfill !== undefined && (this.#preferBackfill || !mainDue))
      return this.#readBackfill(backfill)
    if (!mainDue || this.#collections.length === 0) {
      if (mainDue) this.#advanceTo(this.#target)
      return undefined
    }
    this.#preferBackfill = true
    this.#reading = { backfill: undefined }
    return {
      after: this.#sent,
      upTo: this.limit,
      collections: this.#collections,
      bytesMax: this.#bytesMax(),
      everything: this.#sent < this.#everythingUpTo,
    }
  }

  #readBackfill(backfill: Backfill): ReadRequest | undefined {
    this.#preferBackfill = false
    backfill.upTo ??= Math.max(this.#highest, this.#sent)
    const { collection, cursor, upTo } = backfill
    if (cursor >= upTo) {
      this.#page = { answer: { entries: [], upTo, end: true }, backfill, next: 0, parted: 0 }
      return undefined
    }
    this.#reading = { backfill }
    const collections = [collection]
    return { after: cursor, upTo, collections, bytesMax: this.#bytesMax(), everything: false }
  }

  #bytesMax(): number {
    return Math.min(this.#pageBytes, this.#credit.available)
  }

  /** Takes the page that was asked for. False when nothing was, or `moveTo` made it void. */
  handleRead(answer: ReadAnswer): boolean {
    if (this.#reading === undefined) return false
    this.#page = { answer, backfill: this.#reading.backfill, next: 0, parted: 0 }
    this.#reading = undefined
    this.#skipEmptyPage(this.#page)
    return true
  }

  /** A page without entries moves our position. The peer hears of it with the next frame, if at all. */
  #skipEmptyPage(page: Page): void {
    const { answer, backfill } = page
    if (answer.entries.length > 0 || (backfill !== undefined && answer.end)) return
    if (backfill === undefined && answer.end && this.#finalOwed) return
    this.#finishPage(page)
  }

  #finishPage(page: Page): void {
    const { answer, backfill } = page
    this.#page = undefined
    if (backfill === undefined) {
      this.#advanceTo(answer.upTo)
    } else {
      backfill.cursor = answer.upTo
      if (answer.end) this.#backfills.shift()
    }
  }

  #advanceTo(position: Position): void {
    this.#sent = Math.max(this.#sent, position)
    this.#highest = Math.max(this.#highest, this.#sent)
  }

  /** Everything up to here has been sent; the peer is told by an ACK, where it costs nothing. */
  tellUpTo(): Position {
    this.#told = this.#sent
    return this.#told
  }

  /** The next frame that credit allows, and how many entries it holds. */
  nextFrame(): { readonly bytes: Uint8Array; readonly entries: number } | undefined {
    if (this.#credit.available < FRAME_HEAD_BYTES) return undefined
    const page = this.#page
    if (page === undefined) return this.#finalFrame()
    const large = page.answer.entries[page.next]
    if (large !== undefined && large.bytes.length - page.parted > PART_BYTES) {
      return this.#partFrame(page, large)
    }
    return this.#eventsFrame(page)
  }

  /** The end of a run in which there was nothing to send. */
  #finalFrame(): { readonly bytes: Uint8Array; readonly entries: number } | undefined {
    if (!this.#finalOwed || !this.idle || this.#sent < this.#target) return undefined
    this.#finalOwed = false
    const after = this.#told
    const upTo = this.tellUpTo()
    return this.#charge(
      encodeFrame({ type: 'events', after, upTo, final: true, backfill: undefined, entries: [] }),
      0,
    )
  }

  #partFrame(page: Page, entry: WireEntry): { bytes: Uint8Array; entries: number } | undefined {
    if (this.#credit.available < PART_BYTES + FRAME_HEAD_BYTES) return undefined
    const bytes = entry.bytes.subarray(page.parted, page.parted + PART_BYTES)
    page.parted += bytes.length
    return this.#charge(encodeFrame({ type: 'part', bytes }), 0)
  }

  #eventsFrame(page: Page): { bytes: Uint8Array; entries: number } | undefined {
    const { answer, backfill } = page
    const room = this.#credit.available
    const entries: FrameEntry[] = []
    let size = FRAME_HEAD_BYTES
    let large: Uint8Array | undefined
    for (let i = page.next; i < answer.entries.length; i += 1) {
      const entry = answer.entries[i]
      if (entry === undefined || entries.length >= EVENTS_ENTRIES_MAX) break
      const parted = entries.length === 0 ? page.parted : 0
      // The rest of a parted entry goes as one more part; then the frame names its length.
      if (entry.bytes.length - parted > PART_BYTES) break
      if (parted > 0) large = entry.bytes.subarray(parted)
      const item: FrameEntry = parted > 0 ? { ...entry, bytes: entry.bytes.length } : entry
      const bytes = entryBytesMax(item) + (large?.length ?? 0)
      if (size + bytes > room || (entries.length > 0 && size + bytes > EVENTS_FRAME_BYTES)) break
      size += bytes
      entries.push(item)
      if (parted > 0) break
    }
    if (entries.length === 0 && page.next < answer.entries.length) return undefined
    const lastPart =
      large === undefined || large.length === 0
        ? undefined
        : encodeFrame({ type: 'part', bytes: large })
    page.next += entries.length
    page.parted = 0
    const whole = page.next >= answer.entries.length
    const events =
      backfill === undefined
        ? this.#mainFrame(page, entries, whole)
        : backfillFrame(page, backfill, entries, whole)
    if (whole) this.#finishPage(page)
    const bytes = lastPart === undefined ? events : joined(lastPart, events)
    return this.#charge(bytes, entries.length)
  }

  #mainFrame(page: Page, entries: readonly FrameEntry[], whole: boolean): Uint8Array {
    const after = this.#told
    const upTo = whole ? Math.max(after, page.answer.upTo) : after
    const final = whole && page.answer.end
    if (final) this.#finalOwed = false
    this.#told = upTo
    if (entries.length > 0) this.#lastEntry = Math.max(this.#lastEntry, page.answer.upTo)
    return encodeFrame({ type: 'events', after, upTo, final, backfill: undefined, entries })
  }

  #charge(bytes: Uint8Array, entries: number): { bytes: Uint8Array; entries: number } {
    this.#credit.use(bytes.length)
    return { bytes, entries }
  }
}

function backfillFrame(
  page: Page,
  backfill: Backfill,
  entries: readonly FrameEntry[],
  whole: boolean,
): Uint8Array {
  const after = backfill.cursor
  return encodeFrame({
    type: 'events',
    after,
    upTo: whole ? Math.max(after, page.answer.upTo) : after,
    final: whole && page.answer.end,
    backfill: backfill.collection,
    entries,
  })
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length)
  both.set(first)
  both.set(second, first.length)
  return both
}
