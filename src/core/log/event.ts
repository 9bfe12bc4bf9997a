import { toHex } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import type { ActorId, EventHash } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'

/** What the header of an event says: read from the bytes alone, without opening the document. */
export interface EventHeader {
  readonly hash: EventHash
  /** The events that it was made after, and without which it cannot be applied. */
  readonly parents: readonly EventHash[]
  readonly actor: ActorId
  /** 1 for the actor's first event in the document, then one more each. */
  readonly sequence: number
  /** When its author says it was made, in seconds since the Unix epoch; 0 when not said. */
  readonly timeSeconds: number
  /** What its author says it was made for, or by whom. */
  readonly message: string | undefined
}

/** The first four bytes of every Automerge chunk. */
const MAGIC = [0x85, 0x6f, 0x4a, 0x83]
const CHUNK_CHANGE = 1
const PARENTS_MAX = 10_000
const ACTOR_BYTES_MAX = 64

/**
 * Checks one event as it arrived and reads its header.
 *
 * An event is one Automerge change chunk: magic, the first four bytes of the SHA-256 of what follows,
 * the chunk type, the length, the content. Automerge applies a change whose checksum is wrong, so the
 * check has to be here, before anything is stored.
 *
 * @throws ProtocolError when the bytes are not exactly one intact change.
 */
export function readEvent(bytes: Uint8Array, sha256: Sha256): EventHeader {
  for (let i = 0; i < MAGIC.length; i += 1) {
    if (bytes[i] !== MAGIC[i]) throw broken('an event does not begin like one')
  }
  if (bytes.length < 10) throw broken('an event is cut short')
  const digest = sha256(bytes.subarray(8))
  for (let i = 0; i < 4; i += 1) {
    if (bytes[4 + i] !== digest[i]) throw broken('an event does not match its checksum')
  }
  const reader = new ByteReader(bytes, 8)
  if (reader.byte() !== CHUNK_CHANGE) throw broken('an event is not a plain change')
  if (reader.unsigned() !== bytes.length - reader.offset)
    throw broken('an event has another length than it says')
  return { hash: toHex(digest), ...readFields(reader) }
}

/** Reads the header of an event that was made here just now: its hash is known, its checksum is right. */
export function readMadeEvent(bytes: Uint8Array, hash: EventHash): EventHeader {
  const reader = new ByteReader(bytes, 9)
  reader.unsigned()
  return { hash, ...readFields(reader) }
}

function readFields(reader: ByteReader): Omit<EventHeader, 'hash'> {
  const parentCount = reader.unsigned()
  if (parentCount > PARENTS_MAX) throw broken('an event has too many parents')
  const parents: string[] = []
  for (let i = 0; i < parentCount; i += 1) parents.push(toHex(reader.bytes(32)))
  const actorLength = reader.unsigned()
  if (actorLength > ACTOR_BYTES_MAX) throw broken('an event has too long an actor')
  const actor = toHex(reader.bytes(actorLength))
  const sequence = reader.unsigned()
  if (sequence === 0) throw broken('an event has no place among those of its author')
  reader.unsigned()
  const timeSeconds = reader.signed()
  const messageLength = reader.unsigned()
  const message = messageLength === 0 ? undefined : text.decode(reader.bytes(messageLength))
  return { parents, actor, sequence, timeSeconds, message }
}

const text = new TextDecoder()

/** LEB128 numbers and runs of bytes, never past the end: there it throws. */
export class ByteReader {
  offset: number
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes
    this.offset = offset
  }

  get done(): boolean {
    return this.offset >= this.#bytes.length
  }

  byte(): number {
    const byte = this.#bytes[this.offset]
    if (byte === undefined) throw broken('an event is cut short')
    this.offset += 1
    return byte
  }

  bytes(length: number): Uint8Array {
    const start = this.skip(length)
    return this.#bytes.subarray(start, this.offset)
  }

  /** Passes over so many bytes. @returns where they began. */
  skip(length: number): number {
    const start = this.offset
    if (start + length > this.#bytes.length) throw broken('an event is cut short')
    this.offset = start + length
    return start
  }

  unsigned(): number {
    let value = 0
    for (let shift = 1; shift < 2 ** 53; shift *= 128) {
      const byte = this.byte()
      value += (byte & 0x7f) * shift
      if (byte < 0x80) {
        if (!Number.isSafeInteger(value)) break
        return value
      }
    }
    throw broken('an event holds a number that is too large')
  }

  signed(): number {
    let value = 0
    for (let shift = 1; shift < 2 ** 53; shift *= 128) {
      const byte = this.byte()
      // The last seven bits carry the sign, so no sum on the way is past 2^53.
      value += ((byte & 0x7f) - (byte < 0x80 && byte >= 0x40 ? 0x80 : 0)) * shift
      if (byte < 0x80) return value
    }
    throw broken('an event holds a number that is too large')
  }
}

function broken(message: string): ProtocolError {
  return new ProtocolError('PROTOCOL_REMOTE', message)
}
