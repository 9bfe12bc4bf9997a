import type { Random } from '../../../core/index.ts'
import { createReconciler } from '../../reconciler/index.ts'
import { mapAt, numberAt, textAt } from '../objects/read.ts'
import {
  type JsonObject,
  type KubeObject,
  ObjectError,
  type ObjectKey,
  type ObjectStore,
} from '../objects/types.ts'
import { waitAfterFailuresMs } from './failed-pods.ts'
import { hintOf, isFinished, isReady, keyOfHint } from './object-facts.ts'
import { controllerOf, OwnedPods } from './owned-pods.ts'
import type { Controller, ControllerOptions } from './scheduler.ts'

/** How many pods one pass makes or deletes; the next pass follows at once. */
const BURST_MAX = 50

export interface ReplicaSetOptions extends ControllerOptions {
  /**
   * Which replica sets are run here. A set whose template names a node is run by that node, also while it
   * is cut off; every other one by the cloud. So each set has one runner, and no pod is made twice.
   */
  readonly runs: (nodeName: string | undefined) => boolean
}

/**
 * Keeps as many pods of each replica set as it asks for. A pod belongs to a set by its owner reference:
 * pods of nobody that have the labels are left alone. What a set leaves behind is for the garbage
 * collector.
 */
export function createReplicaSetController(options: ReplicaSetOptions): Controller {
  const { store } = options
  const owned = new OwnedPods()
  const reconciler = createReconciler({
    ...options,
    reconcile: async (key) => {
      const retryAfterMs = await reconcile(options, owned, keyOfHint('replicasets.apps', key))
      return retryAfterMs === undefined ? undefined : { retryAfterMs }
    },
  })
  const take = (pod: KubeObject, isGone: boolean): void => {
    const set = owned.take(pod, isGone)
    if (set !== undefined) reconciler.hint(set)
  }
  const hint = ({ object }: { readonly object: KubeObject }): void => {
    reconciler.hint(hintOf(object))
  }
  const cancels = [
    store.watch('replicasets.apps', {}, hint),
    store.watch('pods', {}, ({ type, object, previous }) => {
      if (previous !== undefined) take(previous, true)
      take(object, type === 'DELETED')
    }),
  ]
  for (const object of store.list('replicasets.apps').items) hint({ object })
  for (const pod of store.list('pods').items) take(pod, false)
  return {
    close: async () => {
      for (const cancel of cancels) cancel()
      await reconciler.close()
    },
  }
}

/** @returns after how long there is more to do. */
async function reconcile(
  options: ReplicaSetOptions,
  owned: OwnedPods,
  key: ObjectKey,
): Promise<number | undefined> {
  const { store, runs, random, logger, clock } = options
  const set = store.get(key)
  if (set === undefined) return undefined
  const template = mapAt(set, 'spec', 'template')
  if (!runs(textAt(template, 'spec', 'nodeName'))) return undefined
  if (set.metadata.deletionTimestamp !== undefined) return undefined
  const { uid } = set.metadata
  const pods = podsOf(owned, key, uid)
  const active = pods.filter(
    (pod) => pod.metadata.deletionTimestamp === undefined && !isFinished(pod),
  )
  const wanted = numberAt(set, 'spec', 'replicas') ?? 1
  const lacking = Math.min(BURST_MAX, wanted - active.length)
  const waitMs = lacking > 0 ? waitAfterFailuresMs(pods, wanted, clock.wallMs()) : 0
  const missing = waitMs > 0 ? 0 : lacking
  for (let i = 0; i < missing; i += 1)
    await store.create(podFrom(set, template, random), { author: 'replicaset' })
  const surplus = active
    .sort(leastValuableFirst)
    .slice(0, Math.min(BURST_MAX, active.length - wanted))
  for (const pod of wanted < active.length ? surplus : []) await remove(store, pod)
  if (missing > 0 || wanted < active.length) {
    logger.info('replica set scaled', {
      namespace: key.namespace,
      name: key.name,
      from: active.length,
      to: wanted,
    })
  }
  await writeStatus(store, key, podsOf(owned, key, uid))
  if (waitMs > 0) return waitMs
  return Math.abs(wanted - active.length) > BURST_MAX ? 0 : undefined
}

async function remove(store: ObjectStore, pod: KubeObject): Promise<void> {
  const { namespace, name, uid } = pod.metadata
  try {
    await store.delete({ resource: 'pods', namespace, name }, { uid, author: 'replicaset' })
  } catch (error) {
    if (
      !(
        error instanceof ObjectError &&
        (error.reason === 'NotFound' || error.reason === 'Conflict')
      )
    )
      throw error
  }
}

function podsOf(owned: OwnedPods, key: ObjectKey, uid: string | undefined): KubeObject[] {
  return owned.of(key).filter((pod) => controllerOf(pod)?.['uid'] === uid)
}

function podFrom(set: KubeObject, template: JsonObject | undefined, random: Random): KubeObject {
  const { name, namespace, uid } = set.metadata
  const metadata = mapAt(template, 'metadata') ?? {}
  const owner = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    name,
    uid,
    controller: true,
    blockOwnerDeletion: true,
  }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...metadata,
      name: `${name}-${suffix(random)}`,
      generateName: `${name}-`,
      ...(namespace === undefined ? {} : { namespace }),
      ownerReferences: [owner],
    },
    spec: mapAt(template, 'spec') ?? {},
    status: { phase: 'Pending' },
  } as KubeObject
}

// The alphabet of generated names: no vowels and nothing that looks alike (apimachinery, SafeEncodeString).
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'

function suffix(random: Random): string {
  const bytes = new Uint8Array(5)
  random.fill(bytes)
  return [...bytes].map((byte) => ALPHABET[byte % ALPHABET.length]).join('')
}

async function writeStatus(
  store: ObjectStore,
  key: ObjectKey,
  pods: readonly KubeObject[],
): Promise<void> {
  const live = pods.filter(
    (pod) => !isFinished(pod) && pod.metadata.deletionTimestamp === undefined,
  )
  const ready = live.filter(isReady).length
  const recipe = (set: KubeObject): KubeObject => {
    const status = {
      replicas: live.length,
      fullyLabeledReplicas: live.length,
      readyReplicas: ready,
      availableReplicas: ready,
      observedGeneration: set.metadata.generation ?? 1,
    }
    const known = mapAt(set, 'status')
    const same = Object.entries(status).every(([field, value]) => known?.[field] === value)
    return same ? set : { ...set, status: { ...known, ...status } }
  }
  await store.update(key, recipe, { part: 'observed', author: 'replicaset' })
}

/** Pods that do not run yet go first, then the youngest. */
function leastValuableFirst(a: KubeObject, b: KubeObject): number {
  if (isReady(a) !== isReady(b)) return isReady(a) ? 1 : -1
  const [left, right] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? '']
  return left < right ? 1 : left > right ? -1 : a.metadata.name < b.metadata.name ? -1 : 1
}
