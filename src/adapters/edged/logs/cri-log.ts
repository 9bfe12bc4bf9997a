/** One entry of a log in CRI format. */
export interface LogEntry {
  /** As it stands in the file: RFC 3339 with nanoseconds, UTC. */
  readonly time: string
  /** The end of a line follows. False for all parts of a long line but the last. */
  readonly isFull: boolean
  readonly text: Uint8Array
}

const SPACE = 0x20

/** Reads one line of a log file, without its newline. @returns undefined when it is damaged. */
export function parseEntry(line: Uint8Array): LogEntry | undefined {
  const first = line.indexOf(SPACE)
  const second = line.indexOf(SPACE, first + 1)
  const third = line.indexOf(SPACE, second + 1)
  if (first < 0 || second < 0 || third < 0) return undefined
  const tag = Buffer.from(line.subarray(second + 1, third)).toString('latin1')
  if (tag !== 'F' && tag !== 'P') return undefined
  return {
    time: Buffer.from(line.subarray(0, first)).toString('latin1'),
    isFull: tag === 'F',
    text: line.subarray(third + 1),
  }
}

/** What of a log is wanted. */
export interface LogFilter {
  readonly timestamps: boolean
  /** Entries before this are left out, in milliseconds since the epoch. */
  readonly sinceMs: number | undefined
  /** No more than this many bytes come out. */
  readonly limitBytes: number | undefined
}

/** Turns entries into the text that `kubectl logs` shows, piece by piece. */
export class LogPrinter {
  readonly #filter: LogFilter
  #isLineStart = true
  #left: number

  constructor(filter: LogFilter) {
    this.#filter = filter
    this.#left = filter.limitBytes ?? Number.POSITIVE_INFINITY
  }

  /** Nothing more comes out. */
  get isFinished(): boolean {
    return this.#left <= 0
  }

  /** The text of some whole lines of a log file. */
  print(lines: readonly Uint8Array[]): Uint8Array {
    const pieces: Uint8Array[] = []
    for (const line of lines) {
      const entry = parseEntry(line)
      if (entry === undefined || this.#isTooOld(entry)) continue
      if (this.#filter.timestamps && this.#isLineStart) pieces.push(Buffer.from(`${entry.time} `))
      pieces.push(entry.text)
      if (entry.isFull) pieces.push(Buffer.from('\n'))
      this.#isLineStart = entry.isFull
    }
    const all = Buffer.concat(pieces)
    const part = all.length > this.#left ? all.subarray(0, this.#left) : all
    this.#left -= part.length
    return part
  }

  #isTooOld(entry: LogEntry): boolean {
    const { sinceMs } = this.#filter
    return sinceMs !== undefined && Date.parse(entry.time) < sinceMs
  }
}
