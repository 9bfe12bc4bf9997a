import type { ObjectKey } from '../objects/types.ts'

/** Runs a task when every earlier task of the same object is done. */
export type Exclusive = <T>(key: ObjectKey, task: () => Promise<T>) => Promise<T>

/**
 * One task at a time for each object, so that a precondition that was checked still holds when the
 * write is done. How many wait is bounded by how many requests are taken.
 */
export function createExclusive(): Exclusive {
  const tails = new Map<string, Promise<unknown>>()
  return async <T>(key: ObjectKey, task: () => Promise<T>): Promise<T> => {
    const id = `${key.resource}/${key.namespace ?? ''}/${key.name}`
    const before = tails.get(id) ?? Promise.resolve()
    const mine = before.then(task, task)
    // The one who called hears of a failure; the next in line need not.
    const settled = mine.catch(() => undefined)
    tails.set(id, settled)
    try {
      return await mine
    } finally {
      if (tails.get(id) === settled) tails.delete(id)
    }
  }
}
