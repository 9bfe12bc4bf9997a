import type { SandboxStatus } from '../../runtime/index.ts'
import type { PodContext } from '../pod-context.ts'
import type { StopStep } from '../pod-plan.ts'
import { allContainers, type PodView } from '../pod-view.ts'
import { isRestartable } from '../restart-policy.ts'

/** What kubelet says of a container that it stops. */
export function stopMessage(
  pod: PodView,
  name: string,
  why: StopStep['why'],
  isLast: boolean,
): string {
  const container = allContainers(pod).find((each) => each.name === name)
  const comesBack = container === undefined || isRestartable(pod, container)
  const suffix = comesBack ? ', will be restarted' : ''
  switch (why) {
    case 'changed':
      return `Container ${name} definition changed, will be restarted`
    case 'resized':
      return `Container ${name} resize requires restart`
    case 'startup':
    case 'liveness':
      // With its last container the pod itself is over.
      if (isLast && !comesBack) return `Stopping container ${name}`
      if (container?.kind === 'sidecar') return `Init container ${name} failed ${why} probe`
      return `Container ${name} failed ${why} probe${suffix}`
    case 'postStart':
      return 'FailedPostStartHook'
    case 'unknown': {
      const kind = container?.kind === 'app' ? 'Container' : 'Init container'
      return `${kind} is in "unknown" state, try killing it before restart`
    }
    case 'deleted':
    case 'finished':
    case 'sandbox':
      return `Stopping container ${name}`
  }
}

/** Tells that a container is stopped whose pod nobody knows any more. */
export function tellEnd(
  { record }: Pick<PodContext, 'record'>,
  { namespace, name, uid }: Pick<SandboxStatus, 'namespace' | 'name' | 'uid'>,
  container: string,
): void {
  record({
    ...{ kind: 'Pod', namespace, name, uid, type: 'Normal', reason: 'Killing' },
    message: `Stopping container ${container}`,
    fieldPath: `spec.containers{${container}}`,
  })
}
