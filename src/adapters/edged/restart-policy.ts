import { asObject, asObjects, asText } from './json.ts'
import type { ContainerView, PodView } from './pod-view.ts'

/** How the last run of a container ended. */
export interface RunEnd {
  /** Undefined when nobody knows it. */
  readonly exitCode: number | undefined
  /** Whether it counts as done: one that was stopped because it failed does not, whatever its code. */
  readonly isSuccess: boolean
}

type Policy = PodView['restartPolicy']

/**
 * Whether a container that has ended is to run again: its own rules for exit codes are asked in order,
 * then its own policy, then that of its pod, as kubelet does it. Rules count only beside an own policy.
 */
export function restarts(
  pod: Pick<PodView, 'restartPolicy'>,
  container: ContainerView,
  end: RunEnd,
): boolean {
  switch (container.kind) {
    case 'sidecar':
      return true
    case 'ephemeral':
      return false
    case 'init':
      return !end.isSuccess && restartsBy(pod, container, end, true)
    case 'app':
      return restartsBy(pod, container, end, false)
  }
}

/** Whether a container may ever run again after an end of its own. */
export function isRestartable(
  pod: Pick<PodView, 'restartPolicy'>,
  container: ContainerView,
): boolean {
  if (container.kind === 'sidecar') return true
  const own = ownPolicy(container)
  return (
    (own ?? pod.restartPolicy) !== 'Never' || (own !== undefined && rulesOf(container).length > 0)
  )
}

function restartsBy(
  pod: Pick<PodView, 'restartPolicy'>,
  container: ContainerView,
  { exitCode, isSuccess }: RunEnd,
  isInit: boolean,
): boolean {
  const own = ownPolicy(container)
  if (own !== undefined && exitCode !== undefined) {
    if (rulesOf(container).some((rule) => matches(rule, exitCode))) return true
  }
  const policy = own ?? pod.restartPolicy
  if (policy === 'Always') return true
  // An init container that has not succeeded has failed.
  return policy === 'OnFailure' && (isInit || !isSuccess)
}

function ownPolicy({ json }: ContainerView): Policy | undefined {
  const policy = asText(json['restartPolicy'])
  return policy === 'Always' || policy === 'OnFailure' || policy === 'Never' ? policy : undefined
}

interface Rule {
  readonly isIn: boolean
  readonly codes: readonly unknown[]
}

/** Rules of another action than to restart are for releases to come. */
function rulesOf({ json }: ContainerView): readonly Rule[] {
  return asObjects(json['restartPolicyRules']).flatMap((rule) => {
    const { operator, values } = asObject(rule['exitCodes'])
    const isKnown = operator === 'In' || operator === 'NotIn'
    if (rule['action'] !== 'Restart' || !isKnown || !Array.isArray(values)) return []
    return [{ isIn: operator === 'In', codes: values }]
  })
}

function matches({ isIn, codes }: Rule, exitCode: number): boolean {
  return codes.includes(exitCode) === isIn
}
