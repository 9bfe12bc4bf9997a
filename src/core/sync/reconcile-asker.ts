import { compareUtf8 } from '../bytes.ts'
import type { CollectionId, DocumentId } from '../ids.ts'
import { SparseMap } from '../sparse-collections.ts'
import type { Violation } from './field-reader.ts'
import {
  ENTRIES_ASKED_MAX,
  QUESTIONS_MAX,
  QUESTIONS_OPEN_MAX,
  RANGE_DEPTH_MAX,
  RANGE_SPLITS_MAX,
  RANGES_ASKED_MAX,
  RANGES_WAITING_MAX,
  RECONCILE_FRAME_BYTES,
} from './limits.ts'
import type {
  AskEntriesFrame,
  AskRangesFrame,
  RangeAnswer,
  RangeQuestion,
  TellEntriesFrame,
  TellRangesFrame,
} from './reconcile-frames.ts'
import type { Comparison, Delivery, ReconcileResult, ReconcileStep } from './reconcile-steps.ts'

/** What an asker has to say or to find out next. */
export type AskerWork =
  | { readonly type: 'step'; readonly step: ReconcileStep }
  | { readonly type: 'frame'; readonly frame: AskRangesFrame | AskEntriesFrame }

type Open =
  | { readonly type: 'ranges'; readonly ranges: readonly RangeQuestion[] }
  | {
      readonly type: 'entries'
      readonly collection: CollectionId
      readonly documents: ReadonlySet<DocumentId>
      told: boolean
      delivered: boolean
    }

/**
 * Finds where the peer's documents differ from ours, by asking: first about whole collections, then about
 * the parts that differ, down to documents and their entries.
 *
 * Depth first, with a few questions open at once, so that what waits here stays small however much
 * differs. One thing at a time is asked of our own log.
 */
export class ReconcileAsker {
  readonly #waiting: RangeQuestion[] = []
  #comparisons: Comparison[] = []
  readonly #documents: SparseMap<CollectionId, DocumentId[]> = new SparseMap()
  readonly #open: SparseMap<number, Open> = new SparseMap()
  #begin: readonly CollectionId[] = []
  #stepping: ReconcileStep | undefined
  #numbers = 0
  #asked = 0
  /** Ranges of this run that were answered with parts, and what was found by it before this run. */
  #splits = 0
  #foundBefore = 0
  #runs = 0
  #differences = 0

  /** Nothing is left to ask, to compare, or to wait for. */
  get idle(): boolean {
    return (
      this.#stepping === undefined &&
      this.#begin.length === 0 &&
      this.#waiting.length === 0 &&
      this.#comparisons.length === 0 &&
      this.#documents.size === 0 &&
      this.#open.size === 0
    )
  }

  get runs(): number {
    return this.#runs
  }

  get questions(): number {
    return this.#numbers
  }

  get differences(): number {
    return this.#differences
  }

  /** Compares these collections as well. */
  begin(collections: readonly CollectionId[]): void {
    if (this.idle) {
      this.#runs += 1
      this.#asked = 0
      this.#splits = 0
      this.#foundBefore = this.#differences
    }
    this.#begin = [...new Set([...this.#begin, ...collections])]
  }

  /** It asked so much, or has so much to ask, that the answers cannot be honest. */
  get endless(): boolean {
    const found = this.#differences - this.#foundBefore
    const splitsMax = RANGE_SPLITS_MAX + found * RANGE_DEPTH_MAX
    if (this.#splits > splitsMax) return true
    return this.#asked > QUESTIONS_MAX || this.#waiting.length > RANGES_WAITING_MAX
  }

  /** What to do now; undefined when there is nothing to do or to wait for an answer. */
  next(): AskerWork | undefined {
    if (this.#stepping !== undefined) return undefined
    const step = this.#nextStep()
    if (step !== undefined) {
      this.#stepping = step
      return { type: 'step', step }
    }
    if (this.#waiting.length === 0 || this.#open.size >= QUESTIONS_OPEN_MAX) return undefined
    const ranges = this.#waiting.splice(Math.max(0, this.#waiting.length - RANGES_ASKED_MAX))
    const question = this.#number({ type: 'ranges', ranges })
    return { type: 'frame', frame: { type: 'ask-ranges', question, ranges } }
  }

  #nextStep(): ReconcileStep | undefined {
    if (this.#begin.length > 0) {
      const collections = this.#begin
      this.#begin = []
      return { type: 'begin', collections }
    }
    if (this.#comparisons.length > 0) {
      const compares = this.#comparisons
      this.#comparisons = []
      return { type: 'compare', compares }
    }
    if (this.#open.size >= QUESTIONS_OPEN_MAX) return undefined
    const isLast = this.#waiting.length === 0 && !this.#awaitsRanges
    for (const [collection, all] of this.#documents) {
      if (all.length < ENTRIES_ASKED_MAX && !isLast) continue
      const documents = all.slice(0, ENTRIES_ASKED_MAX)
      return { type: 'states', collection, documents, bytesMax: RECONCILE_FRAME_BYTES }
    }
    return undefined
  }

  get #awaitsRanges(): boolean {
    for (const open of this.#open.values()) if (open.type === 'ranges') return true
    return false
  }

  #number(open: Open): number {
    this.#numbers += 1
    this.#asked += 1
    this.#open.set(this.#numbers, open)
    return this.#numbers
  }

  /** What our log said. Returns the question that follows, if there is one. */
  handleStep(result: ReconcileResult): AskEntriesFrame | undefined {
    const step = this.#stepping
    this.#stepping = undefined
    if (result.type === 'begin') this.#wait(result.ranges)
    if (result.type === 'compare') {
      this.#wait(result.ranges)
      this.#comparisons.push(...result.rest)
      this.#differences += result.differences.length
      for (const { collection, document } of result.differences) {
        const documents = this.#documents.get(collection)
        if (documents === undefined) this.#documents.set(collection, [document])
        else documents.push(document)
      }
    }
    if (result.type !== 'states' || step?.type !== 'states') return undefined
    const { collection } = step
    const { documents } = result
    const left = this.#documents.get(collection)?.slice(result.taken) ?? []
    if (left.length === 0) this.#documents.delete(collection)
    else this.#documents.set(collection, left)
    if (documents.length === 0) return undefined
    const names = new Set(documents.map(({ document }) => document))
    const question = this.#number({
      ...{ type: 'entries', collection, documents: names },
      ...{ told: false, delivered: false },
    })
    return { type: 'ask-entries', question, collection, documents }
  }

