import { change, free, getLastLocalChange, ImmutableString, init } from '@automerge/automerge'
import { nodeSha256 } from 'tideway/node'

const sha256 = nodeSha256()
const CHECKSUM_AT = 4
const CONTENT_AT = 8
/** Stands in the one template event for what differs from document to document. */
const MARK = '@@@@@@@@'

/** A small status document: what an edge writes all day. */
export interface Status {
  phase: unknown
  message: unknown
  count: number
}

/** The events of one document's life, made by Automerge: its creation, then one edit of two fields each. */
export function statusEvents(actor: string, length: number): readonly Uint8Array[] {
  const events: Uint8Array[] = []
  let doc = init<Status>({ actor })
  for (let count = 0; count < length; count += 1) {
    doc = change(doc, { time: 1_790_000_000 + count }, (status) => {
      if (count === 0) status.phase = new ImmutableString('Running')
      status.message = new ImmutableString(`probe ${count} of ${actor} passed`)
      status.count = count
    })
    const event = getLastLocalChange(doc)
    if (event !== undefined) events.push(event)
  }
  free(doc)
  return events
}

/** An actor of its own for each number. */
export function actorOf(index: number): string {
  return (0x1000_0000_0000 + index).toString(16).padStart(16, '0')
}

/**
 * Makes first events that differ in one value of eight characters: the bytes that Automerge makes, with
 * that value put in place and the checksum computed anew. A hundred times faster than a document each.
 */
export function firstEvents(actor: string): (mark: string) => Uint8Array {
  const doc = change(init<Status>({ actor }), { time: 1_790_000_000 }, (status) => {
    status.phase = new ImmutableString('Running')
    status.message = new ImmutableString(`probe ${MARK} passed`)
    status.count = 1
  })
  const event = getLastLocalChange(doc)
  free(doc)
  if (event === undefined) throw new Error('an edit made no event')
  const template = Buffer.from(event)
  const at = template.indexOf(MARK)
  if (at < 0) throw new Error('the event of the template is compressed')
  return (mark) => {
    const bytes = Buffer.from(template)
    if (bytes.write(mark, at, 'latin1') !== MARK.length) throw new Error('a mark has eight letters')
    bytes.set(sha256(bytes.subarray(CONTENT_AT)).subarray(0, CHECKSUM_AT), CHECKSUM_AT)
    return new Uint8Array(bytes)
  }
}

/** Eight characters for each number below 36^8. */
export function markOf(index: number): string {
  return index.toString(36).padStart(8, '0')
}
