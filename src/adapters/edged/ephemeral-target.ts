import { asText } from './json.ts'
import type { PodContext } from './pod-context.ts'
import { runsOf } from './pod-plan.ts'
import type { ContainerView, PodView } from './pod-view.ts'

/** Beside whose processes a container runs, or why that cannot be. Neither: beside nobody's. */
export interface EphemeralTarget {
  readonly id?: string
  /** In kubelet's words. */
  readonly problem?: string
}

/** The run of the container that one that was added to a pod is to look at. */
export async function ephemeralTarget(
  context: Pick<PodContext, 'runtime'>,
  pod: PodView,
  container: ContainerView,
): Promise<EphemeralTarget> {
  const name = asText(container.json['targetContainerName']) ?? ''
  if (container.kind !== 'ephemeral' || name === '') return {}
  const { containers } = await context.runtime.list(pod.uid)
  const run = runsOf(containers, name).at(-1)
  return run === undefined ? { problem: `unable to find target container ${name}` } : { id: run.id }
}
