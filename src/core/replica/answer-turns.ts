/**
 * Peers that are being answered at once. Each is some 100 KB of work for the allocator: with so many at once
 * what they leave is collected while it is young, and one append still stores what all of them brought.
 */
const ANSWERS_MAX = 128

/** A first message beyond this does not wait: it is more than an honest one, and is to be judged, not kept. */
const WAITING_BYTES_MAX = 128 * 1024

/**
 * Lets peers that come in be answered in turn: from their first message to our first.
 *
 * Who waits is a link and one message. How many wait is bounded by who lets connections in, and how long by
 * the deadline of their handshake.
 */
export class AnswerTurns {
  readonly #atOnceMax: number
  #atOnce = 0
  readonly #waiting: Turn[] = []

  constructor(atOnceMax: number = ANSWERS_MAX) {
    this.#atOnceMax = atOnceMax
  }

  /** How many are being answered now. */
  get atOnce(): number {
    return this.#atOnce
  }

  /** The turn of one connection. */
  turn(): Turn {
    return new Turn(this)
  }

  /** For a turn. @returns whether it begins now; otherwise it is called when it does. */
  take(turn: Turn): boolean {
    if (this.#atOnce < this.#atOnceMax) {
      this.#atOnce += 1
      return true
    }
    this.#waiting.push(turn)
    return false
  }

  /** For a turn that had begun: the next one begins. */
  give(): void {
    this.#atOnce -= 1
    while (this.#atOnce < this.#atOnceMax) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      if (next.begun()) this.#atOnce += 1
    }
  }
}

/** When one connection is answered. */
export class Turn {
  readonly #turns: AnswerTurns
  #state: 'ahead' | 'waiting' | 'begun' | 'over' = 'ahead'
  #wake: () => void = () => undefined

  constructor(turns: AnswerTurns) {
    this.#turns = turns
  }

  /** The first message is here. Resolves when it is to be read; undefined when that is now. */
  begin(message: Uint8Array): Promise<void> | undefined {
    if (this.#state !== 'ahead') return undefined
    if (message.length > WAITING_BYTES_MAX) {
      this.#state = 'over'
      return undefined
    }
    this.#state = 'waiting'
    if (this.#turns.take(this)) {
      this.#state = 'begun'
      return undefined
    }
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }

  /** For the turns. @returns whether the connection still needs it. */
  begun(): boolean {
    if (this.#state !== 'waiting') return false
    this.#state = 'begun'
    this.#wake()
    return true
  }

  /** The connection was answered, or is over. Idempotent. */
  end(): void {
    const state = this.#state
    this.#state = 'over'
    if (state === 'begun') this.#turns.give()
    this.#wake()
  }
}
