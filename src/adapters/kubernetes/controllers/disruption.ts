import { createReconciler } from '../../reconciler/index.ts'
import { mapAt, numberAt, textAt } from '../objects/read.ts'
import {
  type JsonObject,
  type KubeObject,
  ObjectError,
  type ObjectStore,
} from '../objects/types.ts'
import { EVICTION_MS, isCovered, type Scale, withBudgetStatus } from './disruption-status.ts'
import { hintOf, keyOfHint } from './object-facts.ts'
import { controllerOf } from './owned-pods.ts'
import type { Controller, ControllerOptions } from './scheduler.ts'

const BUDGETS = 'poddisruptionbudgets.policy'

/** An owner of an owner of an owner: sets belong to deployments, and what makes those to something else. */
const OWNERS_MAX = 8

/**
 * Counts in the status of each disruption budget how many of its pods may be evicted, so that a drain that
 * may go on does. Whether an eviction is allowed is for the API server to say, which takes it from there.
 */
export function createDisruptionController(options: ControllerOptions): Controller {
  const { store } = options
  const reconciler = createReconciler({
    ...options,
    reconcile: async (hint) =>
      (await report(options, hint)) ? { retryAfterMs: EVICTION_MS } : undefined,
  })
  const look = (pod: KubeObject): void => {
    for (const budget of store.list(BUDGETS, pod.metadata.namespace).items)
      if (isCovered(budget, pod)) reconciler.hint(hintOf(budget))
  }
  const cancels = [
    store.watch(BUDGETS, {}, ({ object }) => reconciler.hint(hintOf(object))),
    store.watch('pods', {}, ({ object, previous }) => {
      if (previous !== undefined) look(previous)
      look(object)
    }),
  ]
  for (const budget of store.list(BUDGETS).items) reconciler.hint(hintOf(budget))
  return {
    close: async () => {
      for (const cancel of cancels) cancel()
      await reconciler.close()
    },
  }
}

/** @returns whether an eviction is waited for, which may come to nothing. */
async function report({ store, clock }: ControllerOptions, hint: string): Promise<boolean> {
  const key = keyOfHint(BUDGETS, hint)
  const known = store.get(key)
  if (known === undefined) return false
  const pods = store.list('pods', key.namespace).items.filter((pod) => isCovered(known, pod))
  const scaleOf = (owner: JsonObject, namespace: string): Scale | undefined =>
    scaleAbove(store, owner, namespace)
  // What was evicted meanwhile is in the budget as it is when it is written.
  const recipe = (budget: KubeObject): KubeObject =>
    withBudgetStatus(budget, pods, scaleOf, clock.wallMs())
  try {
    const written = await store.update(key, recipe, {
      part: 'observed',
      author: 'disruption-controller',
    })
    return mapAt(written, 'status', 'disruptedPods') !== undefined
  } catch (error) {
    if (!(error instanceof ObjectError) || error.reason !== 'NotFound') throw error
    return false
  }
}

/** How many pods the topmost controller above a pod wants, of those that say how many. */
function scaleAbove(store: ObjectStore, owner: JsonObject, namespace: string): Scale | undefined {
  let next: JsonObject | undefined = owner
  let found: Scale | undefined
  for (let step = 0; step < OWNERS_MAX && next !== undefined; step++) {
    const object = objectOf(store, next, namespace)
    const replicas = object === undefined ? undefined : numberAt(object, 'spec', 'replicas')
    if (object === undefined || replicas === undefined) break
    found = { id: object.metadata.uid ?? hintOf(object), replicas }
    next = controllerOf(object)
  }
  return found
}

/** The object that a reference of an owner names, if it is of a kind that can be scaled. */
function objectOf(
  store: ObjectStore,
  owner: JsonObject,
  namespace: string,
): KubeObject | undefined {
  const [kind, name] = [textAt(owner, 'kind'), textAt(owner, 'name')]
  const apiVersion = textAt(owner, 'apiVersion') ?? ''
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : ''
  const resource = store.resources.find(
    (item) => item.kind === kind && item.group === group && item.parts.some(isScale),
  )
  if (resource === undefined || name === undefined) return undefined
  const object = store.get({ resource: resource.id, namespace, name })
  return object?.metadata.uid === owner['uid'] ? object : undefined
}

function isScale({ name }: { readonly name: string }): boolean {
  return name === 'scale'
}
