import { fromHex } from '../bytes.ts'
import { CborError, CborReader } from '../cbor-reader.ts'
import { encodeCbor } from '../cbor-writer.ts'
import { kindNumber, readKind } from './entry-kinds.ts'
import { eventsItems, readEvents } from './events-codec.ts'
import { FieldReader, MalformedError, type Violation } from './field-reader.ts'
import {
  cut,
  helloItems,
  readCode,
  readHello,
  readWelcome,
  welcomeItems,
} from './greeting-codec.ts'
import type { Refusal, Reject } from './io.ts'
import {
  CODE_BYTES_MAX,
  COLLECTIONS_MAX,
  DEPTH_MAX,
  FRAME_BYTES_MAX,
  IGNORABLE_TYPES_FROM,
  ITEMS_MAX,
  MESSAGE_BYTES_MAX,
  NAME_BYTES_MAX,
  PART_BYTES,
  SIGNAL_BYTES_MAX,
  STREAM_HEAD_BYTES_MAX,
  STREAM_PIECE_BYTES,
  TEXT_BYTES_MAX,
} from './limits.ts'
import { type AckFrame, type CloseFrame, FRAME_NUMBERS, type Frame } from './message.ts'
import { RECONCILE_READERS, reconcileItems } from './reconcile-codec.ts'

/** A frame, with the number of bytes that it took: credit counts them. */
export interface DecodedFrame {
  readonly frame: Frame
  readonly byteLength: number
}

export type DecodedMessage =
  | { readonly frames: readonly DecodedFrame[]; readonly violation?: undefined }
  | { readonly frames?: undefined; readonly violation: Violation }

/** One frame as bytes. The caller keeps to the limits: the peer would refuse the frame otherwise. */
export function encodeFrame(frame: Frame): Uint8Array {
  return encodeCbor(frameItems(frame))
}

/** The frames of one message, or what is wrong with it. Never throws, whatever the bytes are. */
export function decodeMessage(message: Uint8Array): DecodedMessage {
  if (message.length > MESSAGE_BYTES_MAX) {
    return violation('PROTOCOL_LIMIT_EXCEEDED', `message: longer than ${MESSAGE_BYTES_MAX} bytes`)
  }
  if (message.length === 0) return violation('PROTOCOL_REMOTE', 'message: empty')
  try {
    return { frames: readFrames(messageReader(message)) }
  } catch (error) {
    if (error instanceof MalformedError) return { violation: error.violation }
    if (error instanceof CborError && error.exceeded) {
      return violation('PROTOCOL_LIMIT_EXCEEDED', `message: ${error.message}`)
    }
    // Which item it was in is not known.
    return violation('PROTOCOL_REMOTE', 'message: not a sequence of CBOR arrays')
  }
}

/** Reads the items of a message one by one. */
export function messageReader(message: Uint8Array): CborReader {
  return new CborReader(message, { itemsMax: ITEMS_MAX, depthMax: DEPTH_MAX })
}

function violation(code: Violation['code'], message: string): DecodedMessage {
  return { violation: { code, message } }
}

function readFrames(reader: CborReader): readonly DecodedFrame[] {
  const frames: DecodedFrame[] = []
  while (!reader.done) {
    const start = reader.offset
    const item = reader.item()
    const byteLength = reader.offset - start
    if (!Array.isArray(item)) throw new MalformedError('PROTOCOL_REMOTE', 'frame: not an array')
    if (byteLength > FRAME_BYTES_MAX) {
      throw new MalformedError(
        'PROTOCOL_LIMIT_EXCEEDED',
        `frame: longer than ${FRAME_BYTES_MAX} bytes`,
      )
    }
    const frame = readFrame(item)
    if (frame !== undefined) frames.push({ frame, byteLength })
  }
  return frames
}

