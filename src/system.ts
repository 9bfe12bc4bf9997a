import { concatBytes } from './core/bytes.ts'
import type { Cancel, Clock, Random } from './core/interfaces/clock.ts'
import type { Compression } from './core/interfaces/compression.ts'
import type { LogFields, Logger } from './core/interfaces/logger.ts'

// A longer delay would overflow the 32 bits that timers have, and fire at once.
const DELAY_MS_MAX = 2 ** 31 - 1
// The most that one call of getRandomValues fills.
const RANDOM_BYTES_MAX = 65_536

/** The machine's clock. Works in Node and in browsers. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule: scheduleOnce,
}

/** The machine's source of random bytes, good enough for keys. Works in Node and in browsers. */
export const systemRandom: Random = {
  fill(target) {
    for (let start = 0; start < target.length; start += RANDOM_BYTES_MAX) {
      const part = target.subarray(start, start + RANDOM_BYTES_MAX)
      globalThis.crypto.getRandomValues(part as Uint8Array<ArrayBuffer>)
    }
  },
}

/** How much a logger says: lines of this level and above. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

/** A logger that writes to the console: the message first, then the fields as one object. */
export function consoleLogger(level: LogLevel = 'info', bound: LogFields = {}): Logger {
  const write = (lineLevel: Exclude<LogLevel, 'silent'>, message: string, fields?: LogFields) => {
    if (LEVELS.indexOf(lineLevel) < LEVELS.indexOf(level)) return
    const all = { ...bound, ...fields }
    if (Object.keys(all).length === 0) console[lineLevel](message)
    else console[lineLevel](message, all)
  }
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
    child: (fields) => consoleLogger(level, { ...bound, ...fields }),
  }
}

function scheduleOnce(delayMs: number, callback: () => void): Cancel {
  const dueMs = performance.now() + delayMs
  let timer: ReturnType<typeof setTimeout> | undefined
  const wait = (leftMs: number) => {
    timer = setTimeout(
      () => {
        const stillMs = dueMs - performance.now()
        if (leftMs > DELAY_MS_MAX && stillMs > 0) wait(stillMs)
        else callback()
      },
      Math.min(Math.max(leftMs, 0), DELAY_MS_MAX),
    )
  }
  wait(delayMs)
  return () => clearTimeout(timer)
}

/**
 * Raw DEFLATE by the platform's compression streams: for browsers, which have no other. It answers later
 * than at once, so in Node `nodeCompression()` of `tideway/node` is the better choice; the two understand
 * each other.
 *
 * `undefined` where the platform has no such streams.
 */
export function streamCompression(): Compression | undefined {
  if (!('CompressionStream' in globalThis && 'DecompressionStream' in globalThis)) return undefined
  return {
    name: 'deflate-raw',
    number: 1,
    compress: (bytes) =>
      through(new CompressionStream('deflate-raw'), bytes, Number.POSITIVE_INFINITY),
    decompress: (bytes, bytesMax) =>
      through(new DecompressionStream('deflate-raw'), bytes, bytesMax),
  }
}

/** All that a stream makes of some bytes. Rejects as soon as that is more than `bytesMax`. */
async function through(
  stream: CompressionStream | DecompressionStream,
  bytes: Uint8Array,
  bytesMax: number,
): Promise<Uint8Array> {
  const writer = stream.writable.getWriter()
  const written = writer.write(bytes as Uint8Array<ArrayBuffer>).then(() => writer.close())
  // What goes wrong is heard of at the reading side; that side may also leave early.
  written.catch(() => undefined)
  const reader = stream.readable.getReader()
  const parts: Uint8Array[] = []
  let length = 0
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const chunk: Uint8Array = part.value
    length += chunk.length
    if (length > bytesMax) {
      await reader.cancel().catch(() => undefined)
      throw new RangeError('the bytes stand for more than is allowed')
    }
    parts.push(chunk)
  }
  return concatBytes(parts)
}
