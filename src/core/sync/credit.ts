/** What we may still send: the peer grants a total, we count what we used of it. */
export class SendCredit {
  #granted: number
  #used = 0

  constructor(granted: number) {
    this.#granted = granted
  }

  get available(): number {
    return Math.max(0, this.#granted - this.#used)
  }

  use(bytes: number): void {
    this.#used += bytes
  }

  /** Raises the total. A lower one is old news. */
  grant(total: number): void {
    this.#granted = Math.max(this.#granted, total)
  }
}

/** What the peer may still send: a window that moves on as bytes are used up here. */
export class ReceiveCredit {
  readonly #windowBytes: number
  #told: number
  #received = 0
  #released = 0

  /** @param told what the peer was granted at the start. */
  constructor(windowBytes: number, told: number) {
    this.#windowBytes = windowBytes
    this.#told = told
  }

  /** Counts bytes that came. False when the peer was not granted them. */
  receive(bytes: number): boolean {
    this.#received += bytes
    return this.#received <= this.#told
  }

  /** Bytes that no longer take memory here. */
  release(bytes: number): void {
    this.#released += bytes
  }

  /** Bytes that came and still take memory here. */
  get held(): number {
    return this.#received - this.#released
  }

  /** Whether the peer should hear of new credit even when there is nothing else to say. */
  get owed(): boolean {
    return this.#total() - this.#told >= this.#windowBytes / 4
  }

  /** The total to tell the peer now. */
  tell(): number {
    this.#told = Math.max(this.#told, this.#total())
    return this.#told
  }

  #total(): number {
    return this.#released + this.#windowBytes
  }
}
