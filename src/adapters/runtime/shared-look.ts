/**
 * One costly look at the machine for everybody who wants it at the same time.
 *
 * What is given was looked at after it was asked for, never before: who asks while a look is under
 * way gets the next one, together with all others who came meanwhile. So two looks are under way or
 * waited for at most, however many ask.
 */
export class SharedLook<T> {
  readonly #look: () => Promise<T>
  #current: Promise<void> = Promise.resolve()
  #next: Promise<T> | undefined

  constructor(look: () => Promise<T>) {
    this.#look = look
  }

  /** @throws what the look throws, to everybody who shares it. */
  take(): Promise<T> {
    this.#next ??= this.#afterCurrent()
    return this.#next
  }

  async #afterCurrent(): Promise<T> {
    await this.#current
    this.#next = undefined
    const look = this.#look()
    // Not the look itself: what it found is nobody's once it was given.
    this.#current = look.then(nothing, nothing)
    return await look
  }
}

function nothing(): void {}
