import type { ServerResponse } from 'node:http'
import { constants, createGzip } from 'node:zlib'
import type { Cancel, Clock } from '../../../core/interfaces/clock.ts'

/** How many bytes are written to a connection at once. */
export const PIECE_BYTES: number = 64 * 1024

/** An answer that is written in pieces, and is nowhere as a whole. */
export interface PiecedBody {
  /** How many bytes it has, where that is known. */
  readonly length?: number
  /** Text or UTF-8, in order. Read once. */
  readonly parts: Iterable<string | Uint8Array>
}

/**
 * Gathers parts into pieces of a size that is worth a write. Two buffers take turns: a piece holds until
 * the next but one is asked for.
 */
export function* inPieces(parts: Iterable<string | Uint8Array>): Generator<Uint8Array> {
  let [piece, other] = [undefined, undefined] as [Buffer | undefined, Buffer | undefined]
  let end = 0
  for (const part of parts) {
    piece ??= Buffer.allocUnsafeSlow(PIECE_BYTES)
    // No character is longer than three bytes for each of its units.
    if (typeof part === 'string' && part.length * 3 <= PIECE_BYTES - end) {
      end += piece.write(part, end, 'utf8')
      continue
    }
    let rest = typeof part === 'string' ? Buffer.from(part) : part
    while (rest.length > PIECE_BYTES - end) {
      const room: number = PIECE_BYTES - end
      piece.set(rest.subarray(0, room), end)
      rest = rest.subarray(room)
      yield piece
      ;[piece, other] = [other ?? Buffer.allocUnsafeSlow(PIECE_BYTES), piece]
      end = 0
    }
    piece.set(rest, end)
    end += rest.length
  }
  if (piece !== undefined && end > 0) yield piece.subarray(0, end)
}

/** The whole of a body, for who cannot do with pieces. */
export function wholeOf(body: PiecedBody): Buffer {
  return Buffer.concat(Array.from(inPieces(body.parts), (piece) => Buffer.from(piece)))
}

/** How long an answer waits for its reader. */
export interface Patience {
  readonly clock: Clock
  /** Who takes nothing of a piece for this long is cut off, in milliseconds. */
  readonly stallMs: number
}

/** Cuts a response whose reader takes too long, unless it is told that it does not. */
export function cutLater(response: ServerResponse, { clock, stallMs }: Patience): Cancel {
  return clock.schedule(stallMs, () => response.destroy())
}

/** Ends a response, whose reader has to take the rest in time. */
export function endInTime(
  sink: { end(): unknown },
  response: ServerResponse,
  patience: Patience,
): void {
  const cancel = cutLater(response, patience)
  response.once('finish', cancel)
  response.once('close', cancel)
  sink.end()
}

/** Where pieces are written to. */
interface Sink {
  write(piece: Uint8Array, done: () => void): unknown
}

/**
 * Writes a body to a response whose headers are complete but for the length, as fast as its reader takes
 * it, and ends it. Resolves also when the reader is gone.
 *
 * @param takesZip whether so many bytes are to be compressed.
 */
export async function sendPieces(
  response: ServerResponse,
  code: number,
  body: PiecedBody,
  takesZip: (length: number) => boolean,
  patience: Patience,
): Promise<void> {
  const pieces = inPieces(body.parts)
  const first = pieces.next()
  const second = first.done === true ? first : pieces.next()
  const isOne = second.done === true
  const length = isOne ? (first.done === true ? 0 : first.value.length) : body.length
  const zips = takesZip(length ?? Number.POSITIVE_INFINITY)
  if (zips) response.setHeader('Content-Encoding', 'gzip')
  else if (length !== undefined) response.setHeader('Content-Length', length)
  response.writeHead(code)
  const zip = zips ? createGzip({ level: constants.Z_BEST_SPEED }) : undefined
  zip?.pipe(response)
  response.once('close', () => zip?.destroy())
  const sink = zip ?? response
  // While one piece is on its way the next one is made.
  let writing = Promise.resolve()
  for (const piece of chained(first, second, pieces)) {
    await writing
    if (response.destroyed) break
    writing = written(sink, piece, response, patience)
  }
  await writing
  if (!response.destroyed) endInTime(sink, response, patience)
}

function* chained(
  first: IteratorResult<Uint8Array>,
  second: IteratorResult<Uint8Array>,
  rest: Iterable<Uint8Array>,
): Generator<Uint8Array> {
  if (first.done !== true) yield first.value
  if (second.done !== true) yield second.value
  yield* rest
}

/** Resolves when a piece may be overwritten, or nobody wants it any more. */
export function written(
  sink: Sink,
  piece: Uint8Array,
  response: ServerResponse,
  patience: Patience,
): Promise<void> {
  return new Promise((resolve) => {
    const cancel = cutLater(response, patience)
    const done = (): void => {
      cancel()
      response.off('close', done)
      resolve()
    }
    response.once('close', done)
    sink.write(piece, done)
  })
}
