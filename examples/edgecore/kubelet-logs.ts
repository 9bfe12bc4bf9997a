import { request } from 'node:https'
import { type LogRequest, ObjectError, type PodLogs } from 'tideway/adapters/kubernetes/objects'
import type { KubeletAccess } from './kubelet-files.ts'

/** How much of a refusal is read. */
const REFUSAL_CHARACTERS = 1_000

/** The logs of a node's pods, as its kubelet gives them. `access` is known once the kubelet has begun. */
export function kubeletLogs(access: () => KubeletAccess | undefined): PodLogs {
  return {
    open: (asked) => {
      const place = access()
      if (place !== undefined) return open(asked, place)
      throw new ObjectError('ServiceUnavailable', 'the kubelet of this node has not begun yet')
    },
  }
}

function open(asked: LogRequest, place: KubeletAccess): Promise<AsyncIterable<Uint8Array>> {
  const { namespace, pod, container, signal } = asked
  const path = ['containerLogs', namespace, pod, container].map(encodeURIComponent).join('/')
  return new Promise((resolve, reject) => {
    const options = { ...place, path: `/${path}?${queryOf(asked)}`, agent: false, signal }
    const going = request(options, (response) => {
      if (response.statusCode === 200) {
        // Who leaves ends the request, and that is no failure.
        resolve(untilLeft(response, signal))
        return
      }
      let text = ''
      response.on('data', (piece: Buffer) => {
        if (text.length < REFUSAL_CHARACTERS) text += piece.toString()
      })
      response.on('end', () => reject(new ObjectError(reasonOf(response.statusCode), text.trim())))
    })
    going.on('error', (error) => {
      const message = `the kubelet of this node does not answer: ${error.message}`
      reject(new ObjectError('ServiceUnavailable', message, { cause: error }))
    })
    going.end()
  })
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

function reasonOf(status: number | undefined): 'NotFound' | 'BadRequest' | 'InternalError' {
  if (status === 404) return 'NotFound'
  return status === 400 ? 'BadRequest' : 'InternalError'
}
