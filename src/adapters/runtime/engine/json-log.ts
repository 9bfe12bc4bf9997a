/** One entry of a log as Docker writes it: a line, or a part of one. */
export interface LogEntry {
  /** As Docker writes it, in nanoseconds. */
  readonly time: string
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
}

/** A position in a log in CRI format, by what stands there. */
export interface LogMark {
  readonly time: string
  readonly stream: string
  /** The whole line without its end. */
  readonly line: string
}

/** Reads one line of Docker's `json-file` log; undefined when it is none. */
export function parseJsonLog(line: string): LogEntry | undefined {
  try {
    const { log, stream, time } = JSON.parse(line) as Record<string, unknown>
    if (typeof log !== 'string' || typeof time !== 'string') return undefined
    return { time, stream: stream === 'stderr' ? 'stderr' : 'stdout', text: log }
  } catch {
    return undefined
  }
}

/** An entry in CRI format, with the end of the line. A part of a line is marked as one. */
export function criLine({ time, stream, text }: LogEntry): string {
  const isWhole = text.endsWith('\n')
  return `${time} ${stream} ${isWhole ? 'F' : 'P'} ${isWhole ? text : `${text}\n`}`
}

/** The last line of a log in CRI format; undefined when it is none. */
export function markOf(line: string): LogMark | undefined {
  const [time = '', stream = ''] = line.split(' ', 2)
  return stream === 'stdout' || stream === 'stderr' ? { time, stream, line } : undefined
}

/** Whether an entry is the one that a mark was made of. */
export function isMarked(entry: LogEntry, mark: LogMark): boolean {
  return entry.time === mark.time && criLine(entry) === `${mark.line}\n`
}
