import type { DigestAnswer } from './io.ts'
import type { CheckFrame } from './message.ts'

/** What to do after a comparison of digests. */
export type CheckVerdict = 'agreed' | 'check-again' | 'reconcile' | 'diverged'

/**
 * Whether both logs hold the same events: the comparison of digests, and what follows from it.
 *
 * A check passes through wanted -> asked (our driver computes) -> ready (what it covers is being sent)
 * -> sent. A mismatch may only mean that something was under way, so the one who saw it checks again
 * when it is quiet; a second one makes its receiver look for what differs.
 */
export class AgreementCheck {
  #wanted: number | undefined
  #token: number | undefined
  #attempt = 0
  #answer: DigestAnswer | undefined
  #agreed = false

  /** The attempt that should start as soon as it can. */
  get wanted(): number | undefined {
    return this.#wanted
  }

  /** Our driver is computing: nothing of our log is read meanwhile, so that nothing overtakes it. */
  get asked(): boolean {
    return this.#token !== undefined
  }

  /** The digest that goes out when everything that it covers has been sent. */
  get ready(): DigestAnswer | undefined {
    return this.#answer
  }

  /** The last comparison at our side found both equal. */
  get agreed(): boolean {
    return this.#agreed
  }

  want(attempt: number): void {
    this.#wanted = attempt
  }

  ask(token: number): void {
    this.#attempt = this.#wanted ?? 0
    this.#wanted = undefined
    this.#token = token
  }

  /** False when nobody asked (any more). */
  handleDigest(token: number, answer: DigestAnswer): boolean {
    if (token !== this.#token) return false
    this.#token = undefined
    this.#answer = answer
    return true
  }

  take(answer: DigestAnswer): CheckFrame {
    this.#answer = undefined
    const { digest, head, cursor } = answer
    return { type: 'check', attempt: this.#attempt, digest, ours: head, theirs: cursor }
  }

  handleVerified(check: CheckFrame, equal: boolean): CheckVerdict {
    this.#agreed = equal
    if (equal) return 'agreed'
    if (check.attempt === 0 || check.attempt === 2) return 'check-again'
    return check.attempt === 1 ? 'reconcile' : 'diverged'
  }
}
