import type { ObjectRow } from '../objects/types.ts'

/** How many rows are converted at once, and how many bytes of them, for one watch. */
const BATCH_ROWS_MAX = 128
const BATCH_BYTES_MAX = 1024 * 1024

/** What is told once some rows are converted. */
export interface ConversionStep {
  /** As they are kept; none where there is only something to say. */
  readonly rows: readonly ObjectRow[]
  /** @param rows the same, converted. */
  readonly tell: (rows: readonly ObjectRow[]) => void
}

/** What a {@link ConversionQueue} works with. */
export interface ConversionQueueOptions {
  /** Rows in the version of the watch. */
  readonly convert: (rows: readonly ObjectRow[]) => Promise<readonly ObjectRow[]>
  /** Whether what is told can be taken now. */
  readonly hasRoom: () => boolean
  /** Told once, when something cannot be converted: nothing more comes then. */
  readonly fail: (error: unknown) => void
  /** How many rows may wait beside those that there were at the start, and how many bytes of them. */
  readonly rowsMax: number
  readonly bytesMax: number
}

/**
 * What a watch has to tell of objects that are still to be converted: in order, one batch at a time. While one
 * is under way, and while the reader is behind, what comes waits for the next.
 */
export class ConversionQueue {
  readonly #options: ConversionQueueOptions
  #state: readonly ObjectRow[] = []
  /** The first of `#state` that is not converted. */
  #next = 0
  #tellState: (row: ObjectRow) => void = () => undefined
  #steps: ConversionStep[] = []
  #rows = 0
  #bytes = 0
  #isBusy = false
  #isClosed = false

  constructor(options: ConversionQueueOptions) {
    this.#options = options
  }

  /** Whether nothing waits. */
  get isIdle(): boolean {
    return !this.#isBusy && this.#next >= this.#state.length && this.#steps.length === 0
  }

  /** Takes what there is at the start, to be told before everything else. */
  begin(rows: readonly ObjectRow[], tell: (row: ObjectRow) => void): void {
    this.#state = rows
    this.#tellState = tell
    this.resume()
  }

  /** @returns whether it could be taken: false when too much waits. */
  add(step: ConversionStep): boolean {
    if (this.#isClosed) return true
    this.#steps.push(step)
    this.#rows += step.rows.length
    this.#bytes += bytesOf(step.rows)
    if (this.#rows > this.#options.rowsMax || this.#bytes > this.#options.bytesMax) return false
    this.resume()
    return true
  }

  /** Goes on, where it waited for room. */
  resume(): void {
    if (this.#isBusy || this.#isClosed || this.isIdle) return
    this.#isBusy = true
    this.#run().catch((error: unknown) => {
      if (this.#isClosed) return
      this.close()
      this.#options.fail(error)
    })
  }

  /** Forgets what waits. */
  close(): void {
    this.#isClosed = true
    this.#state = []
    this.#steps = []
  }

  async #run(): Promise<void> {
    while (!this.#isClosed && this.#options.hasRoom()) {
      const steps = this.#take()
      if (steps.length === 0) break
      const rows = steps.flatMap((step) => step.rows)
      const converted = rows.length === 0 ? [] : await this.#options.convert(rows)
      let start = 0
      for (const step of steps) {
        if (this.#isClosed) return
        step.tell(converted.slice(start, start + step.rows.length))
        start += step.rows.length
      }
    }
    this.#isBusy = false
  }

  /** The next steps, as many as one batch takes. */
  #take(): readonly ConversionStep[] {
    const steps: ConversionStep[] = []
    let rows = 0
    let bytes = 0
    const isFull = (): boolean => rows >= BATCH_ROWS_MAX || bytes >= BATCH_BYTES_MAX
    for (; this.#next < this.#state.length && !isFull(); this.#next++) {
      const row = this.#state[this.#next]
      if (row === undefined) continue
      steps.push({ rows: [row], tell: ([one]) => one !== undefined && this.#tellState(one) })
      rows += 1
      bytes += row.size
    }
    if (this.#next < this.#state.length) return steps
    this.#state = []
    this.#next = 0
    let count = 0
    for (const step of this.#steps) {
      if (isFull()) break
      steps.push(step)
      rows += step.rows.length
      bytes += bytesOf(step.rows)
      this.#rows -= step.rows.length
      this.#bytes -= bytesOf(step.rows)
      count += 1
    }
    this.#steps.splice(0, count)
    return steps
  }
}

function bytesOf(rows: readonly ObjectRow[]): number {
  return rows.reduce((sum, row) => sum + row.size, 0)
}
