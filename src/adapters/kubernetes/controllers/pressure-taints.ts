import { mapAt, mapsAt } from '../objects/read.ts'
import {
  type JsonObject,
  type KubeObject,
  ObjectError,
  type ObjectStore,
} from '../objects/types.ts'
import { timestamp } from './conditions.ts'

/** The taint that goes with each condition of a node which says that something runs short. */
const TAINTS: Readonly<Record<string, string>> = {
  MemoryPressure: 'node.kubernetes.io/memory-pressure',
  DiskPressure: 'node.kubernetes.io/disk-pressure',
  PIDPressure: 'node.kubernetes.io/pid-pressure',
}

const KEYS: ReadonlySet<unknown> = new Set(Object.values(TAINTS))

/**
 * A node with the taints that its conditions ask for, so that no pod is sent where it would be
 * refused. The same object when it has them already; taints of others stay.
 */
export function withPressureTaints(node: KubeObject, nowMs: number): KubeObject {
  const conditions = mapsAt(node, 'status', 'conditions')
  const wanted = Object.keys(TAINTS).flatMap((type) => {
    const isShort = conditions.some((each) => each['type'] === type && each['status'] === 'True')
    return isShort ? [TAINTS[type] ?? ''] : []
  })
  const taints = mapsAt(node, 'spec', 'taints')
  const isOurs = ({ key, effect }: JsonObject): boolean => KEYS.has(key) && effect === 'NoSchedule'
  const had = new Set(taints.filter(isOurs).map(({ key }) => key))
  if (had.size === wanted.length && wanted.every((key) => had.has(key))) return node
  const kept = taints.filter(
    (taint) => !isOurs(taint) || wanted.some((key) => key === taint['key']),
  )
  const timeAdded = timestamp(nowMs)
  const added = wanted
    .filter((key) => !had.has(key))
    .map((key) => ({ key, effect: 'NoSchedule', timeAdded }))
  const { taints: _before, ...spec } = mapAt(node, 'spec') ?? {}
  const all = [...kept, ...added]
  return { ...node, spec: all.length === 0 ? spec : { ...spec, taints: all } }
}

/** Gives a node the taints of its conditions. */
export async function taintForPressure(
  store: ObjectStore,
  node: KubeObject,
  nowMs: number,
): Promise<void> {
  if (withPressureTaints(node, nowMs) === node) return
  const key = { resource: 'nodes', name: node.metadata.name }
  const options = { part: 'desired', author: 'node-lifecycle' } as const
  try {
    await store.update(key, (current) => withPressureTaints(current, nowMs), options)
  } catch (error) {
    if (!(error instanceof ObjectError && error.reason === 'NotFound')) throw error
  }
}
