import type { CollectionId, Position } from '../ids.ts'
import type { SendCredit } from './credit.ts'
import { entryBytesMax } from './events-codec.ts'
import type { ReadAnswer, SessionOutput, WireEntry } from './io.ts'
import { EVENTS_ENTRIES_MAX, EVENTS_FRAME_BYTES, PART_BYTES, READ_CREDIT_MIN } from './limits.ts'
import type { FrameEntry } from './message.ts'
import { encodeFrame } from './message-codec.ts'
import {
  type Delivery,
  type DeliveryAnswer,
  type DeliveryCursor,
  NO_POSITION,
} from './reconcile-steps.ts'

/** A page of our log to ask for. */
export type ReadRequest =
  | Omit<Extract<SessionOutput, { type: 'read' }>, 'token'>
  | Omit<Extract<SessionOutput, { type: 'deliver' }>, 'token'>

/** The history of one newly shared collection. */
interface Backfill {
  readonly type: 'backfill'
  readonly collection: CollectionId
  cursor: Position
  /** Fixed when the first page is asked for: from there on the main run has the collection. */
  upTo: Position | undefined
}

/** Entries that the peer lacks, wherever they are in our log. */
interface Deliveries {
  readonly type: 'deliveries'
  /** The peer's question, or 0 when it was ours. */
  readonly question: number
  readonly deliveries: readonly Delivery[]
  readonly sent: () => void
  cursor: DeliveryCursor
  next: DeliveryCursor | undefined
}

/** What goes out beside the main run. */
type SideRun = Backfill | Deliveries

interface Page {
  readonly answer: ReadAnswer
  readonly side: SideRun | undefined
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
  readonly #sides: SideRun[] = []
  #collections: readonly CollectionId[]
  #head: Position
  /** Every entry up to here is in frames that were made. */
  #sent: Position
  /** What the peer was last told about that. */
  #told: Position
  /** The newest position ever sent: a peer that lost some makes us go back, this does not. */
  #highest: Position
  /** The newest position at which an entry went out: when the peer has it, the peer has all. */
  #lastEntry: Position
  #finalOwed = true
  /** Between these nothing is news to the peer: the end of our log, as it grew last. */
  #passed: { readonly from: Position; to: Position } | undefined
  #reading: { readonly side: SideRun | undefined } | undefined
  #page: Page | undefined
  #preferSide = false
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

  /** What the peer was told about {@link sent}. */
  get told(): Position {
    return this.#told
  }

  get lastEntry(): Position {
    return this.#lastEntry
  }

  /** Nothing is being read or waits for credit. */
  get idle(): boolean {
    return this.#reading === undefined && this.#page === undefined
  }

  /** Everything was sent up to our head (or the limit), the end was told, and nothing is left beside it. */
  get done(): boolean {
    return this.idle && !this.#finalOwed && this.#sent >= this.#target && this.#sides.length === 0
  }

