import type { KubeObject, ObjectKey, ObjectStore } from 'tideway/adapters/kubernetes/objects'

/** How long a test waits for what programs beside it do, in milliseconds. */
const WITHIN_MS = 60_000

/**
 * Resolves with the object when it is there and `check` holds for it; looks again at each change.
 *
 * @throws Error with the object as it last was.
 */
export function untilShown(
  store: ObjectStore,
  key: ObjectKey,
  check: (object: KubeObject) => boolean = () => true,
): Promise<KubeObject> {
  return until(store, key.resource, () => {
    const object = store.get(key)
    return object !== undefined && check(object) ? object : undefined
  })
}

/** Resolves when the object is gone. */
export async function untilGone(store: ObjectStore, key: ObjectKey): Promise<void> {
  await until(store, key.resource, () => (store.get(key) === undefined ? true : undefined))
}

/** Resolves with the objects of a namespace when `check` holds for them. */
export function untilListed(
  store: ObjectStore,
  resource: string,
  namespace: string,
  check: (objects: readonly KubeObject[]) => boolean,
): Promise<readonly KubeObject[]> {
  return until(store, resource, () => {
    const { items } = store.list(resource, namespace)
    return check(items) ? items : undefined
  })
}

function until<T>(store: ObjectStore, resource: string, find: () => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      const found = find()
      if (found === undefined) return
      cancel()
      clearTimeout(timer)
      resolve(found)
    }
    const cancel = store.watch(resource, {}, () => queueMicrotask(look))
    const timer = setTimeout(() => {
      cancel()
      const all = JSON.stringify(store.list(resource).items.map(brief), undefined, 1)
      reject(new Error(`not so after ${WITHIN_MS} ms: ${String(find)}\n${resource}: ${all}`))
    }, WITHIN_MS)
    look()
  })
}

function brief({ metadata, ...rest }: KubeObject): unknown {
  const { managedFields: _, ...kept } = metadata
  return { metadata: kept, ...rest }
}
