import type { JsonObject, KubeObject, ObjectRow } from '../objects/types.ts'
import { apiVersionOf } from './catalog.ts'
import { eventLine, eventParts } from './encode.ts'
import type { Answer } from './negotiate.ts'
import { encodeProtobuf, encodeProtobufEvent, PROTOBUF } from './protobuf/encode.ts'
import { kindType } from './schema/schema.ts'
import { includeObject, metadataOf, tableOf } from './table/table.ts'
import type { WatchSource } from './watch.ts'

/** What a watch tells, one at a time. */
export type Frame =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly row: ObjectRow }
  | { readonly type: 'BOOKMARK'; readonly version: number; readonly isInitialEnd: boolean }
  | { readonly type: 'ERROR'; readonly status: JsonObject }

/** Text or UTF-8. */
export type Part = string | Uint8Array

/** The bytes of a frame; `isAlone` when no other is written with it. */
export type Encode = (frame: Frame, isAlone: boolean) => readonly Part[]

/** Writes the frames of one watch, first to last. */
export function encoder(source: WatchSource): Encode {
  return isProtobuf(source) ? protobufFrames(source) : jsonFrames(source)
}

/** The media type of a watch. */
export function watchType(source: WatchSource): string {
  return isProtobuf(source) ? `${PROTOBUF};stream=watch` : 'application/json'
}

/** What has no protobuf form is sent as JSON. */
function isProtobuf({ answer, served, resource }: WatchSource): boolean {
  const type = kindType(served.group, resource.kind, served.version)
  return answer.format === 'protobuf' && type !== undefined
}

function protobufFrames(source: WatchSource): Encode {
  const { answer, served } = source
  const bodyOf = (frame: Frame): JsonObject => {
    if (frame.type === 'ERROR') return frame.status
    if (frame.type === 'BOOKMARK')
      return bookmark(source, frame.version, frame.isInitialEnd, answer)
    const object = served.conversion?.fromKept(frame.row.object) ?? frame.row.object
    return answer.as === 'metadata' ? metadataOf(object, answer.metaVersion) : object
  }
  return (frame) => {
    const bytes = encodeProtobuf(bodyOf(frame))
    return [encodeProtobufEvent(frame.type, bytes ?? new Uint8Array())]
  }
}

function jsonFrames(source: WatchSource): Encode {
  const { resource, answer, clock } = source
  const shown = (object: KubeObject): KubeObject =>
    source.served.conversion?.fromKept(object) ?? object
  const include = answer.as === 'table' ? includeObject(source.query) : 'Metadata'
  let hasHeader = true
  const table = (objects: readonly KubeObject[], version: string): JsonObject => {
    const body = tableOf({
      resource,
      columns: source.served.custom?.columns,
      objects,
      shown,
      metadata: { resourceVersion: version },
      include,
      metaVersion: answer.metaVersion,
      nowMs: clock.wallMs(),
      hasHeader,
    })
    hasHeader = false
    return body
  }
  return (frame, isAlone) => {
    if (frame.type === 'ERROR') return line('ERROR', JSON.stringify(frame.status))
    if (frame.type === 'BOOKMARK') {
      const mark = bookmark(source, frame.version, frame.isInitialEnd, answer)
      return line(
        'BOOKMARK',
        JSON.stringify(answer.as === 'table' ? table([mark], String(frame.version)) : mark),
      )
    }
    const { type, row } = frame
    const isKept = answer.as === 'object' && source.served.conversion === undefined
    // Alone it goes to everybody who watches: they share its bytes. Of many no bytes are made.
    if (isKept) return isAlone ? [eventLine(type, row)] : eventParts(type, row)
    const { object } = row
    if (answer.as === 'table')
      return line(type, JSON.stringify(table([object], object.metadata.resourceVersion ?? '')))
    const told = shown(object)
    return line(
      type,
      JSON.stringify(answer.as === 'metadata' ? metadataOf(told, answer.metaVersion) : told),
    )
  }
}

function line(type: string, object: string): readonly [string] {
  return [`{"type":"${type}","object":${object}}\n`]
}

function bookmark(
  { resource, served }: WatchSource,
  version: number,
  isInitialEnd: boolean,
  answer: Answer,
): KubeObject {
  const annotations = isInitialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}
  const isMetadata = answer.as === 'metadata'
  return {
    kind: isMetadata ? 'PartialObjectMetadata' : resource.kind,
    apiVersion: isMetadata ? `meta.k8s.io/${answer.metaVersion}` : apiVersionOf(served),
    metadata: { resourceVersion: String(version), ...annotations },
  } as unknown as KubeObject
}
