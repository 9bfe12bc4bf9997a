import { parseMillis, parseWhole } from '../objects/quantity.ts'
import { mapAt, mapsAt, textAt } from '../objects/read.ts'
import type { JsonObject, KubeObject } from '../objects/types.ts'
import { isReady } from './object-facts.ts'

/** What the pods of a node ask for together. */
export interface Usage {
  readonly pods: number
  readonly cpuMillis: number
  readonly memoryBytes: number
}

/** Where a pod goes, or why it can go nowhere: `0/2 nodes are available: 2 Insufficient cpu.` */
export type Placement = { readonly node: string } | { readonly message: string }

/**
 * Picks the node for a pod: among those that are ready, that its nodeSelector names, whose taints it
 * tolerates and whose allocatable resources its requests fit into, the one with the fewest pods; of
 * several, the first by name.
 */
export function place(
  pod: KubeObject,
  nodes: readonly KubeObject[],
  usageOf: (node: string) => Usage,
): Placement {
  const reasons = new Map<string, number>()
  let best: { name: string; pods: number } | undefined
  for (const node of nodes) {
    const { name } = node.metadata
    const usage = usageOf(name)
    const reason = unfit(pod, node, usage)
    if (reason !== undefined) {
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
      continue
    }
    const better =
      best === undefined || usage.pods < best.pods || (usage.pods === best.pods && name < best.name)
    if (better) best = { name, pods: usage.pods }
  }
  if (best !== undefined) return { node: best.name }
  if (nodes.length === 0) return { message: 'no nodes available to schedule pods' }
  const parts = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort()
  return { message: `0/${nodes.length} nodes are available: ${parts.join(', ')}.` }
}

/** What a pod asks for: the larger of its containers together and its largest init container. */
export function requestsOf(pod: KubeObject): Usage {
  const spec = mapAt(pod, 'spec')
  const sum = (field: 'cpu' | 'memory', parse: (value: unknown) => number | undefined): number => {
    const of = (container: JsonObject): number =>
      parse(mapAt(container, 'resources', 'requests')?.[field]) ?? 0
    const together = mapsAt(spec, 'containers').reduce(
      (total, container) => total + of(container),
      0,
    )
    return Math.max(together, ...mapsAt(spec, 'initContainers').map(of))
  }
  return { pods: 1, cpuMillis: sum('cpu', parseMillis), memoryBytes: sum('memory', parseWhole) }
}

/** Why a pod cannot go to a node, in the words of kube-scheduler; undefined when it can. */
function unfit(pod: KubeObject, node: KubeObject, usage: Usage): string | undefined {
  if (mapAt(node, 'spec')?.['unschedulable'] === true) return 'node(s) were unschedulable'
  if (!isReady(node)) return 'node(s) were not ready'
  const taint = mapsAt(node, 'spec', 'taints').find((candidate) => repels(candidate, pod))
  if (taint !== undefined) {
    const value = textAt(taint, 'value') ?? ''
    return `node(s) had untolerated taint {${textAt(taint, 'key') ?? ''}: ${value}}`
  }
  if (!selected(pod, node)) return "node(s) didn't match Pod's node affinity/selector"
  return insufficient(requestsOf(pod), node, usage)
}

function insufficient(wanted: Usage, node: KubeObject, used: Usage): string | undefined {
  const allocatable = mapAt(node, 'status', 'allocatable')
  const pods = parseWhole(allocatable?.['pods'])
  if (pods !== undefined && used.pods + 1 > pods) return 'Too many pods'
  const cpu = parseMillis(allocatable?.['cpu'])
  if (wanted.cpuMillis > 0 && used.cpuMillis + wanted.cpuMillis > (cpu ?? 0))
    return 'Insufficient cpu'
  const memory = parseWhole(allocatable?.['memory'])
  if (wanted.memoryBytes > 0 && used.memoryBytes + wanted.memoryBytes > (memory ?? 0))
    return 'Insufficient memory'
  return undefined
}

function selected(pod: KubeObject, node: KubeObject): boolean {
  const labels = mapAt(node, 'metadata', 'labels')
  return Object.entries(mapAt(pod, 'spec', 'nodeSelector') ?? {}).every(
    ([key, value]) => labels?.[key] === value,
  )
}

function repels(taint: JsonObject, pod: KubeObject): boolean {
  const effect = textAt(taint, 'effect')
  if (effect !== 'NoSchedule' && effect !== 'NoExecute') return false
  return !mapsAt(pod, 'spec', 'tolerations').some((toleration) => tolerates(toleration, taint))
}

function tolerates(toleration: JsonObject, taint: JsonObject): boolean {
  const effect = textAt(toleration, 'effect')
  if (effect !== undefined && effect !== taint['effect']) return false
  const key = textAt(toleration, 'key')
  const exists = toleration['operator'] === 'Exists'
  if (key === undefined) return exists
  if (key !== taint['key']) return false
  return exists || (textAt(toleration, 'value') ?? '') === (textAt(taint, 'value') ?? '')
}
