import type { Clock, Logger, Random } from '../../../core/index.ts'
import { equalValues } from '../../../core/index.ts'
import { createReconciler } from '../../reconciler/index.ts'
import { selects } from '../objects/label-selector.ts'
import { mapsAt } from '../objects/read.ts'
import type { JsonObject, KubeObject, ObjectStore } from '../objects/types.ts'
import { RBAC_RESOURCES } from './rbac-index.ts'

const RESOURCE = RBAC_RESOURCES.clusterRoles
const AUTHOR = 'clusterrole-aggregation-controller'

/** What {@link createRoleAggregation} works on. */
export interface RoleAggregationOptions {
  readonly store: ObjectStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/**
 * Keeps the rules of each cluster role with an `aggregationRule` what the roles that it selects have,
 * as they change. For where no kube-controller-manager does it.
 */
export function createRoleAggregation(options: RoleAggregationOptions): {
  /** Stops it, and waits for what is under way. */
  close(): Promise<void>
} {
  const { store } = options
  if (store.resource(RESOURCE) === undefined) return { close: async () => undefined }
  const reconciler = createReconciler({
    ...options,
    // A role may be in another one's rules, and so in a third's.
    parallelMax: 1,
    reconcile: async (name) => {
      await aggregate(store, name)
      return undefined
    },
  })
  const hint = (): void => {
    for (const role of store.list(RESOURCE).items) {
      if (selectorsOf(role).length > 0) reconciler.hint(role.metadata.name)
    }
  }
  const cancel = store.watch(RESOURCE, {}, hint)
  hint()
  return {
    close: async () => {
      cancel()
      await reconciler.close()
    },
  }
}

async function aggregate(store: ObjectStore, name: string): Promise<void> {
  const role = store.get({ resource: RESOURCE, name })
  if (role === undefined || selectorsOf(role).length === 0) return
  const rules = aggregatedRules(role, store.list(RESOURCE).items)
  if (equalValues(rules, mapsAt(role, 'rules'))) return
  await store.update({ resource: RESOURCE, name }, (current) => ({ ...current, rules }), {
    part: 'desired',
    uid: role.metadata.uid,
    author: AUTHOR,
  })
}

/** The rules that a role gathers from others, each once, in the order of its selectors. Pure. */
export function aggregatedRules(
  role: KubeObject,
  roles: readonly KubeObject[],
): readonly JsonObject[] {
  const sorted = [...roles].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  const rules = new Map<string, JsonObject>()
  for (const selector of selectorsOf(role)) {
    for (const other of sorted) {
      if (other.metadata.name === role.metadata.name) continue
      if (!selects(selector, other.metadata.labels ?? {})) continue
      for (const rule of mapsAt(other, 'rules')) rules.set(canonical(rule), rule)
    }
  }
  return [...rules.values()]
}

function selectorsOf(role: KubeObject): readonly JsonObject[] {
  return mapsAt(role, 'aggregationRule', 'clusterRoleSelectors')
}

function canonical(rule: JsonObject): string {
  return JSON.stringify(Object.entries(rule).sort((a, b) => (a[0] < b[0] ? -1 : 1)))
}
