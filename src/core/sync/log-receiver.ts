import { concatBytes } from '../bytes.ts'
import type { CollectionId, Position } from '../ids.ts'
import type { ReceiveCredit } from './credit.ts'
import type { Violation } from './field-reader.ts'
import type { WireEntry } from './io.ts'
import { APPEND_BYTES_TARGET, APPEND_ENTRIES_TARGET, ENTRY_BYTES_MAX, PARTS_MAX } from './limits.ts'
import type { CheckFrame, EventsFrame, FrameEntry } from './message.ts'

/** Entries to append in one step, and what is true of the peer's log once they are durable. */
export interface AppendWork {
  readonly type: 'append'
  readonly entries: WireEntry[]
  cursor: Position
  /** Bytes of credit that the step holds. */
  bytes: number
  /** Collections whose backfill is complete with this step. */
  readonly filled: CollectionId[]
  /** Whether the peer should be told when it is durable. */
  ackOwed: boolean
}

export interface VerifyWork {
  readonly type: 'verify'
  readonly check: CheckFrame
}

interface InFlight {
  readonly token: number
  readonly work: AppendWork
  durable: boolean
}

/**
 * The peer's log on its way to ours.
 *
 * Frames are gathered into appends; a bounded number of them is with the driver, the rest waits here,
 * bounded by the credit that the peer was granted. The cursor moves only over runs without a gap.
 */
export class LogReceiver {
  readonly #credit: ReceiveCredit
  readonly #appendsMax: number
  readonly #bytesMax: number
  readonly #queue: (AppendWork | VerifyWork)[] = []
  #inFlight: InFlight[] = []
  #parts: Uint8Array[] = []
  #partBytes = 0
  /** Everything up to here has come. */
  #cursor: Position = 0
  #handed: Position = 0
  #durable: Position = 0
  /** The last run started past our cursor: the peer starts again when it hears where we are. */
  #gap = false
  #finalSeen = false

  constructor(credit: ReceiveCredit, appendsMax: number, bytesMax: number) {
    this.#credit = credit
    this.#appendsMax = appendsMax
    this.#bytesMax = bytesMax
  }

  get cursor(): Position {
    return this.#cursor
  }

  /** Handed to the driver up to here. */
  get received(): Position {
    return this.#handed
  }

  /** Durable up to here. */
  get durable(): Position {
    return this.#durable
  }

  get quiet(): boolean {
    return this.#queue.length === 0 && this.#inFlight.length === 0
  }

  /** The peer told the end of its log, and everything before it is durable. */
  get finalDurable(): boolean {
    return this.#finalSeen && !this.#gap && this.quiet
  }

  get finalSeen(): boolean {
    return this.#finalSeen && !this.#gap
  }

  start(cursor: Position): void {
    this.#cursor = this.#handed = this.#durable = cursor
  }

