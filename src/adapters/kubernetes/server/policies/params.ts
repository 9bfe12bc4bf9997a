import { selects } from '../../objects/label-selector.ts'
import type { KubeObject, ObjectStore } from '../../objects/types.ts'
import { apiVersionOf, type Catalog, type Served } from '../catalog.ts'
import type { ParamKind, ParamRef } from './policy.ts'

/** A policy or a binding cannot be used as it is: whether that counts is for the failurePolicy. */
export class PolicyProblem extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'PolicyProblem'
  }
}

/** Where parameters are found. */
export interface ParamSource {
  readonly store: Pick<ObjectStore, 'get' | 'list'>
  readonly catalog: Catalog
}

/**
 * The kind of the parameters of a policy, as it is served.
 *
 * @throws PolicyProblem for one that is not.
 */
export function servedParams({ catalog }: ParamSource, { apiVersion, kind }: ParamKind): Served {
  const served = catalog.all.find(
    (item) =>
      item.kind === kind && apiVersionOf(item) === apiVersion && item.resource !== undefined,
  )
  if (served !== undefined) return served
  const text = apiVersion.includes('/') ? apiVersion : `/${apiVersion}`
  throw new PolicyProblem(
    `failed to find resource referenced by paramKind: '${text}, Kind=${kind}'`,
  )
}

/**
 * The parameters that a binding gives to its policy: a policy is asked once for each.
 *
 * @param namespace of the request; undefined for none.
 * @returns one undefined where the policy is asked without any.
 * @throws PolicyProblem where they cannot be told, or are needed and not there.
 */
export function paramsOf(
  source: ParamSource,
  served: Served | undefined,
  reference: ParamRef | undefined,
  namespace: string | undefined,
): readonly (KubeObject | undefined)[] {
  if (served === undefined || reference === undefined) return [undefined]
  const home = homeOf(served, reference, namespace)
  const { name, selector, needsParams } = reference
  const resource = served.resource?.id ?? ''
  const found =
    name === ''
      ? source.store
          .list(resource, home)
          .items.filter((item) => selects(selector ?? {}, item.metadata.labels ?? {}))
      : [source.store.get({ resource, namespace: home, name })]
  const there = found.flatMap((item) =>
    item === undefined ? [] : [served.conversion?.fromKept(item) ?? item],
  )
  if (there.length === 0 && needsParams)
    throw new PolicyProblem(
      'no params found for policy binding with `Deny` parameterNotFoundAction',
    )
  return there
}

function homeOf(
  { namespaced }: Served,
  reference: ParamRef,
  namespace: string | undefined,
): string | undefined {
  if (!namespaced) {
    if (reference.namespace === '') return undefined
    throw new PolicyProblem(
      'paramRef.namespace must not be provided for a cluster-scoped `paramKind`',
    )
  }
  const home = reference.namespace || (namespace ?? '')
  if (home !== '') return home
  throw new PolicyProblem(
    'cannot use namespaced paramRef in policy binding that matches cluster-scoped resources',
  )
}
