import { Duplex } from 'node:stream'
import type { ByteStream } from '../../../../core/interfaces/byte-stream.ts'

/** A stream as Node's HTTP client and TLS want it. Destroying it resets the stream. */
export function duplexOf(stream: ByteStream): Duplex {
  const pieces = stream[Symbol.asyncIterator]()
  let isReading = false
  const duplex: Duplex = new Duplex({
    read() {
      if (isReading) return
      isReading = true
      pieces.next().then(
        ({ done, value }) => {
          isReading = false
          duplex.push(done === true ? null : value)
        },
        (error: unknown) => duplex.destroy(error instanceof Error ? error : undefined),
      )
    },
    write(chunk: Uint8Array, _encoding, callback) {
      stream.write(chunk).then(() => callback(), callback)
    },
    final(callback) {
      stream.end()
      callback()
    },
    destroy(error, callback) {
      stream.reset('CANCELLED', 'the connection was given up')
      callback(error)
    },
  })
  return duplex
}
