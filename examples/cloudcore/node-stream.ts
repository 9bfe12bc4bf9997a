import { isTidewayError, type PeerStream, type Replica, UsageError } from 'tideway'
import {
  ObjectError,
  type ObjectErrorReason,
  type ObjectStore,
} from 'tideway/adapters/kubernetes/objects'
import { nodeNameOf } from '../shared/fleet-rules.ts'
import { decodeRefusal, LOG_FOLLOWS } from '../shared/log-stream.ts'

/** A stream to a node that has agreed to serve it. */
export interface NodeStream {
  readonly stream: PeerStream
  /** What the node writes from here on. */
  readonly pieces: AsyncGenerator<Uint8Array>
}

/** What a client is told that was in the middle of something. */
export const CONNECTION_LOST = 'the connection to the node was lost'

/** The node of a pod. @throws ObjectError without a pod, or without a node. */
export function nodeOfPod(store: ObjectStore, namespace: string, pod: string): string {
  const object = store.get({ resource: 'pods', namespace, name: pod })
  if (object === undefined) throw new ObjectError('NotFound', `pods "${pod}" not found`)
  const node = nodeNameOf('pods', object)
  if (node === undefined)
    throw new ObjectError('BadRequest', `pod ${pod} is not bound to a node yet`)
  return node
}

/** Opens a stream to a node. @throws ObjectError when the node is not connected. */
export function openNodeStream(
  replica: Replica,
  node: string,
  protocol: string,
  head: Uint8Array,
): PeerStream {
  try {
    return replica.openStream(node, protocol, head)
  } catch (error) {
    if (error instanceof UsageError && error.code === 'USAGE_INVALID_ARGUMENT')
      throw new ObjectError('BadRequest', 'the request is too long for the node', { cause: error })
    if (!isTidewayError(error) || error.code !== 'TRANSPORT_CLOSED') throw error
    throw notConnected(node, error)
  }
}

/**
 * Waits for what the node says in its first byte.
 *
 * @throws ObjectError with what it says when it refuses.
 */
export async function agreed(stream: PeerStream, node: string): Promise<NodeStream> {
  const pieces = stream[Symbol.asyncIterator]()
  const first = await pieces.next().catch((error: unknown) => {
    throw notConnected(node, error)
  })
  const bytes: Uint8Array = first.done === true ? new Uint8Array() : first.value
  if (bytes[0] === LOG_FOLLOWS) return { stream, pieces: rest(bytes.subarray(1), pieces) }
  const parts = [bytes.subarray(1)]
  for (let next = await pieces.next(); next.done !== true; next = await pieces.next())
    parts.push(next.value)
  const { reason, message } = decodeRefusal(Buffer.concat(parts))
  throw new ObjectError(reasonOf(reason), message)
}

async function* rest(
  first: Uint8Array,
  pieces: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (first.length > 0) yield first
  yield* pieces
}

/**
 * What a stream's error is to who reads it: undefined when the node itself gave the stream up, as it
 * does where what it leads to failed; it resets with one code alone.
 */
export function lostConnection(error: unknown): ObjectError | undefined {
  if (!isTidewayError(error) || error.code !== 'TRANSPORT_CLOSED') return undefined
  if (error.fields['code'] === 'CANCELLED') return undefined
  return new ObjectError('ServiceUnavailable', CONNECTION_LOST, { cause: error })
}

function notConnected(node: string, cause: unknown): ObjectError {
  const message = `the node ${node} is not connected to the cloud: its pods can be reached there, or here when it is back`
  return new ObjectError('ServiceUnavailable', message, { cause })
}

const REASONS: readonly ObjectErrorReason[] = ['NotFound', 'BadRequest', 'InternalError']

function reasonOf(reason: string): ObjectErrorReason {
  return REASONS.find((known) => known === reason) ?? 'ServiceUnavailable'
}
