import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../core/bytes.ts'
import type { Compression } from '../core/interfaces/compression.ts'
import { readEvent } from '../core/log/event.ts'
import { MESSAGE_BYTES_MAX } from '../core/sync/limits.ts'
import type { EventsFrame, Frame, FrameEntry, PackedFrame } from '../core/sync/message.ts'
import { decodeMessage, messageReader } from '../core/sync/message-codec.ts'
import { flags, listed, named, quoted, size } from './words.ts'

/** How a message is described. */
export interface DescribeOptions {
  /** What the two sides compress with, to look into what is packed. One that answers at once. */
  readonly compression?: Compression | undefined
}

/** Entries, names and refusals that one line shows. */
const SHOWN_MAX = 4

/** Hex digits of a hash that tell it from others. */
const HASH_CHARS = 12

/**
 * What a message of the protocol says, one line a frame, in the words of docs/protocol.md.
 *
 * Never throws, whatever the bytes are: a frame of an unknown type is named with its size, and where a
 * message is damaged the last line says so. Texts of the peer are quoted where they could be taken for
 * something else. No payload is shown.
 *
 * ```
 * EVENTS 41..44 final: node/edge-1 pods/default/web/1/desired event 118 B 3f2a5c0d9e11 #7 of 0a1b2c3d4e5f
 * ```
 */
export function describeMessage(
  bytes: Uint8Array,
  options: DescribeOptions = {},
): readonly string[] {
  if (bytes.length === 0) return ['damaged: the message is empty']
  if (bytes.length > MESSAGE_BYTES_MAX)
    return [`damaged: the message is longer than ${MESSAGE_BYTES_MAX} bytes`]
  const lines: string[] = []
  // A view of plain bytes: what other classes cut out of themselves would not be a copy.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  const reader = messageReader(plain)
  let start = 0
  try {
    while (!reader.done) {
      const item = reader.item()
      const end = reader.offset
      lines.push(...describeItem(item, plain.subarray(start, end), options))
      start = end
    }
  } catch {
    lines.push(`damaged: no CBOR item from byte ${start} on, of ${bytes.length}`)
  }
  return lines
}

function describeItem(
  item: unknown,
  bytes: Uint8Array,
  options: DescribeOptions,
): readonly string[] {
  const { frames, violation } = decodeMessage(bytes)
  if (violation !== undefined)
    return [`damaged: ${quoted(violation.message)} (${size(bytes.length)})`]
  const frame = frames[0]?.frame
  if (frame === undefined) {
    const type = Array.isArray(item) ? String(item[0]) : 'none'
    return [`UNKNOWN type ${named(type)}, ${size(bytes.length)}`]
  }
  return frame.type === 'packed' ? describePacked(frame, options) : [describeFrame(frame)]
}

function describePacked(frame: PackedFrame, { compression }: DescribeOptions): readonly string[] {
  const line = `PACKED by ${frame.packing}, ${size(frame.bytes.length)} for ${size(frame.length)}`
  if (compression?.number !== frame.packing) return [line]
  try {
    const inner = compression.decompress(frame.bytes, frame.length)
    // No packed message holds another: nothing is looked into twice.
    if (inner instanceof Uint8Array)
      return [line, ...describeMessage(inner).map((text) => `  ${text}`)]
    inner.catch(() => undefined)
    return [line]
  } catch {
    return [line, '  damaged: it cannot be unpacked']
  }
}

