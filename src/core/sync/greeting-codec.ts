import type { ErrorCode } from '../errors.ts'
import { epochBytes, type FieldReader } from './field-reader.ts'
import {
  CODE_BYTES_MAX,
  COLLECTIONS_MAX,
  PACKINGS_MAX,
  REPLICA_BYTES_MAX,
  TEXT_BYTES_MAX,
  TOKEN_BYTES_MAX,
  VERSIONS_MAX,
} from './limits.ts'
import { FRAME_NUMBERS, type HelloFrame, type WelcomeFrame } from './message.ts'

/** The items of HELLO. */
export function helloItems(frame: HelloFrame): unknown[] {
  const items: unknown[] = [
    FRAME_NUMBERS.hello,
    frame.versions,
    frame.replica,
    epochBytes(frame.epoch),
    frame.head,
    frame.peerEpoch === undefined ? null : epochBytes(frame.peerEpoch),
    frame.cursor,
    frame.acked,
    frame.credit,
    frame.subscriptions,
    frame.incomplete,
  ]
  const { token, packings = [], held = [] } = frame
  if (token !== undefined || packings.length > 0 || held.length > 0) items.push(token ?? null)
  if (packings.length > 0 || held.length > 0) items.push(packings)
  if (held.length > 0) items.push(held)
  return items
}

/** The items of WELCOME. */
export function welcomeItems(frame: WelcomeFrame): unknown[] {
  const { version, replica, epoch, head, cursor, credit } = frame
  const items: unknown[] = [
    FRAME_NUMBERS.welcome,
    version,
    replica,
    epochBytes(epoch),
    head,
    cursor,
    credit,
  ]
  const { refused, backfill, packings = [], reconcile = [], acked } = frame
  const end = reconcile.length > 0 || acked !== undefined
  const tail = packings.length > 0 || end
  if (refused.length > 0 || backfill.length > 0 || tail) {
    items.push(refused.map(({ index, code, message }) => [index, code, cut(message)]))
    items.push(backfill)
  }
  if (tail) items.push(packings)
  if (end) items.push(reconcile)
  if (acked !== undefined) items.push(acked)
  return items
}

/** Reads HELLO, after the frame type. */
export function readHello(fields: FieldReader): HelloFrame {
  const versions = fields.array('versions', VERSIONS_MAX)
  if (!versions.every((v): v is number => typeof v === 'number')) {
    fields.fail('versions', 'holds an item that is not a number')
  }
  const replica = fields.name('replica', REPLICA_BYTES_MAX)
  const epoch = fields.epoch('epoch')
  const head = fields.position('head')
  const peerEpoch = fields.optionalEpoch('peerEpoch')
  const cursor = fields.position('cursor')
  const acked = fields.position('acked')
  const credit = fields.uint('credit')
  const subscriptions = fields.collections('subscriptions', COLLECTIONS_MAX)
  const incomplete = fields.indexes('incomplete', subscriptions.length)
  const token = fields.more ? fields.optionalBytes('token', TOKEN_BYTES_MAX) : undefined
  const packings = readPackings(fields)
  const held = fields.more ? fields.indexes('held', subscriptions.length) : undefined
  return {
    type: 'hello',
    versions,
    replica,
    epoch,
    head,
    peerEpoch,
    cursor,
    acked,
    credit,
    subscriptions,
    incomplete,
    token,
    packings,
    held,
  }
}

/** Reads WELCOME, after the frame type. */
export function readWelcome(fields: FieldReader): WelcomeFrame {
  const version = fields.uint('version')
  const replica = fields.name('replica', REPLICA_BYTES_MAX)
  const epoch = fields.epoch('epoch')
  const head = fields.position('head')
  const cursor = fields.position('cursor')
  const credit = fields.uint('credit')
  const refused = fields.more
    ? fields.records('refused', COLLECTIONS_MAX).map(readRefusedIndex)
    : []
  const backfill = fields.more ? fields.indexes('backfill', COLLECTIONS_MAX) : []
  const packings = readPackings(fields)
  const reconcile = fields.more ? fields.indexes('reconcile', COLLECTIONS_MAX) : undefined
  const acked = fields.more ? fields.position('acked') : undefined
  return {
    type: 'welcome',
    version,
    replica,
    epoch,
    head,
    cursor,
    credit,
    refused,
    backfill,
    packings,
    reconcile,
    acked,
  }
}

function readRefusedIndex(fields: FieldReader): WelcomeFrame['refused'][number] {
  const index = fields.uint('index')
  return { index, code: readCode(fields), message: fields.text('message', TEXT_BYTES_MAX) }
}

function readPackings(fields: FieldReader): readonly number[] | undefined {
  if (!fields.more) return undefined
  const packings = fields.array('packings', PACKINGS_MAX)
  return packings.map((packing) => {
    if (typeof packing !== 'number') fields.fail('packings', 'holds an item that is not a number')
    return packing
  })
}

/** Explanations may be of any length where they are made; a UTF-16 unit takes 3 bytes at most. */
export function cut(text: string, bytesMax: number = TEXT_BYTES_MAX): string {
  return text.length * 3 > bytesMax ? text.slice(0, Math.floor(bytesMax / 3)) : text
}

/** A code that we do not know comes from a later version: it is handed on as it is. */
export function readCode(fields: FieldReader): ErrorCode {
  return fields.text('code', CODE_BYTES_MAX, 1) as ErrorCode
}
