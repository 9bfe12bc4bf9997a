/** Runs work of one key in the order of the calls, never two at once; different keys do not wait. */
export class KeyedLock {
  readonly #last = new Map<string, Promise<unknown>>()

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key)
    const mine = (async (): Promise<T> => {
      // Whoever waits on the one before hears of its failure; this one has nothing to do with it.
      await before?.catch(() => undefined)
      return await work()
    })()
    this.#last.set(key, mine)
    try {
      return await mine
    } finally {
      if (this.#last.get(key) === mine) this.#last.delete(key)
    }
  }
}
