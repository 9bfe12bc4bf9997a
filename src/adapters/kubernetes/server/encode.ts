import type { JsonObject, ObjectRow } from '../objects/types.ts'
import type { PiecedBody } from './pieces.ts'

/** What begins a list, up to its first item. */
function headOf(kind: string, apiVersion: string, metadata: JsonObject): string {
  return `${JSON.stringify({ kind, apiVersion, metadata }).slice(0, -1)},"items":[`
}

const TAIL = ']}\n'

const NOTHING = new Uint8Array()

/** What separates items and what encloses fields, so that no byte of it is made again. */
const [OPEN, COMMA, COMMA_OPEN] = [Buffer.from('{'), Buffer.from(','), Buffer.from(',{')]

/**
 * The JSON of a list of what is kept, made of the texts of its items, which nobody reads. Items of a list
 * of Kubernetes' own kinds do not say again what they are.
 */
export function listBody(
  kind: string,
  apiVersion: string,
  metadata: JsonObject,
  rows: readonly ObjectRow[],
): PiecedBody {
  const head = Buffer.from(headOf(kind, apiVersion, metadata))
  const said = Buffer.from(
    `{"apiVersion":${JSON.stringify(apiVersion)},"kind":"${kind.slice(0, -'List'.length)}",`,
  )
  // A row that says something else is let say it.
  const cutOf = (first: Uint8Array): number =>
    first.length > said.length && said.compare(first, 0, said.length) === 0 ? said.length : 0
  let length = head.length + TAIL.length + Math.max(0, rows.length - 1)
  for (const row of rows) {
    const [first = NOTHING] = row.parts
    const cut = cutOf(first)
    length += row.size - cut + (cut > 0 ? 1 : 0)
  }
  function* parts(): Generator<string | Uint8Array> {
    yield head
    let isFirst = true
    for (const row of rows) {
      const [first = NOTHING, ...others] = row.parts
      const cut = cutOf(first)
      if (cut > 0) yield isFirst ? OPEN : COMMA_OPEN
      else if (!isFirst) yield COMMA
      yield cut > 0 ? first.subarray(cut) : first
      yield* others
      isFirst = false
    }
    yield TAIL
  }
  return { length, parts: parts() }
}

/** The JSON of a list of objects as another version shows them, or of metadata, one after the other. */
export function convertedListBody(
  kind: string,
  apiVersion: string,
  metadata: JsonObject,
  texts: Iterable<string | Uint8Array | readonly (string | Uint8Array)[]>,
): PiecedBody {
  function* parts(): Generator<string | Uint8Array> {
    yield headOf(kind, apiVersion, metadata)
    let isFirst = true
    for (const text of texts) {
      if (!isFirst) yield COMMA
      isFirst = false
      if (typeof text === 'string' || text instanceof Uint8Array) yield text
      else yield* text
    }
    yield TAIL
  }
  return { parts: parts() }
}

/** The JSON of the metadata of an object alone (metav1.PartialObjectMetadata), in parts. */
export function partialOf(row: ObjectRow, metaVersion: string): readonly (string | Uint8Array)[] {
  return [
    `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/${metaVersion}","metadata":`,
    ...row.metadataParts,
    '}',
  ]
}

/** The JSON of an object, with the end of its line. */
export function objectBytes(row: ObjectRow): Uint8Array {
  return Buffer.concat([...row.parts, LINE_END])
}

const LINE_END = Buffer.from('\n')

/** The event that was written last: everybody who watches gets the same bytes, one after the other. */
let lastLine:
  | { readonly row: ObjectRow; readonly type: string; readonly bytes: Uint8Array }
  | undefined

/** The line of a watch that tells of an object as it is kept. */
export function eventLine(type: EventType, row: ObjectRow): Uint8Array {
  if (lastLine?.row === row && lastLine.type === type) return lastLine.bytes
  const bytes = Buffer.concat(eventParts(type, row))
  lastLine = { row, type, bytes }
  return bytes
}

/** The same line, in parts. */
export function eventParts(type: EventType, row: ObjectRow): readonly Uint8Array[] {
  return [EVENT_BEGIN[type], ...row.parts, EVENT_END]
}

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED'

const eventBegin = (type: EventType): Uint8Array => Buffer.from(`{"type":"${type}","object":`)
const EVENT_BEGIN = {
  ADDED: eventBegin('ADDED'),
  MODIFIED: eventBegin('MODIFIED'),
  DELETED: eventBegin('DELETED'),
}
const EVENT_END = Buffer.from('}\n')
