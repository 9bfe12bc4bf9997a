import type { KubeObject, ObjectEvent, ObjectStore } from '../objects/types.ts'

/** Who follows all kinds. */
export interface KindsFollower {
  /** What there is of a kind that is followed from now on. */
  begin(resource: string, objects: readonly KubeObject[]): void
  /** A change after that. */
  change(resource: string, event: ObjectEvent): void
}

/**
 * Follows every kind of a store, also those that come later by a definition of theirs.
 *
 * @param except kinds that are left out, by id.
 * @returns how to stop.
 */
export function watchKinds(
  store: ObjectStore,
  except: ReadonlySet<string>,
  follower: KindsFollower,
): () => void {
  const cancels = new Map<string, () => void>()
  const follow = (): void => {
    const served = new Set(store.resources.map(({ id }) => id))
    for (const [id, cancel] of cancels) {
      if (served.has(id)) continue
      cancel()
      cancels.delete(id)
    }
    const come = [...served].filter((id) => !cancels.has(id) && !except.has(id))
    for (const id of come)
      cancels.set(
        id,
        store.watch(id, {}, (event) => follower.change(id, event)),
      )
    for (const id of come) follower.begin(id, store.list(id).items)
  }
  follow()
  const stop = store.onResources(follow)
  return () => {
    stop()
    for (const cancel of cancels.values()) cancel()
    cancels.clear()
  }
}
