/**
 * Bytes of events that may be here and not yet durable, of all peers together. The log takes about as
 * much at once; more would only make memory of what can wait in the network.
 */
const INTAKE_BYTES_MAX = 1 << 20

/**
 * Lets the links of a replica read in turn while the log is busy: one message each, in the order in
 * which they asked. While it is not, nobody waits.
 */
export class Intake {
  readonly #bytesMax: number
  #bytes = 0
  #waiting: (() => void)[] = []
  #isWaking = false

  constructor(bytesMax: number = INTAKE_BYTES_MAX) {
    this.#bytesMax = bytesMax
  }

  /** How many bytes are held by links. */
  get bytes(): number {
    return this.#bytes
  }

  /** A link holds so many bytes more, or less, than before. */
  add(bytes: number): void {
    this.#bytes += bytes
    if (bytes < 0) this.#wake()
  }

  /** Resolves when the next message may be read; undefined when that is now. */
  turn(): Promise<void> | undefined {
    if (this.#bytes < this.#bytesMax && this.#waiting.length === 0) return undefined
    const turn = new Promise<void>((resolve) => {
      this.#waiting.push(resolve)
    })
    this.#wake()
    return turn
  }

  #wake(): void {
    if (this.#isWaking || this.#bytes >= this.#bytesMax) return
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#isWaking = true
    next()
    // After the one that was woken has read: what it read counts by then.
    queueMicrotask(() => {
      this.#isWaking = false
      this.#wake()
    })
  }
}

/** What one link holds of what all may. */
export class IntakeShare {
  readonly #intake: Intake
  #bytes = 0

  constructor(intake: Intake) {
    this.#intake = intake
  }

  /** How many bytes the link holds now. */
  set(bytes: number): void {
    if (bytes === this.#bytes) return
    const more = bytes - this.#bytes
    this.#bytes = bytes
    this.#intake.add(more)
  }
}
