import type { PeerStream, Replica } from 'tideway'
import { ObjectError, type PodLogs } from 'tideway/adapters/kubernetes/objects'
import { decodeLogHead, encodeRefusal, LOG_FOLLOWS, LOG_PROTOCOL } from '../shared/log-stream.ts'

/** Lets the cloud read the logs of this node's containers. Returns what ends it. */
export function serveLogs(replica: Replica, logs: PodLogs): () => void {
  return replica.onStream(LOG_PROTOCOL, (stream, head) => serve(stream, head, logs))
}

async function serve(stream: PeerStream, head: Uint8Array, logs: PodLogs): Promise<void> {
  const request = decodeLogHead(head)
  if (request === undefined) {
    return await refuse(stream, 'BadRequest', 'the request for a log is malformed')
  }
  const gone = new AbortController()
  void stream.closed.then(() => gone.abort())
  let pieces: AsyncIterable<Uint8Array>
  try {
    pieces = await logs.open({ ...request, signal: gone.signal })
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error
    return await refuse(stream, error.reason, error.message)
  }
  await stream.write(Uint8Array.of(LOG_FOLLOWS))
  for await (const piece of pieces) {
    if (gone.signal.aborted) return
    await stream.write(piece)
  }
  stream.end()
}

async function refuse(stream: PeerStream, reason: string, message: string): Promise<void> {
  await stream.write(encodeRefusal({ reason, message }))
  stream.end()
}