function describeFrame(frame: Exclude<Frame, PackedFrame>): string {
  switch (frame.type) {
    case 'hello': {
      const { replica, epoch, head, cursor, peerEpoch, acked, subscriptions, credit } = frame
      const read =
        peerEpoch === undefined
          ? 'has never met you'
          : `has read you up to ${cursor} of ${peerEpoch}`
      const asks = listed(subscriptions.map(named), SHOWN_MAX)
      return `HELLO ${named(replica)} epoch ${epoch} head ${head}, ${read}, sends from ${acked}, asks for ${asks}, credit ${credit}${flags({ token: frame.token !== undefined })}`
    }
    case 'welcome': {
      const { version, replica, epoch, head, cursor, credit, acked } = frame
      const refused = frame.refused.map(({ index, code }) => `${index} ${named(code)}`)
      const no = refused.length === 0 ? '' : `, refuses ${listed(refused, SHOWN_MAX)}`
      const more =
        frame.backfill.length === 0
          ? ''
          : `, backfills ${listed(frame.backfill.map(String), SHOWN_MAX)}`
      return `WELCOME ${named(replica)} version ${version} epoch ${epoch} head ${head}, has read you up to ${cursor}${acked === undefined ? '' : `, sends from ${acked}`}${no}${more}, credit ${credit}`
    }
    case 'events':
      return describeEvents(frame)
    case 'part':
      return `PART ${size(frame.bytes.length)}`
    case 'ack': {
      const filled =
        frame.filled.length === 0
          ? ''
          : `, has all of ${listed(frame.filled.map(named), SHOWN_MAX)}`
      return `ACK received ${frame.received} durable ${frame.durable}, told up to ${frame.upTo}, credit ${frame.credit}${filled}`
    }
    case 'rejects': {
      const all = frame.rejects.map(({ document, kind, hash, code, message }) => {
        const which = hash === undefined ? kind : `${kind} ${hash.slice(0, HASH_CHARS)}`
        return `${named(document)} ${which} ${named(code)} ${quoted(message)}`
      })
      return `REJECTS ${listed(all, SHOWN_MAX)}`
    }
    case 'check':
      return `CHECK ${frame.attempt} digest ${toHex(frame.digest)} of ${frame.ours} here, ${frame.theirs} there`
    case 'subscribe':
      return `SUBSCRIBE ${listed(frame.collections.map(named), SHOWN_MAX)}`
    case 'grant': {
      const refused = frame.refused.map(
        ({ collection, code }) => `${named(collection)} ${named(code)}`,
      )
      return `GRANT ${listed(frame.granted.map(named), SHOWN_MAX)}, refuses ${listed(refused, SHOWN_MAX)}`
    }
    case 'signal':
      return `SIGNAL ${named(frame.key)} ${frame.value === undefined ? 'withdrawn' : size(frame.value.length)}`
    case 'close': {
      const { code, message, retryable, retryAfterMs } = frame
      const later = retryAfterMs === undefined ? '' : ` after ${retryAfterMs} ms`
      return `CLOSE ${named(code)} ${quoted(message)}, ${retryable ? `dial again${later}` : 'do not dial again'}`
    }
    default:
      return describeFields(frame)
  }
}

function describeEvents(frame: EventsFrame): string {
  const { after, upTo, final, backfill, entries } = frame
  const of = backfill === undefined ? '' : ` backfill of ${named(backfill)}`
  const what = entries.length === 0 ? 'nothing' : listed(entries.map(describeEntry), SHOWN_MAX)
  return `EVENTS ${after}..${upTo}${flags({ final })}${of}: ${what}`
}

function describeEntry(entry: FrameEntry): string {
  const { kind, document, collection, generation, bytes } = entry
  const place = `${named(collection)} ${named(document)}${generation === 1 ? '' : ` generation ${generation}`}`
  if (typeof bytes === 'number') return `${place} ${kind} ${size(bytes)} in parts`
  return `${place} ${kind} ${size(bytes.length)}${kind === 'event' ? ` ${describeEvent(bytes)}` : ''}`
}

function describeEvent(bytes: Uint8Array): string {
  try {
    const { hash, actor, sequence } = readEvent(bytes, sha256)
    return `${hash.slice(0, HASH_CHARS)} #${sequence} of ${actor.slice(0, HASH_CHARS)}`
  } catch {
    return 'damaged'
  }
}

/** A frame whose fields speak for themselves. */
function describeFields(frame: Exclude<Frame, PackedFrame>): string {
  const { type, ...fields } = frame
  const words = Object.entries(fields).map(([name, value]) => ` ${name} ${describeValue(value)}`)
  return type.toUpperCase().replace('-', '_') + words.join('')
}

function describeValue(value: unknown): string {
  if (value instanceof Uint8Array) return size(value.length)
  if (Array.isArray(value)) return `(${value.length})`
  if (typeof value === 'string') return named(value)
  return typeof value === 'object' && value !== null ? '{…}' : String(value)
}
