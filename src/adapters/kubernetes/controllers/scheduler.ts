import type { Clock, Logger, Random } from '../../../core/index.ts'
import { createReconciler } from '../../reconciler/index.ts'
import { mapAt, textAt } from '../objects/read.ts'
import type { KubeObject, ObjectKey, ObjectStore } from '../objects/types.ts'
import { setCondition } from './conditions.ts'
import { hintOf, isFinished, keyOfHint } from './object-facts.ts'
import { place, requestsOf, type Usage } from './placement.ts'

/** What every controller of this folder works on. */
export interface ControllerOptions {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Something that runs until it is closed. */
export interface Controller {
  /** Stops looking and waits for what is under way. Idempotent. */
  close(): Promise<void>
}

const NO_USAGE: Usage = { pods: 0, cpuMillis: 0, memoryBytes: 0 }

/** How soon a pod that fitted nowhere is looked at again, beside the changes that wake it at once. */
const RETRY_MS = 30_000

/**
 * Binds each pod without a node to one, as `place` decides. A pod that fits nowhere says so in its
 * condition PodScheduled, and is looked at again when a node or a pod changes.
 */
export function createScheduler(options: ControllerOptions): Controller {
  const { store } = options
  const usage = new NodeUsage()
  const pending = new Set<string>()
  const reconciler = createReconciler({
    ...options,
    // One at a time: each placement counts for the next.
    parallelMax: 1,
    reconcile: async (key) => {
      const scheduled = await schedule(options, usage, keyOfHint('pods', key))
      if (scheduled) pending.delete(key)
      else pending.add(key)
      return scheduled ? undefined : { retryAfterMs: RETRY_MS }
    },
  })
  const look = (pod: KubeObject): void => {
    if (isPending(pod)) reconciler.hint(hintOf(pod))
  }
  const wake = (): void => {
    for (const key of pending) reconciler.hint(key)
  }
  const cancels = [
    store.watch('pods', {}, ({ type, object, previous }) => {
      if (previous !== undefined) usage.remove(previous)
      if (type === 'DELETED') usage.remove(object)
      else usage.add(object)
      if (type !== 'DELETED') look(object)
      if (type === 'DELETED' || isFinished(object)) wake()
    }),
    store.watch('nodes', {}, wake),
  ]
  for (const pod of store.list('pods').items) {
    usage.add(pod)
    look(pod)
  }
  return {
    close: async () => {
      for (const cancel of cancels) cancel()
      await reconciler.close()
    },
  }
}

/** @returns whether the pod needs no more scheduling. */
async function schedule(
  options: ControllerOptions,
  usage: NodeUsage,
  key: ObjectKey,
): Promise<boolean> {
  const { store, logger, clock } = options
  const pod = store.get(key)
  if (pod === undefined || !isPending(pod)) return true
  const placement = place(pod, store.list('nodes').items, (node) => usage.of(node))
  if ('message' in placement) {
    const { message } = placement
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason: 'Unschedulable',
      message,
    } as const
    await store.update(key, (current) => setCondition(current, condition, clock.wallMs()), {
      part: 'observed',
      author: 'scheduler',
    })
    return false
  }
  const bind = (current: KubeObject): KubeObject =>
    isPending(current)
      ? { ...current, spec: { ...mapAt(current, 'spec'), nodeName: placement.node } }
      : current
  await store.update(key, bind, { part: 'desired', author: 'scheduler' })
  logger.info('pod bound', { namespace: key.namespace, pod: key.name, node: placement.node })
  return true
}

/** What runs where, kept as pods change: a placement costs no walk over all pods. */
class NodeUsage {
  readonly #nodes = new Map<string, Usage>()
  readonly #counted = new Map<string, { readonly node: string; readonly usage: Usage }>()

  of(node: string): Usage {
    return this.#nodes.get(node) ?? NO_USAGE
  }

  add(pod: KubeObject): void {
    this.remove(pod)
    const node = textAt(pod, 'spec', 'nodeName')
    if (node === undefined || isFinished(pod)) return
    const usage = requestsOf(pod)
    this.#counted.set(hintOf(pod), { node, usage })
    this.#change(node, usage, 1)
  }

  remove(pod: KubeObject): void {
    const counted = this.#counted.get(hintOf(pod))
    if (counted === undefined) return
    this.#counted.delete(hintOf(pod))
    this.#change(counted.node, counted.usage, -1)
  }

  #change(node: string, by: Usage, sign: 1 | -1): void {
    const now = this.of(node)
    this.#nodes.set(node, {
      pods: now.pods + sign * by.pods,
      cpuMillis: now.cpuMillis + sign * by.cpuMillis,
      memoryBytes: now.memoryBytes + sign * by.memoryBytes,
    })
  }
}

function isPending(pod: KubeObject): boolean {
  const scheduler = textAt(pod, 'spec', 'schedulerName') ?? 'default-scheduler'
  const waits = textAt(pod, 'spec', 'nodeName') === undefined && scheduler === 'default-scheduler'
  return waits && pod.metadata.deletionTimestamp === undefined && !isFinished(pod)
}
