import type { Catalog, Served } from './catalog.ts'
import { methodNotAllowed } from './operations.ts'
import type { ResourceRequest } from './request.ts'
import { unknownResource } from './status.ts'

/** Whether a group has anything that is served. */
export function hasGroup(catalog: Catalog, group: string): boolean {
  return catalog.all.some((served) => served.group === group)
}

/** Whether a path is below `/api/VERSION` or `/apis/GROUP/VERSION` of a group that is served. */
export function isInVersionedGroup(catalog: Catalog, path: string): boolean {
  const [root, first = '', second] = path.split('/').slice(1)
  if (root === 'api') return first !== ''
  return root === 'apis' && second !== undefined && second !== '' && hasGroup(catalog, first)
}

/**
 * Refuses a request that is not in the scope of its resource, of a namespace or of the cluster.
 *
 * @throws StatusError 404 or 405.
 */
export function checkScope(info: ResourceRequest, served: Served): void {
  const needsNamespace =
    info.name !== undefined || info.verb === 'create' || info.verb === 'deletecollection'
  if (served.namespaced && info.namespace === undefined && needsNamespace) {
    throw info.name === undefined ? methodNotAllowed() : unknownResource()
  }
  if (!served.namespaced && info.namespace !== undefined) throw unknownResource()
}

/** Whether only definitions have kinds in a group: Kubernetes knows no other paths below it. */
export function isCustomGroup(catalog: Catalog, group: string): boolean {
  return catalog.all.every((served) => served.group !== group || served.custom !== undefined)
}

/** Whether a path of a kind that definitions define is one that Kubernetes does not know for it. */
export function isOutOfScope(info: ResourceRequest, { namespaced }: Served): boolean {
  const isAcross = info.verb === 'list' || info.verb === 'watch'
  return namespaced ? info.namespace === undefined && !isAcross : info.namespace !== undefined
}
