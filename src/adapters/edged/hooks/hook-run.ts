import type { Clock } from '../../../core/interfaces/clock.ts'
import type { JsonObject } from '../../kubernetes/objects/types.ts'
import { delay } from '../../runtime/delay.ts'
import type { PodRuntime } from '../../runtime/index.ts'
import { askHttp } from '../probes/probe-http.ts'
import { hostFor, type LookTarget, lookAt } from '../probes/probe-look.ts'
import { actionOf, portNumber } from '../probes/probe-spec.ts'

/** What running a hook takes. */
export interface HookRun {
  readonly runtime: PodRuntime
  readonly clock: Clock
  readonly target: LookTarget
  /** What the container's definition says of it. */
  readonly hook: JsonObject
  readonly timeoutMs: number
  /** Ends the waiting for it. */
  readonly signal: AbortSignal
}

/**
 * Does what a hook says. Never throws.
 *
 * @returns why it failed; undefined when it did not. Any answer to an HTTP request is a success, as it
 * is for kubelet.
 */
export async function runHook(run: HookRun): Promise<string | undefined> {
  const { runtime, clock, target, timeoutMs, signal } = run
  const action = actionOf(run.hook)
  if (action === undefined) return 'the hook does not say what to do'
  if (action.type === 'sleep') {
    await delay(clock, Math.min(action.delayMs, timeoutMs), signal)
    return undefined
  }
  if (action.type === 'http') {
    const isOpen = action.port === undefined || action.port === ''
    const port = isOpen ? 80 : portNumber(action.port, target.container)
    if (typeof port === 'string') return port
    return await askHttp(action, hostFor(action.host, target), port, timeoutMs, signal).then(
      () => undefined,
      (error: Error) => error.message,
    )
  }
  const { outcome, output } = await lookAt(runtime, target, action, timeoutMs, signal)
  return outcome === 'success' ? undefined : output
}