function frameItems(frame: Frame): unknown[] {
  const number = FRAME_NUMBERS[frame.type]
  switch (frame.type) {
    case 'hello':
      return helloItems(frame)
    case 'welcome':
      return welcomeItems(frame)
    case 'events':
      return eventsItems(frame)
    case 'part':
      return [number, frame.bytes]
    case 'ack':
      return ackItems(frame)
    case 'rejects':
      return [number, frame.rejects.map(rejectItem)]
    case 'check':
      return [number, frame.attempt, frame.digest, frame.ours, frame.theirs]
    case 'subscribe':
      return [number, frame.collections, ...tail(frame.held)]
    case 'grant':
      return [
        number,
        frame.granted,
        frame.refused.map((r) => [r.collection, r.code, cut(r.message)]),
        ...tail(frame.reconcile),
      ]
    case 'signal':
      return [number, frame.key, frame.value ?? null]
    case 'stream-open':
      return [number, frame.stream, frame.protocol, frame.head]
    case 'stream-bytes':
      return [number, frame.stream, frame.bytes]
    case 'stream-end':
      return [number, frame.stream]
    case 'stream-reset':
      return [number, frame.stream, cut(frame.code, CODE_BYTES_MAX), cut(frame.message)]
    case 'stream-credit':
      return [number, frame.stream, frame.credit]
    case 'close':
      return closeItems(frame)
    case 'packed':
      return [number, frame.packing, frame.length, frame.bytes]
    case 'ask-ranges':
    case 'tell-ranges':
    case 'ask-entries':
    case 'tell-entries':
      return reconcileItems(frame)
    case 'ping':
    case 'pong':
      return [number]
  }
}

/** A last item that is left out when it is empty. */
function tail(indexes: readonly number[] = []): readonly unknown[] {
  return indexes.length === 0 ? [] : [indexes]
}

function ackItems(frame: AckFrame): unknown[] {
  const items: unknown[] = [
    FRAME_NUMBERS.ack,
    frame.received,
    frame.durable,
    frame.credit,
    frame.upTo,
  ]
  if (frame.filled.length > 0) items.push(frame.filled)
  return items
}

function rejectItem(reject: Reject): unknown[] {
  const hash = reject.hash === undefined ? null : fromHex(reject.hash)
  return [reject.document, kindNumber(reject.kind), hash, reject.code, cut(reject.message)]
}

function closeItems(frame: CloseFrame): unknown[] {
  const items: unknown[] = [FRAME_NUMBERS.close, frame.code, cut(frame.message), frame.retryable]
  if (frame.retryAfterMs !== undefined) items.push(frame.retryAfterMs)
  return items
}

type Read = (fields: FieldReader) => Frame

const READERS: ReadonlyMap<number, readonly [name: string, read: Read]> = new Map<
  number,
  readonly [string, Read]
>([
  [FRAME_NUMBERS.hello, ['HELLO', readHello]],
  [FRAME_NUMBERS.welcome, ['WELCOME', readWelcome]],
  [FRAME_NUMBERS.events, ['EVENTS', readEvents]],
  [FRAME_NUMBERS.ack, ['ACK', readAck]],
  [FRAME_NUMBERS.rejects, ['REJECTS', readRejects]],
  [FRAME_NUMBERS.check, ['CHECK', readCheck]],
  ...RECONCILE_READERS,
  [FRAME_NUMBERS.subscribe, ['SUBSCRIBE', readSubscribe]],
  [FRAME_NUMBERS.grant, ['GRANT', readGrant]],
  [FRAME_NUMBERS.signal, ['SIGNAL', readSignal]],
  [FRAME_NUMBERS['stream-open'], ['STREAM_OPEN', readStreamOpen]],
  [FRAME_NUMBERS['stream-bytes'], ['STREAM_BYTES', readStreamBytes]],
  [
    FRAME_NUMBERS['stream-end'],
    ['STREAM_END', (f) => ({ type: 'stream-end', stream: f.uint('stream') })],
  ],
  [FRAME_NUMBERS['stream-reset'], ['STREAM_RESET', readStreamReset]],
  [FRAME_NUMBERS['stream-credit'], ['STREAM_CREDIT', readStreamCredit]],
  [FRAME_NUMBERS.ping, ['PING', () => ({ type: 'ping' })]],
  [FRAME_NUMBERS.pong, ['PONG', () => ({ type: 'pong' })]],
  [FRAME_NUMBERS.close, ['CLOSE', readClose]],
  [FRAME_NUMBERS.packed, ['PACKED', readPacked]],
  [FRAME_NUMBERS.part, ['PART', (f) => ({ type: 'part', bytes: f.bytes('bytes', PART_BYTES) })]],
])

/** undefined: a frame of a later version that may be ignored. */
function readFrame(items: readonly unknown[]): Frame | undefined {
  const number = new FieldReader('frame', items).uint('type')
  const found = READERS.get(number)
  if (found === undefined) {
    if (number >= IGNORABLE_TYPES_FROM) return undefined
    throw new MalformedError('PROTOCOL_REMOTE', `frame: type ${number} is unknown`)
  }
  const [name, read] = found
  return read(new FieldReader(name, items, 1))
}

