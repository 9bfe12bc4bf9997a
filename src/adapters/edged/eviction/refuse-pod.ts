import { type KubeObject, ObjectError } from '../../kubernetes/objects/types.ts'
import type { Refusal } from '../admission/node-fit.ts'
import { kubeTime } from '../conditions.ts'
import { asText } from '../json.ts'
import { type PodContext, tell } from '../pod-context.ts'
import type { PodView } from '../pod-view.ts'
import { qosClass } from '../qos.ts'

/** Whether a pod has never been looked at by a node. */
export function isNew(pod: PodView): boolean {
  return pod.status['startTime'] === undefined && !pod.isDeleted && !isOver(pod)
}

/** Whether a pod ended before any of its containers was known of: there is nothing to add to that. */
export function wasRefused(pod: PodView): boolean {
  return pod.status['phase'] === 'Failed' && pod.status['containerStatuses'] === undefined
}

/** Ends a pod that has not begun, in kubelet's words. */
export async function refusePod(
  context: Pick<PodContext, 'store' | 'clock' | 'record'>,
  pod: PodView,
  { reason, message }: Refusal,
): Promise<void> {
  const { store, clock } = context
  tell(context, pod, 'Warning', reason, message)
  const { generation } = pod.object.metadata
  const recipe = (object: KubeObject): KubeObject => ({
    ...object,
    status: {
      ...pod.status,
      message: `Pod was rejected: ${message}`,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
      phase: 'Failed',
      qosClass: qosClass(pod),
      reason,
      startTime: asText(pod.status['startTime']) ?? kubeTime(clock.wallMs()),
    },
  })
  const key = { resource: 'pods', namespace: pod.namespace, name: pod.name }
  try {
    await store.update(key, recipe, { part: 'observed', uid: pod.uid, author: 'edged' })
  } catch (error) {
    // Gone or replaced meanwhile: the hint for that is on its way.
    const isGone = error instanceof ObjectError && ['NotFound', 'Conflict'].includes(error.reason)
    if (!isGone) throw error
  }
}

function isOver(pod: PodView): boolean {
  return pod.status['phase'] === 'Failed' || pod.status['phase'] === 'Succeeded'
}
