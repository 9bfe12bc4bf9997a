import { type Doc, diff, view } from '@automerge/automerge/slim'

import type { DocumentId, EventHash } from '../ids.ts'
import type { StoredEntry } from '../log/entry.ts'
import { readMadeEvent } from '../log/event.ts'
import { changeByHash } from './automerge-state.ts'
import { portableEdit } from './portable-edit.ts'

/** An edit that is made again in a new generation: it was on its way to the disk when the old one ended. */
export interface CarriedEdit {
  readonly edit: Uint8Array
  readonly timeSeconds: number
  readonly message: string | undefined
}

/** An edit of a document, as it can be made again in one without its history. */
export function carriedEdit(doc: Doc<unknown>, hash: EventHash): CarriedEdit | undefined {
  const bytes = changeByHash(doc, hash)
  if (bytes === undefined) return undefined
  const { parents, timeSeconds, message } = readMadeEvent(bytes, hash)
  const before = [...parents]
  const edit = portableEdit(
    diff(doc, before, [hash]),
    () => view(doc, before),
    () => view(doc, [hash]),
  )
  return { edit, timeSeconds, message }
}

/**
 * Tells the entries of one append apart: those of documents in which it begins a generation, from its base
 * on, and all others one by one. In the order in which they stand.
 */
export function eachBegun(
  entries: readonly StoredEntry[],
  begun: (document: DocumentId, entries: readonly StoredEntry[]) => void,
  other: (entry: StoredEntry) => void,
): void {
  if (!entries.some(({ kind }) => kind === 'base')) {
    for (const entry of entries) other(entry)
    return
  }
  const bases = new Map<DocumentId, number>()
  entries.forEach((entry, index) => {
    if (entry.kind === 'base') bases.set(entry.document, index)
  })
  entries.forEach((entry, index) => {
    const { document } = entry
    const base = bases.get(document)
    if (base === undefined) other(entry)
    else if (base === index)
      begun(
        document,
        entries.slice(base).filter((later) => later.document === document),
      )
  })
}
