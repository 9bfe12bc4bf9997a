import { RuntimeError, type RuntimeErrorReason } from '../index.ts'

/** What an engine, or the way to it, answered instead of a result. */
export class EngineError extends Error {
  /** As HTTP counts; undefined when there was no answer. */
  readonly status: number | undefined
  constructor(status: number | undefined, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = 'EngineError'
    this.status = status
  }
}

/** What podman answers with the status 500 that Docker has statuses for. */
const IMPROPER_STATE = /container state improper|is not running|can only kill running containers/
const ALREADY_USED = /name .* is already in use/

/** Whether the engine says that something does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof EngineError && error.status === 404
}

/** Whether the engine says that a container does not run. */
export function isNotRunning(error: unknown): boolean {
  if (!(error instanceof EngineError)) return false
  return error.status === 409 || (error.status === 500 && IMPROPER_STATE.test(error.message))
}

/** Whether the engine has something of this name already. */
export function isTaken(error: unknown): boolean {
  return (
    error instanceof EngineError &&
    (error.status === 409 || error.status === 500) &&
    ALREADY_USED.test(error.message)
  )
}

/**
 * What a refused call means. Engines say much with the status 500, so the caller has to know what a
 * failure of its call stands for.
 */
export function toRuntimeError(error: unknown, otherwise: RuntimeErrorReason): unknown {
  if (!(error instanceof EngineError)) return error
  return new RuntimeError(reasonOf(error.status, otherwise), error.message, { cause: error })
}

function reasonOf(status: number | undefined, otherwise: RuntimeErrorReason): RuntimeErrorReason {
  if (status === undefined) return 'Unavailable'
  if (status === 404) return 'NotFound'
  return otherwise
}
