import { type Doc, getBackend, getChangesMetaSince, getObjectId } from '@automerge/automerge/slim'

import type { ActorId, EventHash } from '../ids.ts'

// The one file that asks the state below a document: what Automerge's own functions on documents do not
// tell, or tell only at a much higher price.

/** What Automerge knows of one change without decoding its operations. */
export interface ChangeFacts {
  readonly hash: EventHash
  readonly actor: ActorId
  readonly seq: number
  /** The counters of its first and its last operation. Those of its parents are all lower. */
  readonly startOp: number
  readonly maxOp: number
  /** Seconds since the Unix epoch; 0 when not said. */
  readonly time: number
  readonly message: string | null
  readonly deps: readonly EventHash[]
}

/** One of the values that stand at one place. */
export interface StoredValue {
  /** As `readValue` takes it. */
  readonly value: unknown
  /** The operation that wrote it: its counter and its author. Of all at one place the highest wins. */
  readonly counter: number
  readonly actor: ActorId
}

/** The bytes of one change of a document, or undefined when the document does not have it. */
export function changeByHash(doc: Doc<unknown>, hash: EventHash): Uint8Array | undefined {
  return getBackend(doc).getChangeByHash(hash) ?? undefined
}

/** One change, or undefined when the document does not have it: also while it waits for its parents. */
export function changeFacts(doc: Doc<unknown>, hash: EventHash): ChangeFacts | undefined {
  return getBackend(doc).getChangeMetaByHash(hash) ?? undefined
}

/** Every change of a document, parents first. */
export function allChanges(doc: Doc<unknown>): readonly ChangeFacts[] {
  return getChangesMetaSince(doc, [])
}

/** Every value that stands at `key` of a map or list of the document: several after concurrent writes. */
export function valuesAt(
  doc: Doc<unknown>,
  container: object,
  key: string | number,
): readonly StoredValue[] {
  const state = getBackend(doc)
  const id = getObjectId(container)
  if (id === null) return []
  return state.getAll(id, key).map((found) => {
    const [type, content] = found
    const isObject = type === 'map' || type === 'list' || type === 'text' || type === 'table'
    // An object is named by the operation that made it.
    const operation = String(isObject ? content : found[2])
    const at = operation.indexOf('@')
    return {
      value: isObject ? state.materialize(String(content)) : content,
      counter: Number(operation.slice(0, at)),
      actor: operation.slice(at + 1),
    }
  })
}
