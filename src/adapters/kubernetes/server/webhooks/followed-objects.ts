import type { KubeObject, ObjectStore } from '../../objects/types.ts'

/** What was made of all objects of a kind, kept up to date. */
export interface FollowedObjects<T> {
  /** In the order of the names of the objects. */
  readonly all: () => readonly T[]
  /** Stops following them. */
  readonly close: () => void
}

/**
 * Makes something of all objects of a kind, and anew of each one that changes. Of a kind that the store does
 * not have there is nothing.
 *
 * @param changed is told after each change, and at the beginning.
 */
export function followObjects<T>(
  store: Pick<ObjectStore, 'list' | 'watch' | 'resource'>,
  resource: string,
  read: (object: KubeObject) => readonly T[],
  changed: () => void,
): FollowedObjects<T> {
  if (store.resource(resource) === undefined) return { all: () => [], close: () => undefined }
  const known = new Map<string, readonly T[]>()
  let all: readonly T[] = []
  const gather = (): void => {
    const names = [...known.keys()].sort()
    all = names.flatMap((name) => known.get(name) ?? [])
    changed()
  }
  const enter = (object: KubeObject): void => {
    known.set(object.metadata.name, read(object))
  }
  const { items, resourceVersion } = store.list(resource)
  for (const object of items) enter(object)
  gather()
  const close = store.watch(resource, { since: resourceVersion }, ({ type, object }) => {
    if (type === 'DELETED') known.delete(object.metadata.name)
    else enter(object)
    gather()
  })
  return { all: () => all, close }
}
