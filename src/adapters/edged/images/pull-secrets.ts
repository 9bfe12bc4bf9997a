import type { KubeObject, ObjectStore } from '../../kubernetes/objects/types.ts'
import { asObjects, asText } from '../json.ts'
import type { PodView } from '../pod-view.ts'

/** The secrets that a pod names for pulling its images. */
export interface PullSecrets {
  readonly found: readonly KubeObject[]
  /** What is wrong, in kubelet's words; undefined when all are there. */
  readonly problem: { readonly reason: string; readonly message: string } | undefined
}

/** Looks for the secrets that a pod names for pulling its images. */
export function pullSecrets(store: Pick<ObjectStore, 'get'>, pod: PodView): PullSecrets {
  const { namespace } = pod
  const names = asObjects(pod.spec['imagePullSecrets']).flatMap(
    (each) => asText(each['name']) ?? [],
  )
  const all = names.map((name) => ({
    name,
    secret: store.get({ resource: 'secrets', namespace, name }),
  }))
  const missing = all.filter(({ secret }) => secret === undefined).map(({ name }) => name)
  const message = `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`
  const reason = 'FailedToRetrieveImagePullSecret'
  return {
    found: all.flatMap(({ secret }) => secret ?? []),
    problem: missing.length === 0 ? undefined : { reason, message },
  }
}
