import type { KubeObject } from '../../kubernetes/objects/types.ts'
import { asObject, asText, asTextMap } from '../json.ts'

const OS_LABEL = 'kubernetes.io/os'

/**
 * Why a pod is not for the operating system of a node, in kubelet's words: a label of its own names
 * another one, or `spec.os` does.
 *
 * @param os as Go names it, such as `linux`.
 */
export function foreignOf(
  pod: KubeObject,
  os: string,
): { readonly reason: string; readonly message: string } | undefined {
  const label = asTextMap(pod.metadata.labels)[OS_LABEL]
  if (label !== undefined && label !== os) {
    const message = "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label"
    return { reason: 'PodOSSelectorNodeLabelDoesNotMatch', message }
  }
  const name = asText(asObject(asObject(pod['spec'])['os'])['name']) ?? os
  if (name === os) return undefined
  const message = "Failed to admit pod as the OS field doesn't match node OS"
  return { reason: 'PodOSNotSupported', message }
}