function readPacked(fields: FieldReader): Frame {
  const packing = fields.uint('packing')
  const length = fields.uint('length')
  if (length > MESSAGE_BYTES_MAX) {
    fields.exceed('length', `stands for more than ${MESSAGE_BYTES_MAX} bytes`)
  }
  return { type: 'packed', packing, length, bytes: fields.bytes('bytes', FRAME_BYTES_MAX) }
}

function readAck(fields: FieldReader): Frame {
  const received = fields.position('received')
  const durable = fields.position('durable')
  const credit = fields.uint('credit')
  const upTo = fields.position('upTo')
  const filled = fields.more ? fields.collections('filled', COLLECTIONS_MAX) : []
  if (durable > received) fields.fail('durable', 'is past received')
  return { type: 'ack', received, durable, credit, upTo, filled }
}

function readRejects(fields: FieldReader): Frame {
  const rejects = fields.records('rejects', ITEMS_MAX).map((record): Reject => {
    const document = record.document('document')
    const kind = readKind(record, 'kind', record.uint('kind'))
    const hash = record.optionalHash('hash')
    const isNamed = kind === 'event' || kind === 'base'
    if (isNamed && hash === undefined) record.fail('hash', 'of an event or a base is missing')
    if (!isNamed && hash !== undefined) record.fail('hash', 'is of what has none')
    return {
      document,
      kind,
      hash,
      code: readCode(record),
      message: record.text('message', TEXT_BYTES_MAX),
    }
  })
  return { type: 'rejects', rejects }
}

function readCheck(fields: FieldReader): Frame {
  const attempt = fields.uint('attempt')
  if (attempt > 3) fields.fail('attempt', 'is past 3')
  const digest = fields.fixedBytes('digest', 16)
  return {
    type: 'check',
    attempt,
    digest,
    ours: fields.position('ours'),
    theirs: fields.position('theirs'),
  }
}

function readSubscribe(fields: FieldReader): Frame {
  const collections = fields.collections('collections', COLLECTIONS_MAX)
  const held = fields.more ? fields.indexes('held', collections.length) : undefined
  return { type: 'subscribe', collections, held }
}

function readGrant(fields: FieldReader): Frame {
  const granted = fields.collections('granted', COLLECTIONS_MAX)
  const refused = fields.records('refused', COLLECTIONS_MAX).map((record): Refusal => {
    const collection = record.collection('collection')
    return { collection, code: readCode(record), message: record.text('message', TEXT_BYTES_MAX) }
  })
  const reconcile = fields.more ? fields.indexes('reconcile', granted.length) : undefined
  return { type: 'grant', granted, refused, reconcile }
}

function readSignal(fields: FieldReader): Frame {
  const key = fields.text('key', NAME_BYTES_MAX, 1)
  return { type: 'signal', key, value: fields.optionalBytes('value', SIGNAL_BYTES_MAX) }
}

function readStreamOpen(fields: FieldReader): Frame {
  const stream = fields.uint('stream')
  const protocol = fields.text('protocol', NAME_BYTES_MAX, 1)
  return {
    type: 'stream-open',
    stream,
    protocol,
    head: fields.bytes('head', STREAM_HEAD_BYTES_MAX),
  }
}

function readStreamBytes(fields: FieldReader): Frame {
  const stream = fields.uint('stream')
  return { type: 'stream-bytes', stream, bytes: fields.bytes('bytes', STREAM_PIECE_BYTES) }
}

function readStreamReset(fields: FieldReader): Frame {
  const stream = fields.uint('stream')
  const code = fields.text('code', CODE_BYTES_MAX)
  return { type: 'stream-reset', stream, code, message: fields.text('message', TEXT_BYTES_MAX) }
}

function readStreamCredit(fields: FieldReader): Frame {
  return { type: 'stream-credit', stream: fields.uint('stream'), credit: fields.uint('credit') }
}

function readClose(fields: FieldReader): Frame {
  const code = fields.text('code', CODE_BYTES_MAX)
  const message = fields.text('message', TEXT_BYTES_MAX)
  const retryable = fields.boolean('retryable')
  return {
    type: 'close',
    code,
    message,
    retryable,
    retryAfterMs: fields.more ? fields.uint('retryAfterMs') : undefined,
  }
}
