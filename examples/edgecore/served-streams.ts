import { CLOUD, type PeerStream, type Principal, type ProcessSession, type Replica } from 'tideway'
import { ObjectError, type PodStreams } from 'tideway/adapters/kubernetes/objects'
import { encodeRefusal, LOG_FOLLOWS } from '../shared/log-stream.ts'
import {
  ATTACH_PROTOCOL,
  decodeAttachHead,
  decodeExecHead,
  decodePortHead,
  EXEC_PROTOCOL,
  PORT_PROTOCOL,
} from '../shared/pod-stream.ts'
import { readFrames, writeFrame } from '../shared/session-frames.ts'

/** Lets the cloud into the containers of this node. Returns what ends it. */
export function serveStreams(replica: Replica, streams: PodStreams): () => void {
  const cancels = [
    replica.onStream(EXEC_PROTOCOL, async (stream, head, principal) => {
      const request = admitted(principal) ? decodeExecHead(head) : undefined
      await serveSession(stream, request && (() => streams.exec(request)))
    }),
    replica.onStream(ATTACH_PROTOCOL, async (stream, head, principal) => {
      const request = admitted(principal) ? decodeAttachHead(head) : undefined
      await serveSession(stream, request && (() => streams.attach(request)))
    }),
    replica.onStream(PORT_PROTOCOL, async (stream, head, principal) => {
      const request = admitted(principal) ? decodePortHead(head) : undefined
      const port = await opened(stream, request && (() => streams.portForward(request)))
      if (port === undefined) return
      void stream.closed.then(() => port.reset('CANCELLED', 'the other side left'))
      await stream.write(Uint8Array.of(LOG_FOLLOWS))
      await Promise.all([copy(stream, port), copy(port, stream)])
    }),
  ]
  return () => {
    for (const cancel of cancels) cancel()
  }
}

/** Nobody but the cloud, which has asked its users who they are. */
function admitted(principal: Principal): boolean {
  return principal === CLOUD
}

/** Opens the way that a stream leads to. @returns undefined when the stream was refused. */
async function opened<Opened>(
  stream: PeerStream,
  open: (() => Promise<Opened>) | undefined,
): Promise<Opened | undefined> {
  try {
    if (open === undefined) throw new ObjectError('BadRequest', 'the request is malformed')
    return await open()
  } catch (error) {
    if (!(error instanceof ObjectError)) throw error
    await stream.write(encodeRefusal({ reason: error.reason, message: error.message }))
    stream.end()
    return undefined
  }
}

async function serveSession(
  stream: PeerStream,
  open: (() => Promise<ProcessSession>) | undefined,
): Promise<void> {
  const session = await opened(stream, open)
  if (session === undefined) return
  void stream.closed.then(() => session.abort())
  await stream.write(Uint8Array.of(LOG_FOLLOWS))
  feed(session, stream).catch(() => session.abort())
  try {
    for await (const { stream: type, bytes } of session.output)
      await writeFrame(stream, { type, bytes })
    await writeFrame(stream, { type: 'end', end: await session.ended })
    stream.end()
  } catch {
    // The cloud has left, or the connection to it is lost.
    session.abort()
  }
}

async function feed(session: ProcessSession, stream: PeerStream): Promise<void> {
  for await (const frame of readFrames(stream)) {
    if (frame.type === 'stdin') await session.writeInput(frame.bytes)
    else if (frame.type === 'stdin-end') session.endInput()
    else if (frame.type === 'resize') session.resize(frame.size)
  }
}

/** Passes on what one side writes, and its end. A side that fails takes the other with it. */
async function copy(
  from: AsyncIterable<Uint8Array>,
  to: Pick<PeerStream, 'write' | 'end' | 'reset'>,
): Promise<void> {
  try {
    for await (const bytes of from) await to.write(bytes)
    to.end()
  } catch {
    to.reset('CANCELLED', 'the other side of the connection failed')
  }
}
