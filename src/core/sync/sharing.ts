import type { CollectionId } from '../ids.ts'
import { SparseMap, SparseSet } from '../sparse-collections.ts'
import type { Violation } from './field-reader.ts'
import type { Refusal } from './io.ts'
import { SHARED_MAX, SUBSCRIBES_MAX } from './limits.ts'

/** A decision about a SUBSCRIBE: every collection that was asked for is in one of the lists. */
export interface Decision {
  readonly granted: readonly CollectionId[]
  readonly refused: readonly Refusal[]
  /** Those of `granted` in which both sides hold documents. */
  readonly reconcile: readonly CollectionId[]
}

/** A decision of our driver. */
export interface Verdict {
  readonly granted: readonly CollectionId[]
  readonly refused: readonly Refusal[]
  /** Those of `granted` in which we hold documents. */
  readonly held: readonly CollectionId[]
}

interface Question {
  readonly collections: readonly CollectionId[]
  /** Those in which the peer holds documents. */
  readonly held: readonly CollectionId[]
}

/** Which collections this session shares, and the questions about more that are open on either side. */
export class Sharing {
  #granted: readonly CollectionId[] = []
  #refused: readonly Refusal[] = []
  /** What we asked for. */
  readonly #asked: SparseSet<CollectionId> = new SparseSet()
  /** What the peer asked for, by the token of the question to our driver. */
  readonly #deciding: SparseMap<number, Question> = new SparseMap()

  get granted(): readonly CollectionId[] {
    return this.#granted
  }

  get refused(): readonly Refusal[] {
    return this.#refused
  }

  start(decision: Pick<Decision, 'granted' | 'refused'>): void {
    this.#granted = decision.granted
    this.#refused = decision.refused
  }

  /** Those of `collections` that are neither shared nor asked for yet: they go into a SUBSCRIBE. */
  ask(collections: readonly CollectionId[]): readonly CollectionId[] {
    const added = collections.filter(
      (name) => !this.#granted.includes(name) && !this.#asked.has(name),
    )
    for (const name of added) this.#asked.add(name)
    return added
  }

  /** The peer asks. */
  asked(
    token: number,
    collections: readonly CollectionId[],
    held: readonly CollectionId[],
  ): Violation | undefined {
    if (this.#deciding.size >= SUBSCRIBES_MAX) {
      return { code: 'PROTOCOL_LIMIT_EXCEEDED', message: 'SUBSCRIBE: too many wait for a decision' }
    }
    if (this.#granted.length + collections.length > SHARED_MAX) {
      const message = `SUBSCRIBE: more than ${SHARED_MAX} collections`
      return { code: 'PROTOCOL_LIMIT_EXCEEDED', message }
    }
    this.#deciding.set(token, { collections, held })
    return undefined
  }

  /** Our driver decided; undefined when the token is none of ours. */
  decide(token: number, verdict: Verdict): Decision | undefined {
    const asked = this.#deciding.get(token)
    if (asked === undefined) return undefined
    this.#deciding.delete(token)
    const granted = asked.collections.filter((name) => verdict.granted.includes(name))
    const refused = asked.collections
      .filter((name) => !granted.includes(name))
      .map((name) => verdict.refused.find((r) => r.collection === name) ?? notShared(name))
    const both = new Set(verdict.held.filter((name) => asked.held.includes(name)))
    // What is shared already has its history under way, or behind it.
    const reconcile = granted.filter((name) => both.has(name) && !this.#granted.includes(name))
    return { granted, refused, reconcile }
  }

  /** The peer decided about what we asked for. */
  answered(decision: Decision): Violation | undefined {
    for (const name of [...decision.granted, ...decision.refused.map((r) => r.collection)]) {
      if (!this.#asked.delete(name)) {
        return {
          code: 'PROTOCOL_REMOTE',
          message: 'GRANT: names a collection that was not asked for',
        }
      }
    }
    return undefined
  }

  /** Adds to what is shared; returns what was not shared before. */
  extend(decision: Decision): readonly CollectionId[] {
    const added = decision.granted.filter((name) => !this.#granted.includes(name))
    const open = this.#refused.filter((r) => !decision.granted.includes(r.collection))
    this.#granted = [...this.#granted, ...added]
    this.#refused = [...open, ...decision.refused]
    return added
  }
}

/** The refusal when a driver gives no reason of its own. */
export function notShared(collection: CollectionId): Refusal {
  return { collection, code: 'ACCESS_DENIED', message: 'the collection is not shared with you' }
}
