import type { ReplicaId } from '../ids.ts'
import type { SessionOutput } from '../sync/io.ts'
import type { SyncSession } from '../sync/session.ts'
import { forgetDelivered } from './absent-events.ts'
import type { KeptEvents } from './kept-events.ts'
import { digestAnswer, digestMatches, type LinkView } from './link-digest.ts'
import { readFor } from './outgoing.ts'
import { reconcileStep } from './reconcile.ts'
import { DeliveryReader } from './reconcile-deliveries.ts'
import type { Repairs } from './repairs.ts'

/** What a session asks of the log. */
export type LogQuestion = Extract<
  SessionOutput,
  { readonly type: 'read' | 'deliver' | 'reconcile' | 'digest' | 'verify' }
>

/** Answers what one session asks of the log, by looking there. */
export class LogQuestions {
  readonly #session: SyncSession
  readonly #deliveries = new DeliveryReader()

  readonly #repairs: Repairs
  readonly #absent: KeptEvents

  /** @param absent what the peer refused as long as their document is not there. */
  constructor(session: SyncSession, repairs: Repairs, absent: KeptEvents) {
    this.#session = session
    this.#repairs = repairs
    this.#absent = absent
  }

  /**
   * Resolves to what gives the session its answer.
   *
   * @param expected who is expected to be the peer, while it is not known.
   */
  answer(
    view: LinkView,
    question: LogQuestion,
    expected: ReplicaId | undefined,
  ): Promise<(nowMs: number) => void> {
    return this.#repairs.retried(() => this.#answer(view, question, expected))
  }

  async #answer(
    view: LinkView,
    question: LogQuestion,
    expected: ReplicaId | undefined,
  ): Promise<(nowMs: number) => void> {
    const session = this.#session
    const { token } = question
    switch (question.type) {
      case 'read': {
        const page = await readFor(view.log, question, view.peer ?? expected)
        return (nowMs) => session.handleRead(token, page, nowMs)
      }
      case 'deliver': {
        const { deliveries, after, bytesMax } = question
        const page = await this.#deliveries.read(view, deliveries, after, bytesMax)
        return (nowMs) => session.handleDelivered(token, page, nowMs)
      }
      case 'reconcile': {
        const result = await reconcileStep(view, question.step)
        return (nowMs) => session.handleReconciled(token, result, nowMs)
      }
      case 'digest': {
        const digest = await digestAnswer(view)
        return (nowMs) => session.handleDigest(token, digest, nowMs)
      }
      case 'verify': {
        const equal = await digestMatches(view, question)
        if (equal) await forgetDelivered(this.#absent, view.log, question.ours)
        return (nowMs) => session.handleVerified(token, equal, nowMs)
      }
    }
  }
}
