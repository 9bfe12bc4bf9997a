import * as Automerge from '@automerge/automerge'

import { readEvent } from '../../src/core/log/event.ts'
import type { CheckedEvent, IncomingEntry } from '../../src/core/log/submission.ts'
import { sha256 } from './memory-log.ts'

/** Makes real events of one actor for one document, outside of any replica. */
export class Author {
  #doc: Automerge.Doc<Record<string, unknown>>

  constructor(actor = 'aaaaaaaaaaaaaaaa', from?: Author) {
    this.#doc =
      from === undefined ? Automerge.init({ actor }) : Automerge.clone(from.#doc, { actor })
  }

  /** The next event: sets a key. */
  set(key: string, value: number | string): CheckedEvent {
    this.#doc = Automerge.change(this.#doc, { time: 0 }, (draft) => {
      draft[key] = typeof value === 'string' ? new Automerge.ImmutableString(value) : value
    })
    const bytes = Automerge.getLastLocalChange(this.#doc)
    if (bytes === undefined) throw new Error('nothing changed')
    return { bytes, header: readEvent(bytes, sha256) }
  }

  /** Another writer who has seen everything so far. */
  fork(actor: string): Author {
    return new Author(actor, this)
  }
}

/** An event as it arrives from a peer. */
export function incoming(document: string, event: CheckedEvent, collection = 'c'): IncomingEntry {
  return {
    wire: { kind: 'event', document, collection, generation: 1, bytes: event.bytes },
    events: [event],
  }
}

/** An entry without events, as it arrives from a peer. */
export function incomingMark(
  document: string,
  kind: 'tombstone' | 'leave',
  collection = 'c',
): IncomingEntry {
  return {
    wire: { kind, document, collection, generation: 1, bytes: new Uint8Array(0) },
    events: [],
  }
}
