import type { Cancel } from '../../../core/index.ts'
import { mapsAt } from '../objects/read.ts'
import type { KubeObject } from '../objects/types.ts'
import { setCondition } from './conditions.ts'
import { taintForPressure } from './pressure-taints.ts'
import type { Controller, ControllerOptions } from './scheduler.ts'

/** How long a node may be silent before it counts as not ready (node-monitor-grace-period). */
const GRACE_MS = 40_000

export interface NodeLifecycleOptions extends ControllerOptions {
  /** Default 40 s, as kube-controller-manager. */
  readonly graceMs?: number | undefined
}

/** Watches the heartbeats of nodes. */
export interface NodeLifecycle extends Controller {
  /** A heartbeat of a node arrived. */
  beat(node: string): void
}

const SILENT = {
  status: 'Unknown',
  reason: 'NodeStatusUnknown',
  message: 'Kubelet stopped posting node status.',
} as const

/**
 * Says of a node that was silent too long that its state is unknown. The node itself says that it is
 * ready, when it sees what was said of it. Nothing is evicted: what runs on a cut-off node keeps running.
 * A node that says that it runs short of something gets the taint that keeps new pods away from it.
 */
export function createNodeLifecycle(options: NodeLifecycleOptions): NodeLifecycle {
  const { store, clock, logger } = options
  const graceMs = options.graceMs ?? GRACE_MS
  const timers = new Map<string, Cancel>()
  let closed = false

  const silent = (name: string): void => {
    timers.delete(name)
    const recipe = (node: KubeObject): KubeObject =>
      mapsAt(node, 'status', 'conditions').reduce<KubeObject>(
        (marked, { type }) =>
          typeof type === 'string'
            ? setCondition(marked, { type, ...SILENT }, clock.wallMs())
            : marked,
        node,
      )
    store
      .update({ resource: 'nodes', name }, recipe, { part: 'observed', author: 'node-lifecycle' })
      .then(() => logger.warn('a node is silent', { node: name, graceMs }))
      .catch((error: unknown) => logger.error('a node could not be marked', { node: name, error }))
  }
  const beat = (name: string): void => {
    if (closed) return
    timers.get(name)?.()
    timers.set(
      name,
      clock.schedule(graceMs, () => silent(name)),
    )
  }
  const taint = (node: KubeObject): void => {
    taintForPressure(store, node, clock.wallMs()).catch((error: unknown) =>
      logger.error('a node could not be tainted', { node: node.metadata.name, error }),
    )
  }
  const cancel = store.watch('nodes', {}, ({ type, object }) => {
    const { name } = object.metadata
    if (type === 'ADDED') beat(name)
    if (type !== 'DELETED') return taint(object)
    timers.get(name)?.()
    timers.delete(name)
  })
  // After a restart every node gets its grace from now on: who was silent meanwhile is not known.
  for (const node of store.list('nodes').items) {
    beat(node.metadata.name)
    taint(node)
  }
  return {
    beat,
    close: () => {
      closed = true
      cancel()
      for (const timer of timers.values()) timer()
      timers.clear()
      return Promise.resolve()
    },
  }
}
