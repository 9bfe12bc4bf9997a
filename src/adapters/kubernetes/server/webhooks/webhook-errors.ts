import type { JsonObject } from '../../objects/types.ts'
import { isObject, numberAt, textAt } from '../json.ts'
import { GivenStatusError, StatusError } from '../status.ts'

/** A webhook did not answer as it should: whether that counts is for its failurePolicy. */
export class CallError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CallError'
  }
}

/** 500, as Kubernetes answers when something that it needs does not do what it should. */
export function internalError(message: string): StatusError {
  return new StatusError('InternalError', `Internal error occurred: ${message}`, {
    causes: [{ message }],
  })
}

/** What the client is told when a webhook that is needed could not be asked. */
export function callFailure(webhook: string, error: CallError): StatusError {
  return internalError(`failed calling webhook ${JSON.stringify(webhook)}: ${error.message}`)
}

const CODE_MIN = 400
const CODE_MAX = 599

/**
 * The refusal of a webhook, with the Status that it gave.
 *
 * @param result undefined where it gave none.
 */
export function refusalOf(webhook: string, result: JsonObject | undefined): GivenStatusError {
  const denied = `admission webhook ${JSON.stringify(webhook)} denied the request`
  const given = result ?? {}
  const why = textAt(given, 'message') || textAt(given, 'reason')
  const code = numberAt(given, 'code') ?? 0
  const status = textAt(given, 'status')
  const { reason, details, metadata } = given
  return new GivenStatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: isObject(metadata) ? metadata : {},
    status: status === '' || status === 'Success' ? 'Failure' : status,
    message: why === '' ? `${denied} without explanation` : `${denied}: ${why}`,
    ...(typeof reason === 'string' && reason !== '' ? { reason } : {}),
    ...(isObject(details) ? { details } : {}),
    code: Number.isInteger(code) && code >= CODE_MIN && code <= CODE_MAX ? code : CODE_MIN,
  })
}
