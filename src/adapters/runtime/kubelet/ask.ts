import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { ObjectError } from '../../kubernetes/objects/types.ts'
import { readRefusal } from '../read-refusal.ts'
import type { KubeletAccess } from './access.ts'

/**
 * Reads something of a kubelet's API. The answer is left to be read.
 *
 * @throws ObjectError: `NotFound`, `BadRequest` and `InternalError` with the kubelet's words,
 * `ServiceUnavailable` when it does not answer.
 */
export function askKubelet(
  access: KubeletAccess,
  path: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const going = request({ ...access, path, agent: false, signal }, (response) => {
      if (response.statusCode === 200) {
        resolve(response)
        return
      }
      void readRefusal(response).then((text) =>
        reject(new ObjectError(reasonOf(response.statusCode), text)),
      )
    })
    going.on('error', (error) => {
      const message = `the kubelet of this node does not answer: ${error.message}`
      reject(new ObjectError('ServiceUnavailable', message, { cause: error }))
    })
    going.end()
  })
}

function reasonOf(status: number | undefined): 'NotFound' | 'BadRequest' | 'InternalError' {
  if (status === 404) return 'NotFound'
  return status === 400 ? 'BadRequest' : 'InternalError'
}
