import type { ByteStream } from '../../../../core/interfaces/byte-stream.ts'
import { ObjectError } from '../../objects/types.ts'

/** Where the connections of one port-forward lead to. */
export interface ForwardTarget {
  readonly pod: string
  /** @throws ObjectError when nobody listens, or the node is away. */
  dial(port: number): Promise<ByteStream>
}

/**
 * Connects a client's stream with a port of a pod until both directions are over.
 *
 * @returns why it failed, in kubelet's words; undefined when it did not. Never rejects.
 */
export async function forwardPort(
  target: ForwardTarget,
  port: number,
  client: ByteStream,
  touch: () => void,
): Promise<string | undefined> {
  let remote: ByteStream
  try {
    remote = await target.dial(port)
  } catch (error) {
    const why = error instanceof ObjectError ? error.message : 'the connection failed'
    return `error forwarding port ${port} to pod ${target.pod}, uid : ${why}`
  }
  await Promise.all([
    copy(client, remote, touch),
    copy(remote, client, touch),
    // A client that left wants nothing more of the pod.
    client.closed.then(() => {
      remote.reset('CANCELLED', 'the client left')
      return true
    }),
  ])
  return undefined
}

/** Passes on what one side writes, and its end. A side that fails takes the other with it. */
async function copy(from: ByteStream, to: ByteStream, touch: () => void): Promise<boolean> {
  try {
    for await (const bytes of from) {
      touch()
      await to.write(bytes)
    }
    to.end()
    return true
  } catch {
    to.reset('CANCELLED', 'the other side of the connection failed')
    return false
  }
}

/** A port as a number. @returns undefined when it is none. */
export function parsePort(text: string | undefined): number | undefined {
  const port = Number(text)
  const isPort = text !== undefined && /^\d{1,5}$/.test(text) && port > 0 && port <= 0xffff
  return isPort ? port : undefined
}
