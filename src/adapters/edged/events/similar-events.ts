import { aggregationKey, type Occurrence } from './event-record.ts'

/** So many messages of one reason are told each by itself; the rest together (client-go). */
const MESSAGES_MAX = 10
/** Silence of this long makes a reason new again. */
const FORGOTTEN_MS = 600_000
/** Reasons that are remembered; the one that was told longest ago goes first. */
const REASONS_MAX = 500

/** An occurrence as it is to be told. */
export interface Told {
  readonly occurrence: Occurrence
  /** What makes it the same event as another, to be counted. */
  readonly key: string
}

/** Keeps what is told of one thing again and again, each time in other words, from becoming many events. */
export class SimilarEvents {
  readonly #reasons = new Map<string, { readonly messages: Set<string>; lastMs: number }>()

  /** As kubelet tells it: by itself, or as one of the similar ones, whose message is the latest. */
  combine(occurrence: Occurrence, nowMs: number): Told {
    const { kind, uid, type, reason, message } = occurrence
    const similar = [kind, uid, type, reason].join('\0')
    const found = this.#reasons.get(similar)
    const isNew = found === undefined || nowMs - found.lastMs > FORGOTTEN_MS
    const messages = isNew ? new Set<string>() : found.messages
    messages.add(message)
    this.#reasons.delete(similar)
    this.#reasons.set(similar, { messages, lastMs: nowMs })
    const oldest = this.#reasons.keys().next()
    if (this.#reasons.size > REASONS_MAX && oldest.done !== true) this.#reasons.delete(oldest.value)
    if (messages.size < MESSAGES_MAX) return { occurrence, key: aggregationKey(occurrence) }
    messages.delete(message)
    const combined = `(combined from similar events): ${message}`
    return { occurrence: { ...occurrence, message: combined }, key: similar }
  }
}
