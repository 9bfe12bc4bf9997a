import { compareUtf8 } from '../bytes.ts'
import type { CollectionId, DocumentId } from '../ids.ts'
import type { FieldReader } from './field-reader.ts'
import {
  COLLECTION_BYTES_MAX,
  DOCUMENT_BYTES_MAX,
  ENTRIES_ASKED_MAX,
  ENTRY_NAMES_MAX,
  RANGE_DOCUMENTS_MAX,
  RANGE_PARTS_MAX,
  RANGES_ASKED_MAX,
} from './limits.ts'
import { FRAME_NUMBERS, type Frame } from './message.ts'
import type {
  AskEntriesFrame,
  AskRangesFrame,
  DocumentMark,
  DocumentState,
  RangeAnswer,
  RangePart,
  RangeQuestion,
  ReconcileFrame,
  TellEntriesFrame,
  TellRangesFrame,
  Want,
} from './reconcile-frames.ts'

/** The bytes of a fingerprint, and of the name of an entry. */
export const FINGERPRINT_BYTES = 8

const HERE = 0
const NONE = 1
const LEFT = 2

/** The items of a frame of the reconciliation. docs/protocol.md says what each means. */
export function reconcileItems(frame: ReconcileFrame): unknown[] {
  const number = FRAME_NUMBERS[frame.type]
  const { question } = frame
  switch (frame.type) {
    case 'ask-ranges':
      return [number, question, frame.ranges.map(rangeItem)]
    case 'tell-ranges':
      return [number, question, frame.answers.map(answerItem)]
    case 'ask-entries':
      return [number, question, frame.collection, frame.documents.map(stateItem)]
    case 'tell-entries':
      return [number, question, frame.follows, frame.wants.map(wantItem)]
  }
}

function rangeItem({ collection, from, to, fingerprint }: RangeQuestion): unknown[] {
  if (fingerprint !== undefined) return [collection, from, to ?? null, fingerprint]
  return to === undefined ? [collection, from] : [collection, from, to]
}

function answerItem(answer: RangeAnswer): unknown {
  switch (answer.kind) {
    case 'equal':
      return null
    case 'documents':
      return [0, ...answer.documents.flatMap((mark) => [mark.document, mark.fingerprint])]
    case 'parts':
      return [1, ...answer.parts.flatMap((part) => [part.to ?? null, part.fingerprint])]
  }
}

function stateItem({ document, home, generation, moves, names }: DocumentState): unknown[] {
  const place = typeof home === 'object' ? home.collection : ['here', 'none', 'left'].indexOf(home)
  return [document, place, generation, moves, names ?? null]
}

function wantItem({ document, whole, names }: Want): unknown[] {
  return [document, whole, names ?? null]
}

function readAskRanges(fields: FieldReader): AskRangesFrame {
  const question = fields.uint('question')
  const ranges = fields.records('ranges', RANGES_ASKED_MAX).map((record): RangeQuestion => {
    const collection = record.collection('collection')
    const from = record.text('from', DOCUMENT_BYTES_MAX)
    const to = record.more ? record.optionalText('to', DOCUMENT_BYTES_MAX) : undefined
    if (to !== undefined && compareUtf8(from, to) >= 0) record.fail('to', 'is not past from')
    const fingerprint = record.more
      ? record.fixedBytes('fingerprint', FINGERPRINT_BYTES)
      : undefined
    return { collection, from, to, fingerprint }
  })
  if (ranges.length === 0) fields.fail('ranges', 'is empty')
  return { type: 'ask-ranges', question, ranges }
}

function readTellRanges(fields: FieldReader): TellRangesFrame {
  const question = fields.uint('question')
  const items = fields.array('answers', RANGES_ASKED_MAX)
  const answers = items.map((item) => readAnswer(fields, item))
  if (answers.length === 0) fields.fail('answers', 'is empty')
  return { type: 'tell-ranges', question, answers }
}

function readAnswer(fields: FieldReader, item: unknown): RangeAnswer {
  if (item === null) return { kind: 'equal' }
  if (!Array.isArray(item)) fields.fail('answers', 'holds an item that is not an array')
  const [kind, ...rest] = item as unknown[]
  if (kind === 0) return { kind: 'documents', documents: readMarks(fields, rest) }
  if (kind === 1) return { kind: 'parts', parts: readParts(fields, rest) }
  return fields.fail('answers', 'holds an answer of unknown kind')
}

