/** Work that has to be done one after the other, by key. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>()

  /** Does `work` when everything that was asked for under `key` before is over. */
  async run<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(key) ?? Promise.resolve()
    const mine = before.then(work, work)
    this.#last.set(key, mine)
    try {
      return await mine
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key)
    }
  }

  /** Resolves when all that was asked for by now is over. Never rejects. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#last.values())
  }
}
