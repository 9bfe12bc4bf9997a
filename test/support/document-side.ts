import type { DocumentKind } from '../../src/core/document/kind.ts'
import { type Edit, OpenDocument } from '../../src/core/document/open-document.ts'
import type { JsonMap } from '../../src/core/document/value.ts'
import type { StoredEntry } from '../../src/core/log/entry.ts'
import { sha256 } from './memory-log.ts'

/** A kind with everything that merges in a way of its own. */
export const KIND: DocumentKind = {
  name: 'test/v1',
  shape: {
    type: 'map',
    fields: {
      items: {
        type: 'list',
        keys: ['name'],
        item: { type: 'map', fields: { tags: { type: 'set' } } },
      },
      words: { type: 'set' },
      count: { type: 'counter' },
    },
  },
  skeleton: ['labels', 'items', 'words'],
}

/** One document of one replica, fed by hand. */
export class Side {
  readonly document: OpenDocument
  readonly made: Edit[] = []
  #position = 0

  constructor(actor: string, kind: DocumentKind = KIND) {
    this.document = new OpenDocument('d', kind, {
      collection: 'c',
      actor: actor.repeat(16),
      sha256,
    })
    this.document.load([])
  }

  write(base: JsonMap, next: JsonMap): void {
    const edit = this.document.edit(base, next, {})
    if (edit !== undefined) {
      this.made.push(edit)
      for (const event of edit.events)
        this.document.apply(this.#entry(event.bytes, event.header.hash))
    }
  }

  take(edits: readonly Edit[]): void {
    for (const edit of edits) {
      for (const { bytes, header } of edit.events)
        this.document.apply(this.#entry(bytes, header.hash))
    }
  }

  #entry(bytes: Uint8Array, hash: string): StoredEntry {
    this.#position += 1
    return {
      kind: 'event',
      document: 'd',
      collection: 'c',
      generation: 1,
      from: undefined,
      hash,
      bytes,
      position: this.#position,
    }
  }
}

/** As a document shows it: what the skeleton made and nobody filled is not shown. */
export function shown(map: JsonMap): JsonMap {
  const result: Record<string, JsonMap[string]> = { ...map }
  for (const path of KIND.skeleton) {
    const part = result[path]
    if (typeof part === 'object' && part !== null && Object.keys(part).length === 0)
      delete result[path]
  }
  return result
}
