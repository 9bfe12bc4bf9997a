import type { Transform } from 'node:stream'
import { constants, createDeflate, createInflate } from 'node:zlib'
import { headerDictionary } from './dictionary.ts'
import { SpdyError } from './frames.ts'

/** Headers as they are after decompression: names in lower case, the first value of each. */
export type Headers = ReadonlyMap<string, string>

/** More bytes than this in one block of headers end the connection. */
const HEADERS_BYTES_MAX = 16 * 1024
const HEADERS_MAX = 64

/** Small: what is sent here are replies without headers, a few bytes each. */
const WINDOW_BITS = 9
const MEMORY_LEVEL = 1

/**
 * Compresses and decompresses the headers of one connection. Every block depends on those before it,
 * so all have to pass through, in order and one at a time.
 */
export class HeaderCodec {
  readonly #inflate: Transform
  readonly #deflate: Transform

  constructor() {
    const dictionary = headerDictionary()
    const flush = constants.Z_SYNC_FLUSH
    this.#inflate = createInflate({ dictionary, flush, finishFlush: flush })
    const small = { windowBits: WINDOW_BITS, memLevel: MEMORY_LEVEL }
    this.#deflate = createDeflate({ dictionary, flush, finishFlush: flush, ...small })
    // Whoever waits for a block is told; the event itself, which may come later, must not end the
    // process.
    for (const stream of [this.#inflate, this.#deflate]) stream.on('error', () => undefined)
  }

  /** @throws SpdyError for what is no block of headers, or too large a one. */
  async decode(block: Uint8Array): Promise<Headers> {
    return parseHeaders(await passThrough(this.#inflate, block))
  }

  async encode(headers: Headers): Promise<Uint8Array> {
    return await passThrough(this.#deflate, formatHeaders(headers))
  }

  /** Frees what the compression holds. */
  close(): void {
    this.#inflate.destroy()
    this.#deflate.destroy()
  }
}

function passThrough(stream: Transform, bytes: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = []
    let length = 0
    const settle = (error: Error | null | undefined): void => {
      // What was not handed out yet.
      while (!stream.destroyed && stream.read() !== null);
      stream.off('data', take)
      stream.off('error', settle)
      stream.off('close', onClose)
      const isWhole = (error ?? undefined) === undefined && length <= HEADERS_BYTES_MAX
      if (isWhole) resolve(Buffer.concat(pieces))
      else reject(new SpdyError('headers cannot be decompressed'))
    }
    const onClose = (): void => settle(new Error('closed'))
    const take = (piece: Buffer): void => {
      length += piece.length
      pieces.push(piece)
      if (length > HEADERS_BYTES_MAX) stream.destroy()
    }
    stream.on('data', take)
    stream.on('error', settle)
    stream.on('close', onClose)
    stream.write(bytes, settle)
  })
}

function parseHeaders(bytes: Buffer): Headers {
  let at = 0
  const number = (): number => {
    if (bytes.length < at + 4) throw new SpdyError('headers are cut off')
    at += 4
    return bytes.readUInt32BE(at - 4)
  }
  const text = (): string => {
    const length = number()
    if (bytes.length < at + length) throw new SpdyError('headers are cut off')
    at += length
    return bytes.toString('latin1', at - length, at)
  }
  const count = number()
  if (count > HEADERS_MAX) throw new SpdyError('there are too many headers')
  const headers = new Map<string, string>()
  for (let index = 0; index < count; index += 1) {
    const name = text().toLowerCase()
    // Several values are separated by NUL.
    const [value = ''] = text().split('\0')
    headers.set(name, value)
  }
  return headers
}

function formatHeaders(headers: Headers): Buffer {
  const parts = [...headers].flatMap(([name, value]) => [counted(name), counted(value)])
  const count = Buffer.alloc(4)
  count.writeUInt32BE(headers.size)
  return Buffer.concat([count, ...parts])
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
