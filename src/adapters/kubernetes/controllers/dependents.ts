import type { KubeObject } from '../objects/types.ts'
import { keyOf, keyText, type OwnerRef, ownersOf } from './owners.ts'

/**
 * Which objects belong to which, by the uid of the owner: to find what an object leaves behind costs as
 * much as it leaves, however many others there are. Objects without owners take no room.
 */
export class Dependents {
  /** The dependents of each owner: by its uid, their keys and how they refer to it. */
  readonly #ofOwner = new Map<string, Map<string, OwnerRef>>()
  /** The owners that each dependent was noted with, by its key. */
  readonly #owners = new Map<string, readonly OwnerRef[]>()

  /**
   * Notes an object as it is now.
   *
   * @returns whether the owners that it names are others than before.
   */
  take(resource: string, object: KubeObject): boolean {
    const key = keyText(keyOf(resource, object))
    const known = this.#owners.get(key)
    const owners = ownersOf(object)
    if (sameOwners(known ?? [], owners)) return false
    this.drop(key)
    if (owners.length > 0) this.#owners.set(key, owners)
    for (const owner of owners) {
      const others = this.#ofOwner.get(owner.uid) ?? new Map<string, OwnerRef>()
      others.set(key, owner)
      this.#ofOwner.set(owner.uid, others)
    }
    return true
  }

  /** Forgets an object that is gone, by its key. */
  drop(key: string): void {
    for (const { uid } of this.#owners.get(key) ?? []) {
      const others = this.#ofOwner.get(uid)
      others?.delete(key)
      if (others?.size === 0) this.#ofOwner.delete(uid)
    }
    this.#owners.delete(key)
  }

  /** The keys of what belongs to the object with this uid, and how each refers to it. */
  of(uid: string): ReadonlyMap<string, OwnerRef> {
    return this.#ofOwner.get(uid) ?? NONE
  }
}

const NONE: ReadonlyMap<string, OwnerRef> = new Map()

function sameOwners(a: readonly OwnerRef[], b: readonly OwnerRef[]): boolean {
  const same = (left: OwnerRef, right: OwnerRef | undefined): boolean =>
    left.uid === right?.uid && left.blocks === right.blocks && left.name === right.name
  return a.length === b.length && a.every((owner, index) => same(owner, b[index]))
}