function readMarks(fields: FieldReader, items: readonly unknown[]): readonly DocumentMark[] {
  const marks: DocumentMark[] = []
  for (const [name, bytes] of pairs(fields, items, RANGE_DOCUMENTS_MAX)) {
    const document = fields.checkName('answers', name, DOCUMENT_BYTES_MAX)
    rising(fields, marks.at(-1)?.document, document)
    marks.push({ document, fingerprint: fingerprintOf(fields, bytes) })
  }
  return marks
}

function readParts(fields: FieldReader, items: readonly unknown[]): readonly RangePart[] {
  const parts: RangePart[] = []
  for (const [end, bytes] of pairs(fields, items, RANGE_PARTS_MAX)) {
    const last = parts.at(-1)
    if (last !== undefined && last.to === undefined)
      fields.fail('answers', 'has a part past the end')
    const to = end === null ? undefined : fields.checkText('answers', end, DOCUMENT_BYTES_MAX, 1)
    if (to !== undefined) rising(fields, last?.to, to)
    parts.push({ to, fingerprint: fingerprintOf(fields, bytes) })
  }
  if (parts.length === 0) fields.fail('answers', 'has no parts')
  return parts
}

function* pairs(
  fields: FieldReader,
  items: readonly unknown[],
  lengthMax: number,
): Iterable<readonly [unknown, unknown]> {
  if (items.length % 2 !== 0) fields.fail('answers', 'has a name without a fingerprint')
  if (items.length > 2 * lengthMax) fields.exceed('answers', `has more than ${lengthMax} pairs`)
  for (let i = 0; i < items.length; i += 2) yield [items[i], items[i + 1]]
}

function rising(fields: FieldReader, before: DocumentId | undefined, next: DocumentId): void {
  if (before !== undefined && compareUtf8(before, next) >= 0) {
    fields.fail('answers', 'is not in order')
  }
}

function fingerprintOf(fields: FieldReader, value: unknown): Uint8Array {
  const bytes = fields.checkBytes('answers', value, FINGERPRINT_BYTES)
  if (bytes.length !== FINGERPRINT_BYTES)
    fields.fail('answers', 'has a fingerprint of another size')
  return bytes
}

function readAskEntries(fields: FieldReader): AskEntriesFrame {
  const question = fields.uint('question')
  const collection = fields.collection('collection')
  const documents = fields.records('documents', ENTRIES_ASKED_MAX).map((record): DocumentState => {
    const document = record.document('document')
    const home = readHome(record, collection)
    const generation = record.uint('generation')
    const moves = record.uint('moves')
    return { document, home, generation, moves, names: readNames(record) }
  })
  if (documents.length === 0) fields.fail('documents', 'is empty')
  return { type: 'ask-entries', question, collection, documents }
}

function readHome(record: FieldReader, collection: CollectionId): DocumentState['home'] {
  const item = record.item('home')
  if (item === HERE) return 'here'
  if (item === NONE) return 'none'
  if (item === LEFT) return 'left'
  const home = record.checkName('home', item, COLLECTION_BYTES_MAX)
  return home === collection ? 'here' : { collection: home }
}

function readNames(record: FieldReader): Uint8Array | undefined {
  const names = record.optionalBytes('names', ENTRY_NAMES_MAX * FINGERPRINT_BYTES)
  if (names !== undefined && names.length % FINGERPRINT_BYTES !== 0)
    record.fail('names', 'is not a list of names')
  return names
}

function readTellEntries(fields: FieldReader): TellEntriesFrame {
  const question = fields.uint('question')
  const follows = fields.boolean('follows')
  const wants = fields.records('wants', ENTRIES_ASKED_MAX).map((record): Want => {
    const document = record.document('document')
    const whole = record.boolean('whole')
    return { document, whole, names: readNames(record) }
  })
  return { type: 'tell-entries', question, follows, wants }
}

/** How each frame of the reconciliation is read. */
export const RECONCILE_READERS: readonly (readonly [
  number,
  readonly [name: string, read: (fields: FieldReader) => Frame],
])[] = [
  [FRAME_NUMBERS['ask-ranges'], ['ASK_RANGES', readAskRanges]],
  [FRAME_NUMBERS['tell-ranges'], ['TELL_RANGES', readTellRanges]],
  [FRAME_NUMBERS['ask-entries'], ['ASK_ENTRIES', readAskEntries]],
  [FRAME_NUMBERS['tell-entries'], ['TELL_ENTRIES', readTellEntries]],
]
