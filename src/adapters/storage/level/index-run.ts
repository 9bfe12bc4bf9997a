import type { Position } from '../../../core/ids.ts'
import { CHECKSUM_BYTES, checksumOf, isIntact } from './checksum.ts'
import { positionOf } from './keys.ts'

/** Where a record is and how many bytes it has, so that a page is planned without reading records. */
export interface IndexEntry {
  readonly position: Position
  readonly bytes: number
}

/** The most records that one run names: its value stays below 4 KiB, and damage to it is bounded. */
export const RUN_LENGTH_MAX: number = 256

const HEAD_BYTES = CHECKSUM_BYTES + 4
/** A gap takes up to eight bytes, a size up to five. */
const LINK_BYTES_MAX = 13

/**
 * The value of a run, which stands under the position of its last entry: checksum, size of the last
 * record, then for each entry before it, the newest first, the gap to the one behind it and its size.
 *
 * @param entries ascending, at least one and at most {@link RUN_LENGTH_MAX}.
 */
export function encodeRun(key: Uint8Array, entries: readonly IndexEntry[]): Uint8Array {
  const before = entries.length - 1
  const room = new Uint8Array(HEAD_BYTES + before * LINK_BYTES_MAX)
  let end = HEAD_BYTES
  let position = positionOf(key)
  for (let index = before - 1; index >= 0; index -= 1) {
    const entry = entries[index]
    if (entry === undefined) break
    end = writeNumber(room, end, position - entry.position)
    end = writeNumber(room, end, entry.bytes)
    position = entry.position
  }
  const value = before === 0 ? room : room.slice(0, end)
  const view = new DataView(value.buffer)
  view.setUint32(CHECKSUM_BYTES, entries[before]?.bytes ?? 0)
  view.setUint32(0, checksumOf(key, value))
  return value
}

/**
 * The entries of a run, ascending: the position of the last one is that of the key.
 *
 * @returns undefined when key and value do not belong together.
 */
export function decodeRun(
  key: Uint8Array,
  value: Uint8Array,
): readonly [IndexEntry, ...IndexEntry[]] | undefined {
  if (value.length < HEAD_BYTES || !isIntact(key, value)) return undefined
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
  let position = positionOf(key)
  const last: IndexEntry = { position, bytes: view.getUint32(CHECKSUM_BYTES) }
  if (value.length === HEAD_BYTES) return [last]
  const entries: [IndexEntry, ...IndexEntry[]] = [last]
  const numbers = numbersOf(value)
  if (numbers === undefined || numbers.length > 2 * RUN_LENGTH_MAX) return undefined
  for (let at = 0; at < numbers.length; at += 2) {
    const [gap, bytes] = [numbers[at], numbers[at + 1]]
    if (gap === undefined || bytes === undefined || gap === 0 || gap >= position) return undefined
    position -= gap
    entries.push({ position, bytes })
  }
  return entries.reverse() as [IndexEntry, ...IndexEntry[]]
}

// Seven bits a byte, the lowest first. By division: positions have more bits than shifts take.
function writeNumber(target: Uint8Array, offset: number, number: number): number {
  let [at, rest] = [offset, number]
  while (rest >= 128) {
    target[at] = (rest % 128) + 128
    at += 1
    rest = Math.floor(rest / 128)
  }
  target[at] = rest
  return at + 1
}

/** All numbers behind the head; undefined when the last one does not end. */
function numbersOf(value: Uint8Array): readonly number[] | undefined {
  const numbers: number[] = []
  let number = 0
  let factor = 1
  for (let at = HEAD_BYTES; at < value.length; at += 1) {
    const byte = value[at] ?? 0
    number += (byte % 128) * factor
    factor *= 128
    if (byte >= 128) continue
    numbers.push(number)
    number = 0
    factor = 1
  }
  return factor === 1 ? numbers : undefined
}
