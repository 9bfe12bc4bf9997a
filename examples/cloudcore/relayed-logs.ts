import type { Replica } from 'tideway'
import type { ObjectStore, PodLogs } from 'tideway/adapters/kubernetes/objects'
import { encodeLogHead, LOG_PROTOCOL } from '../shared/log-stream.ts'
import { agreed, lostConnection, nodeOfPod, openNodeStream } from './node-stream.ts'

/** The logs of containers, wherever their node is: asked for over the node's connection. */
export function relayedLogs(replica: Replica, store: ObjectStore): PodLogs {
  return {
    async open(request) {
      const { namespace, pod, signal } = request
      const node = nodeOfPod(store, namespace, pod)
      const stream = openNodeStream(replica, node, LOG_PROTOCOL, encodeLogHead(request))
      const onAbort = (): void => stream.reset('CANCELLED', 'the reader left')
      signal.addEventListener('abort', onAbort, { once: true })
      void stream.closed.then(() => signal.removeEventListener('abort', onAbort))
      if (signal.aborted) onAbort()
      stream.end()
      const { pieces } = await agreed(stream, node)
      return untilTheReaderLeaves(pieces, signal)
    },
  }
}

async function* untilTheReaderLeaves(
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of pieces) yield piece
  } catch (error) {
    if (signal.aborted) return
    // Whoever reads is told, as one that follows a log would take an end for that of the container.
    throw lostConnection(error) ?? error
  }
}
