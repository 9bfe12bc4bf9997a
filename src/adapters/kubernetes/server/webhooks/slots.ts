/** Lets so many in at once. The others wait, in order. */
export class Slots {
  #free: number
  readonly #waiting: Set<() => void> = new Set()

  constructor(count: number) {
    this.#free = count
  }

  /**
   * Does `work` when there is room for it.
   *
   * @throws what the signal says when it is over before that.
   */
  async use<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    await this.#enter(signal)
    try {
      return await work()
    } finally {
      this.#leave()
    }
  }

  async #enter(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#free > 0) {
      this.#free -= 1
      return
    }
    await new Promise<void>((resolve, reject) => {
      const give = (): void => {
        signal.removeEventListener('abort', giveUp)
        resolve()
      }
      const giveUp = (): void => {
        this.#waiting.delete(give)
        reject(signal.reason)
      }
      this.#waiting.add(give)
      signal.addEventListener('abort', giveUp, { once: true })
    })
  }

  #leave(): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free += 1
      return
    }
    this.#waiting.delete(next)
    next()
  }
}
