import { equalValues } from '../../../core/index.ts'
import { mapAt, mapsAt } from '../objects/read.ts'
import {
  type Json,
  type JsonObject,
  type KubeObject,
  ObjectError,
  type ObjectKey,
  type ObjectStore,
} from '../objects/types.ts'
import table from './bootstrap.json' with { type: 'json' }
import { uncovered } from './escalation.ts'
import { RBAC_RESOURCES } from './rbac-index.ts'
import { ruleJson, rulesOf } from './rule.ts'

/** A row of the table: a role or binding without what all of them carry. */
interface Entry {
  readonly kind: string
  readonly name: string
  readonly namespace?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly aggregationRule?: JsonObject
  readonly rules?: readonly JsonObject[]
  readonly roleRef?: JsonObject
  readonly subjects?: readonly JsonObject[]
}

/** Set to `false` by somebody who wants an object of the table left alone. */
const AUTO_UPDATE = 'rbac.authorization.kubernetes.io/autoupdate'

const AUTHOR = 'bootstrap'

/** How often one object is tried when somebody else writes it at the same time. */
const ATTEMPTS_MAX = 3

const RESOURCES: Readonly<Record<string, string>> = {
  Role: RBAC_RESOURCES.roles,
  ClusterRole: RBAC_RESOURCES.clusterRoles,
  RoleBinding: RBAC_RESOURCES.roleBindings,
  ClusterRoleBinding: RBAC_RESOURCES.clusterRoleBindings,
}

/**
 * Every role and binding that a cluster has from the start, as Kubernetes 1.36 has them.
 *
 * @param controllers whether those of the single controllers of kube-controller-manager are wanted.
 */
export function bootstrapObjects(controllers: boolean): readonly KubeObject[] {
  const entries = [...table.cluster, ...(controllers ? table.controllers : [])]
  return (entries as readonly unknown[] as readonly Entry[]).map((entry) => {
    const { kind, name, namespace, labels, ...rest } = entry
    return {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind,
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
        annotations: { [AUTO_UPDATE]: 'true' },
      },
      ...rest,
    } as KubeObject
  })
}

/**
 * Makes what is missing of these roles and bindings. What somebody added to one that is there stays;
 * what the table has more is added, unless its annotation `autoupdate` says `false`. A binding that
 * gives another role is made anew, since what a binding gives cannot change.
 *
 * @throws ObjectError when one cannot be written.
 */
export async function reconcileBootstrap(
  store: ObjectStore,
  objects: readonly KubeObject[],
): Promise<void> {
  const served = objects.filter(({ kind }) => store.resource(RESOURCES[kind] ?? '') !== undefined)
  await Promise.all(served.map((object) => reconcile(store, object, 1)))
}

async function reconcile(store: ObjectStore, wanted: KubeObject, attempt: number): Promise<void> {
  const { name, namespace } = wanted.metadata
  const key: ObjectKey = { resource: RESOURCES[wanted.kind] ?? '', namespace, name }
  const found = store.get(key)
  try {
    if (found === undefined) await store.create(wanted, { author: AUTHOR })
    else if (found.metadata.annotations?.[AUTO_UPDATE] === 'false') return
    else if (wanted['roleRef'] !== undefined && !sameRole(found, wanted)) {
      await store.delete(key, { uid: found.metadata.uid, author: AUTHOR })
      await store.create(wanted, { author: AUTHOR })
    } else {
      const change = (current: KubeObject): KubeObject => completed(current, wanted)
      await store.update(key, change, { part: 'desired', author: AUTHOR })
    }
  } catch (error) {
    const isRace =
      error instanceof ObjectError && /^(AlreadyExists|NotFound|Conflict)$/.test(error.reason)
    if (!isRace || attempt >= ATTEMPTS_MAX) throw error
    await reconcile(store, wanted, attempt + 1)
  }
}

function sameRole(found: KubeObject, wanted: KubeObject): boolean {
  return equalValues(found['roleRef'], wanted['roleRef'])
}

/** An object with what it lacks of another; the same object when it lacks nothing. Pure. */
export function completed(found: KubeObject, wanted: KubeObject): KubeObject {
  const fields: Record<string, Json> = {}
  const missingRules = uncovered(rulesOf(found['rules']), rulesOf(wanted['rules']))
  if (missingRules.length > 0)
    fields['rules'] = [...mapsAt(found, 'rules'), ...missingRules.map(ruleJson)]
  const subjects = missing(found, wanted, 'subjects')
  if (subjects.length > 0) fields['subjects'] = [...mapsAt(found, 'subjects'), ...subjects]
  const rule = mapAt(found, 'aggregationRule')
  const selectors = missing(rule, mapAt(wanted, 'aggregationRule'), 'clusterRoleSelectors')
  if (selectors.length > 0) {
    const known = mapsAt(rule, 'clusterRoleSelectors')
    fields['aggregationRule'] = { ...rule, clusterRoleSelectors: [...known, ...selectors] }
  }
  const metadata = {
    ...found.metadata,
    labels: { ...wanted.metadata.labels, ...found.metadata.labels },
    annotations: { ...wanted.metadata.annotations, ...found.metadata.annotations },
  }
  const object = { ...found, ...fields, metadata }
  return equalValues(object, found) ? found : object
}

function missing(
  found: JsonObject | undefined,
  wanted: JsonObject | undefined,
  list: string,
): readonly JsonObject[] {
  const known = mapsAt(found, list)
  return mapsAt(wanted, list).filter((item) => !known.some((other) => equalValues(item, other)))
}
