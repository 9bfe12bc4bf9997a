/** Which output of a container a line comes from. */
export type LogStream = 'stdout' | 'stderr'

/** Whole entries in the CRI log format, and how much of the input they cover. */
export interface Encoded {
  readonly text: Buffer
  /** Bytes of the input that are in `text`; the rest is an unfinished line. */
  readonly consumed: number
}

const NEWLINE = 0x0a

/**
 * Turns raw output into entries of the CRI log format: `<RFC 3339 time> stdout F <line>`, or `P` for
 * every part of a line but the last.
 *
 * @param tail what to do with an unfinished line: `keep` it for later, write it as a `part` that
 * more follows, or as the `end` of the input.
 */
export function encodeLog(
  raw: Uint8Array,
  stream: LogStream,
  nowMs: number,
  lineBytesMax: number,
  tail: 'keep' | 'part' | 'end',
): Encoded {
  const time = rfc3339Nano(nowMs)
  const full = Buffer.from(`${time} ${stream} F `)
  const part = Buffer.from(`${time} ${stream} P `)
  const newline = Buffer.from('\n')
  const pieces: Uint8Array[] = []
  let at = 0
  while (at < raw.length) {
    const end = raw.indexOf(NEWLINE, at)
    const length = (end < 0 ? raw.length : end) - at
    if (length > lineBytesMax) {
      pieces.push(part, raw.subarray(at, at + lineBytesMax), newline)
      at += lineBytesMax
    } else if (end >= 0) {
      pieces.push(full, raw.subarray(at, end + 1))
      at = end + 1
    } else if (tail !== 'keep') {
      pieces.push(tail === 'part' ? part : full, raw.subarray(at), newline)
      at = raw.length
    } else {
      break
    }
  }
  return { text: Buffer.concat(pieces), consumed: at }
}

/** A time as Go's RFC3339Nano, always with nine digits so that lines sort as text. */
export function rfc3339Nano(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000000Z`
}
