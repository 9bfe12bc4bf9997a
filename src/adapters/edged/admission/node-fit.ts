import type { JsonObject, KubeObject } from '../../kubernetes/objects/types.ts'
import { asObject, asObjects, asText, asTextMap, asTexts } from '../json.ts'
import { asksForAppArmor } from './app-armor.ts'
import { sharesHostPort } from './host-ports.ts'
import { asAllocated, lackMessage, lacksOf, usersOf } from './node-room.ts'
import { foreignOf } from './pod-os.ts'
import { forbiddenSysctl } from './pod-sysctls.ts'

/** Why a pod may not begin on a node, in kubelet's words. */
export interface Refusal {
  readonly reason: string
  readonly message: string
}

/** The node that a pod is for. */
export interface FitNode {
  readonly name: string
  /** The operating system of the node, as Go names it. Default: not looked at. */
  readonly os?: string | undefined
  /** Whether its kernel enforces profiles of AppArmor. Default: not looked at. */
  readonly hasAppArmor?: boolean | undefined
  /** What pods may have together. */
  readonly allocatable: Readonly<Record<string, string>>
  /** The Node object; undefined while there is none. */
  readonly object: KubeObject | undefined
  /** The uids of pods that it has just taken, though they do not say so yet. Default: none. */
  readonly taken?: ReadonlySet<string> | undefined
  /** Settings of the kernel that pods may have beside the safe ones. Default: none. */
  readonly unsafeSysctls?: readonly string[] | undefined
}

/**
 * Why a node does not take a pod that was given to it without asking a scheduler, or before the node
 * changed: it asks for a setting of the kernel that it may not have, is for another system, there is no room for it beside the pods
 * that have begun, its selector or affinity names other nodes, a taint lets nothing run that does not
 * tolerate it, or it asks for what no runtime does here. In the order in which kubelet looks.
 *
 * @param pods every pod that is known.
 * @returns undefined when the node takes it.
 */
export function misfitOf(
  pod: KubeObject,
  pods: readonly KubeObject[],
  node: FitNode,
): Refusal | undefined {
  const forbidden = forbiddenSysctl(pod, node.unsafeSysctls ?? [])
  if (forbidden !== undefined) return { reason: 'SysctlForbidden', message: forbidden }
  const foreign = node.os === undefined ? undefined : foreignOf(pod, node.os)
  if (foreign !== undefined) return foreign
  const isThere = (each: KubeObject): boolean =>
    hasBegun(each) || node.taken?.has(each.metadata.uid ?? '') === true
  const others = usersOf(pods, node.name, pod.metadata.uid).filter(isThere).map(asAllocated)
  const [lack] = lacksOf(pod, others, node.allocatable)
  if (lack !== undefined) return { reason: `OutOf${lack.resource}`, message: lackMessage(lack) }
  return misplacedOf(pod, others, node.object) ?? unsupportedOf(pod) ?? unconfinedOf(pod, node)
}

function misplacedOf(
  pod: KubeObject,
  others: readonly KubeObject[],
  node: KubeObject | undefined,
): Refusal | undefined {
  if (node === undefined) return undefined
  if (!isSelected(asObject(pod['spec']), node)) {
    return failed('NodeAffinity', "node(s) didn't match Pod's node affinity/selector")
  }
  if (sharesHostPort(pod, others)) {
    return failed('NodePorts', "node(s) didn't have free ports for the requested pod ports")
  }
  if (untolerated(pod, node)) {
    return failed('TaintToleration', "node(s) had taints that the pod didn't tolerate")
  }
  return undefined
}

/** Not to be taken lightly: the pod asks for groups of an image not to count. */
function unsupportedOf(pod: KubeObject): Refusal | undefined {
  const context = asObject(asObject(pod['spec'])['securityContext'])
  if (context['supplementalGroupsPolicy'] !== 'Strict') return undefined
  const message = 'SupplementalGroupsPolicy=Strict is not supported in this node'
  return { reason: 'SupplementalGroupsPolicyNotSupported', message }
}

/** A profile that nobody enforces would only seem to hold the pod. */
function unconfinedOf(pod: KubeObject, { hasAppArmor }: FitNode): Refusal | undefined {
  if (hasAppArmor !== false || !asksForAppArmor(pod)) return undefined
  const message = 'Cannot enforce AppArmor: AppArmor is not enabled on the host'
  return { reason: 'AppArmor', message }
}

function failed(reason: string, what: string): Refusal {
  return { reason, message: `Predicate ${reason} failed: ${what}` }
}

/** Of pods that come at the same time each counts for those that come after it. */
function hasBegun(pod: KubeObject): boolean {
  return asObject(pod['status'])['startTime'] !== undefined
}

function isSelected(spec: JsonObject, node: KubeObject): boolean {
  const labels = asTextMap(node.metadata.labels)
  const selector = Object.entries(asTextMap(spec['nodeSelector']))
  if (!selector.every(([key, value]) => labels[key] === value)) return false
  const affinity = asObject(asObject(spec['affinity'])['nodeAffinity'])
  const required = affinity['requiredDuringSchedulingIgnoredDuringExecution']
  if (required === undefined || required === null) return true
  const fields = { 'metadata.name': node.metadata.name }
  return asObjects(asObject(required)['nodeSelectorTerms']).some((term) => {
    const [byLabel, byField] = [asObjects(term['matchExpressions']), asObjects(term['matchFields'])]
    // A term that asks for nothing matches nothing.
    if (byLabel.length + byField.length === 0) return false
    return (
      byLabel.every((each) => meets(each, labels)) && byField.every((each) => meets(each, fields))
    )
  })
}

function meets(requirement: JsonObject, values: Readonly<Record<string, string>>): boolean {
  const value = values[asText(requirement['key']) ?? '']
  const wanted = asTexts(requirement['values'])
  switch (requirement['operator']) {
    case 'In':
      return value !== undefined && wanted.includes(value)
    case 'NotIn':
      return value === undefined || !wanted.includes(value)
    case 'Exists':
      return value !== undefined
    case 'DoesNotExist':
      return value === undefined
    case 'Gt':
      return value !== undefined && Number(value) > Number(wanted[0])
    case 'Lt':
      return value !== undefined && Number(value) < Number(wanted[0])
    default:
      return false
  }
}

/** Whether the node ends whatever does not tolerate one of its taints. */
function untolerated(pod: KubeObject, node: KubeObject): boolean {
  const tolerations = asObjects(asObject(pod['spec'])['tolerations'])
  const taints = asObjects(asObject(node['spec'])['taints'])
  return taints.some(
    (taint) =>
      taint['effect'] === 'NoExecute' && !tolerations.some((each) => tolerates(each, taint)),
  )
}

function tolerates(toleration: JsonObject, taint: JsonObject): boolean {
  const effect = asText(toleration['effect']) ?? ''
  if (effect !== '' && effect !== taint['effect']) return false
  const key = asText(toleration['key']) ?? ''
  const isAny = toleration['operator'] === 'Exists'
  if (key === '') return isAny
  if (key !== taint['key']) return false
  return isAny || (asText(toleration['value']) ?? '') === (asText(taint['value']) ?? '')
}
