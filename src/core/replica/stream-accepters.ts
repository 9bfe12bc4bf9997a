import type { Principal } from '../access/policy.ts'
import type { Cancel } from '../interfaces/clock.ts'
import type { StreamAccepter } from './options.ts'
import type { PeerStream } from './peer-stream.ts'

/** Who serves which protocol of the streams that peers open. */
export class StreamAccepters {
  readonly #accepters = new Map<string, StreamAccepter>()

  set(protocol: string, accepter: StreamAccepter): Cancel {
    this.#accepters.set(protocol, accepter)
    return () => {
      if (this.#accepters.get(protocol) === accepter) this.#accepters.delete(protocol)
    }
  }

  accept(stream: PeerStream, protocol: string, head: Uint8Array, principal: Principal): void {
    const accepter = this.#accepters.get(protocol)
    if (accepter === undefined) {
      return stream.reset('UNKNOWN_PROTOCOL', `nobody serves streams of ${protocol} here`)
    }
    accepter(stream, head, principal).catch((error: unknown) => {
      stream.reset('FAILED', error instanceof Error ? error.message : 'the stream failed')
    })
  }
}
