/** Waits for editions that each of many subscribers has to get, and says when the last one had it. */
export class Editions {
  readonly #subscribers: number
  readonly #seen = new Map<number, number>()
  #waiting: { readonly edition: number; readonly resolve: (atMs: number) => void } | undefined
  #lastAtMs = 0

  constructor(subscribers: number) {
    this.#subscribers = subscribers
  }

  /** The moment at which the last subscriber has this edition; it may have it already. */
  wait(edition: number): Promise<number> {
    return new Promise((resolve) => {
      this.#waiting = { edition, resolve }
      this.#look()
    })
  }

  /** One subscriber has an edition. Nobody has the next one before everybody has this one. */
  has(edition: number, atMs: number): void {
    this.#seen.set(edition, (this.#seen.get(edition) ?? 0) + 1)
    this.#lastAtMs = atMs
    this.#look()
  }

  #look(): void {
    const waiting = this.#waiting
    if (waiting === undefined || this.#seen.get(waiting.edition) !== this.#subscribers) return
    this.#waiting = undefined
    waiting.resolve(this.#lastAtMs)
  }
}

/** How many clients connect at once while a row is set up. */
const CONNECTS_AT_ONCE = 50

/** Sets up many clients, some at a time. */
export async function setUp(count: number, one: (index: number) => Promise<void>): Promise<void> {
  for (let begin = 0; begin < count; begin += CONNECTS_AT_ONCE) {
    const some = Math.min(CONNECTS_AT_ONCE, count - begin)
    await Promise.all(Array.from({ length: some }, (_, index) => one(begin + index)))
  }
}
