import { ProtocolError } from '../errors.ts'

/** Events of one document as they travel together: as many as its largest size has room for. */
const EVENTS_MAX = 1 << 17

const ARRAY = 4
const BYTE_STRING = 2

/**
 * The events of a document that came in one entry: a CBOR array of byte strings, nothing else.
 *
 * Read by hand: a decoder would first build whatever a peer put there, at many times its size.
 *
 * @throws ProtocolError when it is not exactly that, or holds too many.
 */
export function unpackDocument(bytes: Uint8Array): readonly Uint8Array[] {
  const array = readHead(bytes, 0, ARRAY)
  if (array.value > EVENTS_MAX)
    throw new ProtocolError('PROTOCOL_LIMIT_EXCEEDED', 'a packed document has too many events')
  const events: Uint8Array[] = []
  let offset = array.next
  for (let left = array.value; left > 0; left -= 1) {
    const item = readHead(bytes, offset, BYTE_STRING)
    offset = item.next + item.value
    if (offset > bytes.length) throw notPacked()
    events.push(bytes.subarray(item.next, offset))
  }
  if (offset !== bytes.length) throw notPacked()
  return events
}

/** The head of one CBOR item of a type: its number, and where what follows begins. */
function readHead(
  bytes: Uint8Array,
  offset: number,
  type: number,
): { value: number; next: number } {
  const first = bytes[offset]
  if (first === undefined || first >> 5 !== type) throw notPacked()
  const low = first & 31
  if (low < 24) return { value: low, next: offset + 1 }
  const width = 1 << (low - 24)
  if (low > 27 || offset + 1 + width > bytes.length) throw notPacked()
  let value = 0
  for (let i = 1; i <= width; i += 1) value = value * 256 + (bytes[offset + i] ?? 0)
  return { value, next: offset + 1 + width }
}

function notPacked(): ProtocolError {
  return new ProtocolError('PROTOCOL_REMOTE', 'a packed document is not a list of events')
}
