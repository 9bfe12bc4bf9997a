import { setTimeout as sleep } from 'node:timers/promises'
import { GRPC } from '../../grpc/wire.ts'
import { RuntimeError, type RuntimeErrorReason } from '../index.ts'
import { GrpcError } from './grpc.ts'

/** Whether the runtime says that something does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof GrpcError && error.code === GRPC.notFound
}

/** Whether the runtime does not know the call. */
export function isUnknownCall(error: unknown): boolean {
  return error instanceof GrpcError && error.code === GRPC.unimplemented
}

const TRIES_MAX = 5
const TRY_AGAIN_MS = 200

/**
 * Does what may be repeated, and repeats it: an engine that finds a container's keeper just ending
 * fails with the code `unknown`, and succeeds a moment later.
 */
export async function persistently<Result>(call: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call()
    } catch (error) {
      const isPassing = error instanceof GrpcError && error.code === GRPC.unknown
      if (!isPassing || tries === TRIES_MAX) throw error
      await sleep(TRY_AGAIN_MS)
    }
  }
}

/**
 * What a refused call means. Engines say nearly everything with the code `unknown`, so the caller has
 * to know what a failure of its call stands for.
 */
export function toRuntimeError(error: unknown, otherwise: RuntimeErrorReason): unknown {
  if (!(error instanceof GrpcError)) return error
  const reason = reasonOf(error.code, otherwise)
  return new RuntimeError(reason, withoutPath(error.message), { cause: error })
}

function reasonOf(code: number, otherwise: RuntimeErrorReason): RuntimeErrorReason {
  if (code === GRPC.notFound) return 'NotFound'
  if (code === GRPC.invalidArgument) return 'InvalidSpec'
  if (code === GRPC.unavailable || code === GRPC.deadlineExceeded) return 'Unavailable'
  return otherwise
}

/** The words of the engine, which people search for. */
export function withoutPath(message: string): string {
  return message.replace(/^\/runtime\.v1\.\w+\/\w+: /, '')
}
