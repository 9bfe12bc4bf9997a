import type { DocumentHandle } from '../document/handle.ts'
import type { JsonMap } from '../document/value.ts'
import type { DocumentId } from '../ids.ts'
import type { OpenOptions } from './options.ts'
import type { Replica } from './replica.ts'

/** The id of the nth document of a name: `notes/today@2`. Counted from 1. */
export function incarnationId(name: string, incarnation: number): DocumentId {
  return `${name}@${incarnation}`
}

/**
 * Opens the newest document of a name that is not deleted, or the one after it.
 *
 * An id that was deleted stays deleted on every replica, so that nobody who was away brings it back by
 * accident. What may be created again is therefore a name, and each time another document: `today@1`, then
 * `today@2`. Replicas that know of the same deletion take the same next number, so those who create it
 * again while apart end with one merged document.
 *
 * @param name without a number. The ids of its documents are made by {@link incarnationId}.
 * @throws UsageError and DocumentError as {@link Replica.open} does.
 */
export async function openIncarnation<Value = JsonMap>(
  replica: Pick<Replica, 'documents' | 'open'>,
  name: string,
  options: OpenOptions = {},
): Promise<DocumentHandle<Value>> {
  const prefix = `${name}@`
  let newest = 0
  let isOver = true
  for await (const { id, record } of replica.documents(prefix)) {
    const rest = id.slice(prefix.length)
    const number = /^[1-9]\d{0,8}$/.test(rest) ? Number(rest) : 0
    if (number <= newest) continue
    newest = number
    isOver = record.deleted
  }
  return await replica.open<Value>(incarnationId(name, isOver ? newest + 1 : newest), options)
}
