import { CBOR_ARRAY, CborError, CborReader } from '../cbor-reader.ts'
import { ProtocolError } from '../errors.ts'

/** Events of one document as they travel together: as many as its largest size has room for. */
const EVENTS_MAX = 1 << 17

/**
 * The events of a document that came in one entry: a CBOR array of byte strings, nothing else.
 *
 * Item by item: read as a whole, what a peer put there would first be built, at many times its size.
 *
 * @throws ProtocolError when it is not exactly that, or holds too many.
 */
export function unpackDocument(bytes: Uint8Array): readonly Uint8Array[] {
  try {
    const packed = new CborReader(bytes)
    const count = packed.head(CBOR_ARRAY)
    if (count > EVENTS_MAX)
      throw new ProtocolError('PROTOCOL_LIMIT_EXCEEDED', 'a packed document has too many events')
    const events: Uint8Array[] = []
    while (events.length < count) events.push(packed.view())
    packed.end()
    return events
  } catch (error) {
    if (!(error instanceof CborError)) throw error
    throw new ProtocolError('PROTOCOL_REMOTE', 'a packed document is not a list of events')
  }
}
