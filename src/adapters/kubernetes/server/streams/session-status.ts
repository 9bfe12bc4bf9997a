import type { SessionEnd } from '../../../../core/interfaces/process-session.ts'
import { type JsonObject, ObjectError } from '../../objects/types.ts'
import { StatusError } from '../status.ts'

/** How a session ended, as the Status on its error channel (metav1.Status). */
export function endStatus(end: SessionEnd): JsonObject {
  if (end.type === 'failed') return failureStatus(end.message)
  if (end.exitCode === 0) return { metadata: {}, status: 'Success' }
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: command terminated with exit code ${end.exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(end.exitCode) }] },
  }
}

/** Something went wrong, as the Status on an error channel. */
export function failureStatus(message: string): JsonObject {
  return {
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: ${message}`,
    reason: 'InternalError',
    details: { causes: [{ message }] },
    code: 500,
  }
}

/** The Status when the way to the process could not be opened after the client was let in. */
export function openFailure(error: unknown): JsonObject {
  const isKnown = error instanceof ObjectError || error instanceof StatusError
  const [cause] = error instanceof StatusError ? (error.details?.causes ?? []) : []
  const text = cause?.message ?? (isKnown ? error.message : undefined)
  const why = text ?? 'the request could not be completed'
  return failureStatus(`unable to upgrade connection: ${why}`)
}
