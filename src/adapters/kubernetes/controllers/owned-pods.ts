import { mapsAt } from '../objects/read.ts'
import type { JsonObject, KubeObject, ObjectKey } from '../objects/types.ts'

/** The owner reference of the controller of an object, if it has one (metav1.OwnerReference). */
export function controllerOf(object: KubeObject): JsonObject | undefined {
  return mapsAt(object, 'metadata', 'ownerReferences').find((owner) => owner['controller'] === true)
}

/** The pods of replica sets, by the name of their set: a change of one pod costs no walk over all. */
export class OwnedPods {
  readonly #sets = new Map<string, Map<string, KubeObject>>()

  /** Notes a pod as it is now. @returns the `namespace/name` of its set, if it has one. */
  take(pod: KubeObject, isGone: boolean): string | undefined {
    const owner = controllerOf(pod)
    if (owner?.['kind'] !== 'ReplicaSet') return undefined
    const set = `${pod.metadata.namespace}/${String(owner['name'])}`
    const pods = this.#sets.get(set) ?? new Map<string, KubeObject>()
    if (isGone) pods.delete(pod.metadata.name)
    else pods.set(pod.metadata.name, pod)
    if (pods.size === 0) this.#sets.delete(set)
    else this.#sets.set(set, pods)
    return set
  }

  /** The pods that name this set as their owner, also those of an earlier set of the same name. */
  of(key: ObjectKey): readonly KubeObject[] {
    return [...(this.#sets.get(`${key.namespace}/${key.name}`)?.values() ?? [])]
  }
}