  /** Something is left to send beside the main run. */
  get beside(): boolean {
    return this.#sides.length > 0
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

  /** Our log grew by nothing that the peer lacks: where it has all before, it has all now, unread. */
  pass(head: Position): void {
    if (this.#passed?.to === this.#head) this.#passed.to = Math.max(head, this.#head)
    else this.#passed = { from: this.#head, to: Math.max(head, this.#head) }
    this.grow(head)
    this.#skipPassed()
  }

  /** What came while we read is passed over once everything before it is in frames. */
  #skipPassed(): void {
    if (this.#passed === undefined || !this.idle || this.limit !== undefined) return
    if (this.#sent >= this.#passed.from) this.#advanceTo(this.#passed.to)
  }

  share(collections: readonly CollectionId[]): void {
    this.#collections = collections
    // What was passed over may be news in a collection that is shared only now.
    this.#passed = undefined
  }

  backfill(collection: CollectionId, upTo: Position | undefined): void {
    this.#sides.push({ type: 'backfill', collection, cursor: 0, upTo })
  }

  /** Sends what the peer lacks. `sent` is called when all of it is in frames. */
  deliver(question: number, deliveries: readonly Delivery[], sent: () => void): void {
    const cursor = { index: 0, entries: 0 }
    this.#sides.push({ type: 'deliveries', question, deliveries, sent, cursor, next: undefined })
  }

  /**
   * Goes on from `position`, back or forth. What was being read is void. Who is taken back has put aside
   * the end that it was told, as there was a gap before it: it is told again, also with nothing to send.
   */
  moveTo(position: Position): void {
    if (position < this.#told) this.#finalOwed = true
    this.#lastEntry = Math.min(this.#lastEntry, position)
    this.#sent = this.#told = position
    this.#highest = Math.max(this.#highest, position)
    this.#page = undefined
    this.#reading = undefined
    this.#passed = undefined
  }

  /** What to read now; undefined when nothing is due or there is no credit. Call it once per answer. */
  nextRead(): ReadRequest | undefined {
    if (!this.idle || this.#credit.available < READ_CREDIT_MIN) return undefined
    this.#skipPassed()
    const mainDue = this.#sent < this.#target
    const side = this.#sides[0]
    if (side !== undefined && (this.#preferSide || !mainDue)) return this.#readSide(side)
    if (!mainDue || this.#collections.length === 0) {
      if (mainDue) this.#advanceTo(this.#target)
      return undefined
    }
    this.#preferSide = true
    this.#reading = { side: undefined }
    return {
      type: 'read',
      after: this.#sent,
      upTo: this.limit,
      collections: this.#collections,
      bytesMax: this.#bytesMax(),
    }
  }

  #readSide(side: SideRun): ReadRequest | undefined {
    this.#preferSide = false
    const bytesMax = this.#bytesMax()
    if (side.type === 'deliveries') {
      this.#reading = { side }
      return { type: 'deliver', deliveries: side.deliveries, after: side.cursor, bytesMax }
    }
    side.upTo ??= Math.max(this.#highest, this.#sent)
    const { collection, cursor, upTo } = side
    if (cursor >= upTo) {
      this.#page = { answer: { entries: [], upTo, end: true }, side, next: 0, parted: 0 }
      return undefined
    }
    this.#reading = { side }
    return { type: 'read', after: cursor, upTo, collections: [collection], bytesMax }
  }

  #bytesMax(): number {
    return Math.min(this.#pageBytes, this.#credit.available)
  }

  /** Takes the page that was asked for, unless `moveTo` made it void. */
  handleRead(answer: ReadAnswer): void {
    if (this.#reading === undefined) return
    this.#page = { answer, side: this.#reading.side, next: 0, parted: 0 }
    this.#reading = undefined
    this.#skipEmptyPage(this.#page)
  }

  handleDelivered({ entries, next }: DeliveryAnswer): void {
    const side = this.#reading?.side
    if (side?.type !== 'deliveries') return
    side.next = next
    this.handleRead({ entries, upTo: NO_POSITION, end: next === undefined })
  }

  /** A page without entries moves our position. The peer hears of it with the next frame, if at all. */
  #skipEmptyPage(page: Page): void {
    const { answer, side } = page
    if (answer.entries.length > 0 || (side !== undefined && answer.end)) return
    if (side === undefined && answer.end && this.#finalOwed) return
    this.#finishPage(page)
  }

  #finishPage({ answer, side }: Page): void {
    this.#page = undefined
    if (side === undefined) {
      this.#advanceTo(answer.upTo)
      return
    }
    if (side.type === 'backfill') side.cursor = answer.upTo
    else if (side.next !== undefined) side.cursor = side.next
    if (!answer.end) return
    this.#sides.shift()
    if (side.type === 'deliveries') side.sent()
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
    const { answer, side } = page
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
      side === undefined
        ? this.#mainFrame(page, entries, whole)
        : sideFrame(page, side, entries, whole)
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

function sideFrame(
  page: Page,
  side: SideRun,
  entries: readonly FrameEntry[],
  whole: boolean,
): Uint8Array {
  const final = whole && page.answer.end
  if (side.type === 'deliveries') {
    const { question } = side
    return encodeFrame({
      ...{ type: 'events', after: question, upTo: question, final },
      ...{ backfill: undefined, answer: question, entries },
    })
  }
  const after = side.cursor
  return encodeFrame({
    type: 'events',
    after,
    upTo: whole ? Math.max(after, page.answer.upTo) : after,
    final,
    backfill: side.collection,
    entries,
  })
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length)
  both.set(first)
  both.set(second, first.length)
  return both
}
