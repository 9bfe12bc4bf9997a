import type { LogRequest, PodLogs } from '../../kubernetes/objects/types.ts'
import { type FindKubelet, kubeletOf, pathOf } from './access.ts'
import { askKubelet } from './ask.ts'

/** The logs of a node's pods, as its kubelet gives them. */
export function kubeletLogs(find: FindKubelet): PodLogs {
  return {
    open: async (asked) => {
      const { namespace, pod, container, signal } = asked
      const path = pathOf('containerLogs', namespace, pod, container)
      const response = await askKubelet(kubeletOf(find), `${path}?${queryOf(asked)}`, signal)
      // Who leaves ends the request, and that is no failure.
      return untilLeft(response, signal)
    },
  }
}

async function* untilLeft(
  pieces: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

function queryOf(asked: LogRequest): string {
  const { follow, previous, timestamps, tailLines, limitBytes, sinceSeconds, sinceTime } = asked
  const values = { tailLines, limitBytes, sinceSeconds, sinceTime }
  const given = Object.entries(values).filter(([, value]) => value !== undefined)
  const switches = Object.entries({ follow, previous, timestamps }).filter(([, is]) => is)
  return new URLSearchParams(
    [...given, ...switches].map(([name, value]) => [name, String(value)]),
  ).toString()
}
