import type { CollectionId } from '../ids.ts'
import type { ExchangeHost } from './exchange-host.ts'
import type { Violation } from './field-reader.ts'
import { RECONCILIATIONS_MAX } from './limits.ts'
import type { LogSender } from './log-sender.ts'
import { ReconcileAnswerer } from './reconcile-answerer.ts'
import { ReconcileAsker } from './reconcile-asker.ts'
import type { ReconcileFrame } from './reconcile-frames.ts'
import type { ReconcileProgress, ReconcileResult } from './reconcile-steps.ts'

/**
 * Both halves of finding where two logs differ: our questions and the answers to the peer's.
 *
 * Either side may ask. What is found goes out through the {@link LogSender}, under credit.
 */
export class Reconciliation {
  readonly #host: ExchangeHost
  readonly #sender: LogSender
  readonly #asker = new ReconcileAsker()
  readonly #answerer = new ReconcileAnswerer()
  #askerToken: number | undefined
  #answererToken: number | undefined
  /** The check that proves what our questions led to. */
  #proof: number | undefined
  #shared: ReadonlySet<CollectionId> = new Set()
  #mismatches = 0

  constructor(host: ExchangeHost, sender: LogSender) {
    this.#host = host
    this.#sender = sender
  }

  get progress(): ReconcileProgress {
    const { runs, questions, differences } = this.#asker
    return { runs, questions, differences, running: this.asking }
  }

  /** Questions of ours are open, or about to be asked. */
  get asking(): boolean {
    return !this.#asker.idle
  }

  /** Questions of either side are open. */
  get quiet(): boolean {
    return this.#asker.idle && this.#answerer.idle
  }

  get dueMs(): number | undefined {
    return this.#answerer.dueMs
  }

  share(collections: readonly CollectionId[]): void {
    this.#shared = new Set(collections)
  }

  /** Looks for what differs in these collections; then the check `proof` is wanted. */
  begin(collections: readonly CollectionId[], proof: number): void {
    const asked = collections.filter((collection) => this.#shared.has(collection))
    if (asked.length === 0) return
    this.#asker.begin(asked)
    this.#proof = Math.max(this.#proof ?? 0, proof)
  }

  /** Digests differed when all was quiet. False when that has happened too often. */
  mismatch(): boolean {
    this.#mismatches += 1
    if (this.#mismatches > RECONCILIATIONS_MAX) return false
    this.begin([...this.#shared], 2)
    return true
  }

  /** The check that is due now that nothing is left to ask. Given once. */
  takeProof(): number | undefined {
    if (this.asking) return undefined
    const proof = this.#proof
    this.#proof = undefined
    return proof
  }

  /** What the asker asks does not come to an end. */
  get endless(): boolean {
    return this.#asker.endless
  }

  advance(nowMs: number): void {
    if (this.#answererToken === undefined) {
      const step = this.#answerer.next(nowMs)
      if (step !== undefined) {
        this.#answererToken = this.#host.token()
        this.#host.emit({ type: 'reconcile', token: this.#answererToken, step })
      }
    }
    for (let work = this.#asker.next(); work !== undefined; work = this.#asker.next()) {
      if (work.type === 'frame') this.#host.control(work.frame)
      else {
        this.#askerToken = this.#host.token()
        this.#host.emit({ type: 'reconcile', token: this.#askerToken, step: work.step })
      }
    }
  }

  handleStep(token: number, result: ReconcileResult): void {
    if (token === this.#askerToken) {
      this.#askerToken = undefined
      const frame = this.#asker.handleStep(result)
      if (frame !== undefined) this.#host.control(frame)
      if (result.type === 'states' && result.leaves.length > 0)
        this.#sender.deliver(0, result.leaves, () => undefined)
    } else if (token === this.#answererToken) {
      this.#answererToken = undefined
      const answered = this.#answerer.handleStep(result)
      if (answered === undefined) return
      const { frame, deliveries } = answered
      this.#host.control(frame)
      const { question } = frame
      if (deliveries.length > 0)
        this.#sender.deliver(question, deliveries, () => this.#answerer.delivered(question))
    }
  }

  handleFrame(frame: ReconcileFrame): Violation | undefined {
    switch (frame.type) {
      case 'ask-ranges':
      case 'ask-entries': {
        const asked = frame.type === 'ask-ranges' ? frame.ranges : [frame]
        if (!asked.every(({ collection }) => this.#shared.has(collection))) {
          const message = `${frame.type}: names a collection that is not shared`
          return { code: 'PROTOCOL_REMOTE', message }
        }
        return this.#answerer.ask(frame)
      }
      case 'tell-ranges':
        return this.#asker.handleRanges(frame)
      case 'tell-entries': {
        const wants = this.#asker.handleWants(frame)
        if ('code' in wants) return wants
        if (wants.length > 0) this.#sender.deliver(0, wants, () => undefined)
        return undefined
      }
    }
  }

  /** Entries outside the run of the peer's log came. */
  handleAnswer(question: number, final: boolean): Violation | undefined {
    if (question === 0 || this.#asker.handleDelivered(question, final)) return undefined
    return { code: 'PROTOCOL_REMOTE', message: 'EVENTS: answers a question that is not open' }
  }
}
