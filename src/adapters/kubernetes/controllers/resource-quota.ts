import { createReconciler } from '../../reconciler/index.ts'
import { resourcesAt } from '../objects/pod-resources.ts'
import { limitedNames, usedOf } from '../objects/quota-usage.ts'
import { mapAt } from '../objects/read.ts'
import { type KubeObject, ObjectError } from '../objects/types.ts'
import { hintOf, keyOfHint } from './object-facts.ts'
import type { Controller, ControllerOptions } from './scheduler.ts'

const QUOTAS = 'resourcequotas'

/** Some things change without an event: a pod is past its grace, a kind was defined. */
const LOOK_MS = 60_000

/**
 * Tells in the status of each resource quota what it limits and what is used up of it. Whether something
 * fits is for the API server to say, which counts by itself.
 */
export function createQuotaController(options: ControllerOptions): Controller {
  const { store } = options
  const reconciler = createReconciler({
    ...options,
    reconcile: async (hint) =>
      (await report(options, hint)) ? { retryAfterMs: LOOK_MS } : undefined,
  })
  const hint = (resource: string, { metadata: { namespace } }: KubeObject): void => {
    for (const quota of store.list(QUOTAS, namespace).items) {
      const names = Object.keys(resourcesAt(quota, 'spec', 'hard'))
      if (limitedNames(resource, names).length > 0) reconciler.hint(hintOf(quota))
    }
  }
  const cancels = store.resources
    .filter(({ namespaced }) => namespaced)
    .map(({ id }) => store.watch(id, {}, ({ object }) => hint(id, object)))
  cancels.push(store.watch(QUOTAS, {}, ({ object }) => reconciler.hint(hintOf(object))))
  for (const quota of store.list(QUOTAS).items) reconciler.hint(hintOf(quota))
  return {
    close: async () => {
      for (const cancel of cancels) cancel()
      await reconciler.close()
    },
  }
}

/** @returns whether the quota is there. */
async function report({ store, clock }: ControllerOptions, hint: string): Promise<boolean> {
  const key = keyOfHint(QUOTAS, hint)
  const quota = store.get(key)
  if (quota === undefined) return false
  const hard = mapAt(quota, 'spec', 'hard') ?? {}
  const status = { hard, used: usedOf(store, quota, clock.wallMs()) }
  // The store writes what differs, and nothing when nothing does.
  const recipe = (current: KubeObject): KubeObject => ({ ...current, status })
  try {
    await store.update(key, recipe, { part: 'observed', author: 'resourcequota-controller' })
  } catch (error) {
    if (!(error instanceof ObjectError) || error.reason !== 'NotFound') throw error
    return false
  }
  return true
}