  /** One piece of a large entry. */
  handlePart(bytes: Uint8Array, byteLength: number): Violation | undefined {
    if (!this.#credit.receive(byteLength)) return OVERDRAWN
    this.#partBytes += bytes.length
    if (this.#partBytes > ENTRY_BYTES_MAX) {
      return {
        code: 'PROTOCOL_LIMIT_EXCEEDED',
        message: `PART: an entry past ${ENTRY_BYTES_MAX} bytes`,
      }
    }
    // Tiny parts would take far more memory than the bytes that are counted above.
    if (this.#parts.length >= PARTS_MAX) {
      return {
        code: 'PROTOCOL_LIMIT_EXCEEDED',
        message: `PART: an entry in more than ${PARTS_MAX} parts`,
      }
    }
    this.#parts.push(bytes)
    // Parts are bounded by the size of an entry, not by the window: they would fill it for ever.
    this.#credit.release(byteLength)
    return undefined
  }

  handleEvents(frame: EventsFrame, byteLength: number): Violation | undefined {
    if (!this.#credit.receive(byteLength)) return OVERDRAWN
    const entries: WireEntry[] = []
    for (const item of frame.entries) {
      const entry = this.#whole(item)
      if (entry === undefined)
        return { code: 'PROTOCOL_REMOTE', message: 'EVENTS: entries do not match the parts' }
      entries.push(entry)
    }
    if (frame.backfill === undefined && frame.answer === undefined) this.#moveCursor(frame)
    const filled = frame.backfill !== undefined && frame.final ? [frame.backfill] : []
    this.#enqueue(entries, filled, byteLength)
    return undefined
  }

  #moveCursor(frame: EventsFrame): void {
    this.#gap = frame.after > this.#cursor
    if (frame.final) this.#finalSeen = true
    if (!this.#gap) this.#cursor = Math.max(this.#cursor, frame.upTo)
  }

  #whole(item: FrameEntry): WireEntry | undefined {
    if (typeof item.bytes !== 'number') return { ...item, bytes: item.bytes }
    if (item.bytes !== this.#partBytes) return undefined
    const bytes = concatBytes(this.#parts)
    this.#parts = []
    this.#partBytes = 0
    return { ...item, bytes }
  }

  #enqueue(
    entries: readonly WireEntry[],
    filled: readonly CollectionId[],
    byteLength: number,
  ): void {
    const changed = entries.length > 0 || filled.length > 0 || this.#cursor > this.#assigned()
    if (!changed) {
      this.#credit.release(byteLength)
      return
    }
    const last = this.#queue.at(-1)
    const ackOwed = entries.length > 0 || filled.length > 0
    if (last?.type === 'append' && this.#mayJoin(last, byteLength)) {
      last.entries.push(...entries)
      last.filled.push(...filled)
      last.cursor = this.#cursor
      last.bytes += byteLength
      last.ackOwed ||= ackOwed
      return
    }
    this.#queue.push({
      type: 'append',
      entries: [...entries],
      cursor: this.#cursor,
      bytes: byteLength,
      filled: [...filled],
      ackOwed,
    })
  }

  #mayJoin(work: AppendWork, byteLength: number): boolean {
    const bytesMax = Math.min(this.#bytesMax, APPEND_BYTES_TARGET)
    return work.bytes + byteLength <= bytesMax && work.entries.length < APPEND_ENTRIES_TARGET
  }

  /** The newest cursor that some append carries, or that is durable already. */
  #assigned(): Position {
    const last = this.#queue.findLast((work) => work.type === 'append')
    return last?.type === 'append' ? last.cursor : this.#handed
  }

  /** The peer says in passing that its log holds nothing for us up to here. It needs no append. */
  handleUpTo(upTo: Position): boolean {
    if (this.#gap || upTo <= this.#cursor) return false
    this.#cursor = upTo
    const last = this.#queue.findLast((work) => work.type === 'append')
    if (last?.type === 'append') last.cursor = upTo
    else {
      const flying = this.#inFlight.at(-1)
      if (flying === undefined) this.#durable = upTo
      else flying.work.cursor = upTo
      this.#handed = upTo
    }
    return true
  }

  /** A check takes its place behind the entries that it speaks of. A newer one replaces it. */
  handleCheck(check: CheckFrame): void {
    const older = this.#queue.findIndex((work) => work.type === 'verify')
    if (older >= 0) this.#queue.splice(older, 1)
    this.#queue.push({ type: 'verify', check })
  }

  /** What to hand to the driver next. For an append, `handed` must follow. */
  next(): AppendWork | VerifyWork | undefined {
    const work = this.#queue[0]
    if (work === undefined) return undefined
    if (work.type === 'append' && this.#inFlight.length >= this.#appendsMax) return undefined
    return this.#queue.shift()
  }

  handed(token: number, work: AppendWork): void {
    this.#inFlight.push({ token, work, durable: false })
    this.#handed = work.cursor
  }

  /** An append is durable. undefined when the token is none of ours. */
  handleAppended(token: number): AppendWork | undefined {
    const found = this.#inFlight.find((flying) => flying.token === token && !flying.durable)
    if (found === undefined) return undefined
    found.durable = true
    this.#credit.release(found.work.bytes)
    // Answers may overtake each other; the cursor is durable only up to the first that is missing.
    while (this.#inFlight[0]?.durable === true) {
      this.#durable = this.#inFlight[0].work.cursor
      this.#inFlight.shift()
    }
    return found.work
  }
}

const OVERDRAWN: Violation = {
  code: 'PROTOCOL_LIMIT_EXCEEDED',
  message: 'EVENTS: more bytes than were granted',
}
