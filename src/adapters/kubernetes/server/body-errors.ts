import { badRequest, StatusError } from './status.ts'

/** How much of a body an error quotes. */
const QUOTED_BYTES_MAX = 30

/**
 * A refusal of a body, with the kind that was expected and the beginning of what came: the words
 * with which kube-apiserver refuses it.
 */
export function unrecognized(error: unknown, kind: string, bytes: Uint8Array): unknown {
  if (!(error instanceof StatusError) || error.reason !== 'BadRequest') return error
  return badRequest(
    `the object provided is unrecognized (must be of type ${kind}): ${error.message} (${quoted(bytes)})`,
  )
}

function quoted(bytes: Uint8Array): string {
  if (bytes.length === 0) return '<empty>'
  const isJson = bytes[0] === 0x7b
  const start = Buffer.from(bytes.subarray(0, QUOTED_BYTES_MAX))
  const text = isJson ? start.toString('utf8') : start.toString('hex')
  return bytes.length > QUOTED_BYTES_MAX ? `${text} ...` : text
}