  /** The first range is to be asked about first. */
  #wait(ranges: readonly RangeQuestion[]): void {
    this.#waiting.push(...ranges.toReversed())
  }

  handleRanges({ question, answers }: TellRangesFrame): Violation | undefined {
    const open = this.#open.get(question)
    if (open?.type !== 'ranges') return unasked('TELL_RANGES')
    if (answers.length > open.ranges.length) {
      return { code: 'PROTOCOL_REMOTE', message: 'TELL_RANGES: answers more than was asked' }
    }
    this.#open.delete(question)
    this.#wait(open.ranges.slice(answers.length))
    for (const [index, range] of open.ranges.entries()) {
      const answer = answers[index]
      if (answer === undefined) break
      if (!fits(range, answer)) {
        return { code: 'PROTOCOL_REMOTE', message: 'TELL_RANGES: answers is not of the range' }
      }
      if (answer.kind === 'parts') {
        this.#splits += 1
        if ((range.depth ?? 0) >= RANGE_DEPTH_MAX) return TOO_DEEP
      }
      if (answer.kind !== 'equal') this.#comparisons.push({ range, answer })
    }
    return undefined
  }

  /** What the peer lacks of the documents that we asked about. */
  handleWants({ question, follows, wants }: TellEntriesFrame): readonly Delivery[] | Violation {
    const open = this.#open.get(question)
    if (open?.type !== 'entries' || open.told) return unasked('TELL_ENTRIES')
    open.told = true
    open.delivered ||= !follows
    this.#settle(question, open)
    const { collection, documents } = open
    const named = new Set<DocumentId>()
    for (const { document } of wants) {
      if (!documents.has(document) || named.has(document)) {
        return { code: 'PROTOCOL_REMOTE', message: 'TELL_ENTRIES: wants what was not asked about' }
      }
      named.add(document)
    }
    return wants.map(({ document, whole, names }) => ({ document, collection, whole, names }))
  }

  /** Entries for one of our questions came. False when it was none of ours. */
  handleDelivered(question: number, final: boolean): boolean {
    const open = this.#open.get(question)
    if (open?.type !== 'entries' || open.delivered) return false
    open.delivered = final
    this.#settle(question, open)
    return true
  }

  #settle(question: number, open: Extract<Open, { type: 'entries' }>): void {
    if (open.told && open.delivered) this.#open.delete(question)
  }
}

const TOO_DEEP: Violation = {
  code: 'PROTOCOL_LIMIT_EXCEEDED',
  message: 'TELL_RANGES: answers split a range too often',
}

/** Whether an answer speaks of the range that was asked about, and of all of it. */
function fits(range: RangeQuestion, answer: RangeAnswer): boolean {
  if (answer.kind === 'equal') return range.fingerprint !== undefined
  if (answer.kind === 'parts') {
    const first = answer.parts[0]?.to
    const last = answer.parts.at(-1)
    if (last?.to !== range.to || answer.parts.length < 2) return false
    return first !== undefined && compareUtf8(range.from, first) < 0
  }
  const first = answer.documents[0]?.document
  const last = answer.documents.at(-1)?.document
  if (first === undefined || last === undefined) return true
  const inside = range.to === undefined || compareUtf8(last, range.to) < 0
  return inside && compareUtf8(range.from, first) <= 0
}

function unasked(frame: string): Violation {
  return { code: 'PROTOCOL_REMOTE', message: `${frame}: question is not open` }
}
