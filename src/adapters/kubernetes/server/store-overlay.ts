import type { ObjectStore } from '../objects/types.ts'

/** A store that does some things in another way, and all others as `store` does. */
export function overlaid(store: ObjectStore, own: Partial<ObjectStore>): ObjectStore {
  return new Proxy(store, {
    get: (target, name) => {
      if (Object.hasOwn(own, name)) return Reflect.get(own, name) as unknown
      const value = Reflect.get(target, name, target) as unknown
      // Methods of classes with private fields work on their own object only.
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
