import type { JsonObject, KubeObject, ObjectEvent } from '../kubernetes/objects/types.ts'
import { sameJson } from './json.ts'

/**
 * Tells changes of pods that are nothing but the status which is being written here from all others: whoever
 * writes a status knows already what follows from it.
 */
export class OwnStatuses {
  readonly #written = new Map<string, JsonObject>()

  /** Writes the status of a pod; whatever says just that meanwhile is our own. */
  async during<Result>(
    uid: string,
    status: JsonObject,
    write: () => Promise<Result>,
  ): Promise<Result> {
    this.#written.set(uid, status)
    try {
      return await write()
    } finally {
      this.#written.delete(uid)
    }
  }

  /** Whether nothing has changed but a status, to what is being written. One change may hold several. */
  isOwn({ type, object, previous }: ObjectEvent): boolean {
    const status = this.#written.get(object.metadata.uid ?? '')
    if (type !== 'MODIFIED' || previous === undefined || status === undefined) return false
    return sameJson(object['status'], status) && sameJson(rest(object), rest(previous))
  }
}

function rest({ status: _, metadata, ...fields }: KubeObject): JsonObject {
  const { resourceVersion: __, ...kept } = metadata
  return { ...fields, metadata: { ...kept } }
}
