import { SparseSet } from '../sparse-collections.ts'
import type { Violation } from './field-reader.ts'
import {
  ANSWER_COST_BURST,
  ANSWER_COST_PER_SECOND,
  QUESTIONS_OPEN_MAX,
  RECONCILE_FRAME_BYTES,
} from './limits.ts'
import type {
  AskEntriesFrame,
  AskRangesFrame,
  TellEntriesFrame,
  TellRangesFrame,
} from './reconcile-frames.ts'
import type { Delivery, ReconcileResult, ReconcileStep } from './reconcile-steps.ts'

type Question = AskRangesFrame | AskEntriesFrame

/** What an answerer has to say, and to send. */
export interface Answered {
  readonly frame: TellRangesFrame | TellEntriesFrame
  readonly deliveries: readonly Delivery[]
}

/**
 * Answers the peer's questions, in their order and one at a time.
 *
 * What a question costs to answer is paid from an allowance that grows with time: a peer that asks for
 * more than an honest one needs waits for its answers.
 */
export class ReconcileAnswerer {
  readonly #questions: Question[] = []
  #answering: Question | undefined
  /** Questions about entries of which not everything was sent. */
  readonly #delivering: SparseSet<number> = new SparseSet()
  #allowance = ANSWER_COST_BURST
  #countedMs: number | undefined

  /** Nothing was asked that is not answered in full. */
  get idle(): boolean {
    return this.#open === 0
  }

  get #open(): number {
    return this.#questions.length + this.#delivering.size + (this.#answering === undefined ? 0 : 1)
  }

  ask(question: Question): Violation | undefined {
    if (this.#open >= QUESTIONS_OPEN_MAX) {
      return { code: 'PROTOCOL_LIMIT_EXCEEDED', message: 'ASK: too many questions are open' }
    }
    if (this.#delivering.has(question.question)) {
      return { code: 'PROTOCOL_REMOTE', message: 'ASK: question is open' }
    }
    this.#questions.push(question)
    return undefined
  }

  /** When the next question may be answered; undefined when none waits for the time. */
  get dueMs(): number | undefined {
    if (this.#questions.length === 0 || this.#answering !== undefined) return undefined
    if (this.#allowance > 0 || this.#countedMs === undefined) return undefined
    return this.#countedMs + Math.ceil(((1 - this.#allowance) * 1_000) / ANSWER_COST_PER_SECOND)
  }

  /** What to find out next. */
  next(nowMs: number): ReconcileStep | undefined {
    if (this.#answering !== undefined || this.#questions.length === 0) return undefined
    this.#earn(nowMs)
    if (this.#allowance <= 0) return undefined
    const question = this.#questions.shift()
    this.#answering = question
    if (question === undefined) return undefined
    if (question.type === 'ask-ranges') {
      return { type: 'ranges', ranges: question.ranges, bytesMax: RECONCILE_FRAME_BYTES }
    }
    const { collection, documents } = question
    return { type: 'entries', collection, documents }
  }

  #earn(nowMs: number): void {
    const since = nowMs - (this.#countedMs ?? nowMs)
    this.#countedMs = nowMs
    const earned = this.#allowance + (since * ANSWER_COST_PER_SECOND) / 1_000
    this.#allowance = Math.min(ANSWER_COST_BURST, earned)
  }

  handleStep(result: ReconcileResult): Answered | undefined {
    const question = this.#answering
    this.#answering = undefined
    if (question?.type === 'ask-ranges' && result.type === 'ranges') {
      this.#allowance -= result.cost + question.ranges.length
      const { answers } = result
      const frame = { type: 'tell-ranges', question: question.question, answers } as const
      return { frame, deliveries: [] }
    }
    if (question?.type !== 'ask-entries' || result.type !== 'entries') return undefined
    this.#allowance -= result.cost + question.documents.length
    const { wants, deliveries } = result
    const follows = deliveries.length > 0
    if (follows) this.#delivering.add(question.question)
    const frame = { type: 'tell-entries', question: question.question, follows, wants } as const
    return { frame, deliveries }
  }

  /** Everything that a question asked for is in frames. */
  delivered(question: number): void {
    this.#delivering.delete(question)
  }
}
