/**
 * What was asked for last, up to a size. Two generations: when the young one is full, the old one is dropped and
 * the young one becomes the old one; what is asked for meanwhile moves up.
 */
export class TwoGenerations<Key, Value> {
  readonly #sizeMax: number
  readonly #sizeOf: (key: Key) => number
  #young = new Map<Key, Value>()
  #old = new Map<Key, Value>()
  #youngSize = 0

  /** @param sizeMax how much a generation holds, so that twice as much is kept at most. */
  constructor(sizeMax: number, sizeOf: (key: Key) => number) {
    this.#sizeMax = sizeMax
    this.#sizeOf = sizeOf
  }

  /** What is kept under a key. */
  get(key: Key): Value | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.put(key, old)
    return old
  }

  /** Keeps something under a key that has nothing among the young. */
  put(key: Key, value: Value): void {
    const size = this.#sizeOf(key)
    if (this.#youngSize + size > this.#sizeMax) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngSize = 0
    }
    this.#young.set(key, value)
    this.#youngSize += size
  }

  /** Forgets a key. */
  drop(key: Key): void {
    if (this.#young.delete(key)) this.#youngSize -= this.#sizeOf(key)
    this.#old.delete(key)
  }
}
