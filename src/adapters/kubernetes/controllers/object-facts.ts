import { mapsAt, textAt } from '../objects/read.ts'
import type { KubeObject, ObjectKey } from '../objects/types.ts'

// What the controllers ask of an object in the same words, and how they name one to their queue.

/** Whether the Ready condition of a pod or of a node is True. */
export function isReady(object: KubeObject): boolean {
  return mapsAt(object, 'status', 'conditions').some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  )
}

/** Whether the containers of a pod have ended for good: it takes no room any more. */
export function isFinished(pod: KubeObject): boolean {
  const phase = textAt(pod, 'status', 'phase')
  return phase === 'Succeeded' || phase === 'Failed'
}

/** An object of a namespace as `namespace/name`. */
export function hintOf({ metadata }: KubeObject): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`
}

/** The object of `resource` that {@link hintOf} names. */
export function keyOfHint(resource: string, hint: string): ObjectKey {
  const [namespace = '', name = ''] = hint.split('/')
  return { resource, namespace, name }
}
