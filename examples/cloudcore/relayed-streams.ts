import type {
  ByteStream,
  OutputPiece,
  ProcessSession,
  Replica,
  SessionEnd,
  TerminalSize,
} from 'tideway'
import type { ObjectStore, PodStreams, PodTarget } from 'tideway/adapters/kubernetes/objects'
import { ATTACH_PROTOCOL, EXEC_PROTOCOL, encodeHead, PORT_PROTOCOL } from '../shared/pod-stream.ts'
import { readFrames, type SessionFrame, writeFrame } from '../shared/session-frames.ts'
import {
  agreed,
  CONNECTION_LOST,
  lostConnection,
  type NodeStream,
  nodeOfPod,
  openNodeStream,
} from './node-stream.ts'

/** The way into containers, wherever their node is: over the node's connection. */
export function relayedStreams(replica: Replica, store: ObjectStore): PodStreams {
  const open = async (
    { namespace, pod }: PodTarget,
    protocol: string,
    head: Uint8Array,
  ): Promise<NodeStream> => {
    const node = nodeOfPod(store, namespace, pod)
    return await agreed(openNodeStream(replica, node, protocol, head), node)
  }
  return {
    exec: async (request) =>
      new RelayedSession(await open(request, EXEC_PROTOCOL, encodeHead(request))),
    attach: async (request) =>
      new RelayedSession(await open(request, ATTACH_PROTOCOL, encodeHead(request))),
    portForward: async (request) =>
      afterAgreement(await open(request, PORT_PROTOCOL, encodeHead(request))),
  }
}

/** The stream itself, without the byte that was read from it. */
function afterAgreement({ stream, pieces }: NodeStream): ByteStream {
  return {
    closed: stream.closed,
    write: (bytes) => stream.write(bytes),
    end: () => stream.end(),
    reset: (code, message) => stream.reset(code, message),
    [Symbol.asyncIterator]: () => told(pieces),
  }
}

async function* told(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces
  } catch (error) {
    throw lostConnection(error) ?? error
  }
}

/** A session with a process on a node. */
class RelayedSession implements ProcessSession {
  readonly output: AsyncIterable<OutputPiece>
  readonly ended: Promise<SessionEnd>
  readonly #stream: NodeStream['stream']
  #end: (end: SessionEnd) => void = () => undefined

  constructor({ stream, pieces }: NodeStream) {
    this.#stream = stream
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    this.output = this.#read(pieces)
  }

  async writeInput(bytes: Uint8Array): Promise<void> {
    await this.#write({ type: 'stdin', bytes })
  }

  endInput(): void {
    void this.#write({ type: 'stdin-end' })
  }

  resize(size: TerminalSize): void {
    void this.#write({ type: 'resize', size })
  }

  abort(): void {
    this.#stream.reset('CANCELLED', 'the client left')
    this.#end({ type: 'failed', message: 'the client left' })
  }

  /** What a process that has ended no longer reads is dropped, as with one on this machine. */
  async #write(frame: SessionFrame): Promise<void> {
    await writeFrame(this.#stream, frame).catch(() => undefined)
  }

  async *#read(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<OutputPiece> {
    const lost: SessionEnd = { type: 'failed', message: CONNECTION_LOST }
    try {
      for await (const frame of readFrames(pieces)) {
        if (frame.type === 'stdout' || frame.type === 'stderr')
          yield { stream: frame.type, bytes: frame.bytes }
        else if (frame.type === 'end') {
          this.#end(frame.end)
          this.#stream.end()
        }
      }
    } catch {
      // It ends where it is; how is told below.
    } finally {
      this.#end(lost)
    }
  }
}
