import { ConnectionClosedError } from '../errors.ts'
import type { ReplicaId } from '../ids.ts'
import { SparseMap } from '../sparse-collections.ts'
import type { SessionOutput } from '../sync/io.ts'
import { PeerStream, type StreamCarrier } from './peer-stream.ts'

type StreamOutput = Extract<
  SessionOutput,
  { type: 'stream-bytes' | 'stream-ended' | 'stream-reset' | 'stream-writable' }
>

/** The streams of one link, by number. */
export class StreamTable {
  readonly #carrier: StreamCarrier
  readonly #streams = new SparseMap<number, PeerStream>()

  constructor(carrier: StreamCarrier) {
    this.#carrier = carrier
  }

  add(peer: ReplicaId, id: number): PeerStream {
    const stream = new PeerStream(peer, id, this.#carrier)
    this.#streams.set(id, stream)
    void stream.closed.then(() => this.#streams.delete(id))
    return stream
  }

  handle(output: StreamOutput): void {
    const stream = this.#streams.get(output.stream)
    if (stream === undefined) return
    switch (output.type) {
      case 'stream-bytes':
        return stream.push(output.bytes)
      case 'stream-ended':
        return stream.finish()
      case 'stream-writable':
        return stream.resume()
      case 'stream-reset':
        return stream.fail(
          new ConnectionClosedError('the peer reset the stream', {
            fields: { code: output.code, message: output.message },
          }),
        )
    }
  }

  close(error: Error): void {
    for (const stream of [...this.#streams.values()]) stream.fail(error)
  }
}
