import type { ByteStream } from '../../../core/interfaces/byte-stream.ts'

/** What an engine says is a short text; what it sends beyond this is dropped. */
const TEXT_BYTES_MAX = 64 * 1024

/** Everything that is written to a stream, as text. @throws Error when the stream breaks. */
export async function readText(
  stream: Pick<ByteStream, typeof Symbol.asyncIterator>,
): Promise<string> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of stream) {
    size += piece.length
    if (size <= TEXT_BYTES_MAX) pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}
