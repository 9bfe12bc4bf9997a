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
    return failureOf(target, port, error)
  }
  let failure: string | undefined
  const lost = (error: unknown): void => {
    // A server in a pod may well cut its connection; that the way to it is gone is told.
    if (error instanceof ObjectError) failure = failureOf(target, port, error)
  }
  await Promise.all([
    copy(client, remote, touch),
    copy(remote, client, touch, lost),
    // A client that left wants nothing more of the pod.
    client.closed.then(() => {
      remote.reset('CANCELLED', 'the client left')
    }),
  ])
  return failure
}

function failureOf({ pod }: ForwardTarget, port: number, error: unknown): string {
  const why = error instanceof ObjectError ? error.message : 'the connection failed'
  return `error forwarding port ${port} to pod ${pod}, uid : ${why}`
}

/** Passes on what one side writes, and its end. A side that fails takes the other with it. */
async function copy(
  from: ByteStream,
  to: ByteStream,
  touch: () => void,
  onFailure: (error: unknown) => void = () => undefined,
): Promise<void> {
  try {
    for await (const bytes of from) {
      touch()
      await to.write(bytes)
    }
    to.end()
  } catch (error) {
    onFailure(error)
    to.reset('CANCELLED', 'the other side of the connection failed')
  }
}

/** A port as a number. @returns undefined when it is none. */
export function parsePort(text: string | undefined): number | undefined {
  const port = Number(text)
  const isPort = text !== undefined && /^\d{1,5}$/.test(text) && port > 0 && port <= 0xffff
  return isPort ? port : undefined
}
