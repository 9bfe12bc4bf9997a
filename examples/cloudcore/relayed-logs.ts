import { isTidewayError, type PeerStream, type Replica } from 'tideway'
import {
  type LogRequest,
  ObjectError,
  type ObjectErrorReason,
  type ObjectStore,
  type PodLogs,
} from 'tideway/adapters/kubernetes/objects'
import { nodeNameOf } from '../shared/fleet-rules.ts'
import { decodeRefusal, encodeLogHead, LOG_FOLLOWS, LOG_PROTOCOL } from '../shared/log-stream.ts'

/** The logs of containers, wherever their node is: asked for over the node's connection. */
export function relayedLogs(replica: Replica, store: ObjectStore): PodLogs {
  return {
    async open(request) {
      const { namespace, pod } = request
      const object = store.get({ resource: 'pods', namespace, name: pod })
      if (object === undefined) throw new ObjectError('NotFound', `pods "${pod}" not found`)
      const node = nodeNameOf('pods', object)
      if (node === undefined)
        throw new ObjectError('BadRequest', `pod ${pod} is not bound to a node yet`)
      const stream = openStream(replica, node, request)
      return await relay(stream, node, request.signal)
    },
  }
}

function openStream(replica: Replica, node: string, request: LogRequest): PeerStream {
  try {
    return replica.openStream(node, LOG_PROTOCOL, encodeLogHead(request))
  } catch (error) {
    if (!isTidewayError(error) || error.code !== 'TRANSPORT_CLOSED') throw error
    throw notConnected(node, error)
  }
}

function notConnected(node: string, cause: unknown): ObjectError {
  const message = `the node ${node} is not connected to the cloud: its logs can be read there, or here when it is back`
  return new ObjectError('ServiceUnavailable', message, { cause })
}

/** @throws what the node says in its first byte, before anything is sent to the client. */
async function relay(
  stream: PeerStream,
  node: string,
  signal: AbortSignal,
): Promise<AsyncIterable<Uint8Array>> {
  const onAbort = (): void => stream.reset('CANCELLED', 'the reader left')
  signal.addEventListener('abort', onAbort, { once: true })
  void stream.closed.then(() => signal.removeEventListener('abort', onAbort))
  if (signal.aborted) onAbort()
  stream.end()
  const pieces = stream[Symbol.asyncIterator]()
  const first = await pieces.next().catch((error: unknown) => {
    throw notConnected(node, error)
  })
  const bytes: Uint8Array = first.done === true ? new Uint8Array() : first.value
  if (bytes[0] === LOG_FOLLOWS) return rest(bytes.subarray(1), pieces, signal)
  const parts = [bytes.subarray(1)]
  for (let next = await pieces.next(); next.done !== true; next = await pieces.next())
    parts.push(next.value)
  const { reason, message } = decodeRefusal(Buffer.concat(parts))
  throw new ObjectError(reasonOf(reason), message)
}

async function* rest(
  first: Uint8Array,
  pieces: AsyncGenerator<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first
  try {
    for await (const piece of pieces) yield piece
  } catch (error) {
    // The connection broke, or the reader left: the log ends where it is, as it does with kubelet.
    if (!signal.aborted && !isTidewayError(error)) throw error
  }
}

function reasonOf(reason: string): ObjectErrorReason {
  return reason === 'NotFound' || reason === 'BadRequest' ? reason : 'ServiceUnavailable'
}
