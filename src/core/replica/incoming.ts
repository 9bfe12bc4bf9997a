import type { Policy, Principal } from '../access/policy.ts'
import { ProtocolError } from '../errors.ts'
import type { CollectionId } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { unpackEvents } from '../log/entry.ts'
import { readEvent } from '../log/event.ts'
import type { DocumentRecord } from '../log/records.ts'
import type { CheckedEvent, Denial, IncomingEntry } from '../log/submission.ts'
import type { WireEntry } from '../sync/io.ts'

/**
 * Checks every event of an entry as it arrived.
 *
 * @throws ProtocolError when an event is damaged or an entry carries what its kind does not.
 */
export function checkEntry(wire: WireEntry, sha256: Sha256): IncomingEntry {
  switch (wire.kind) {
    case 'event':
      return { wire, events: [checkEvent(wire.bytes, sha256)] }
    case 'join':
    case 'snapshot':
      return { wire, events: unpack(wire.bytes).map((bytes) => checkEvent(bytes, sha256)) }
    case 'tombstone':
    case 'leave':
      if (wire.bytes.length > 0)
        throw new ProtocolError('PROTOCOL_REMOTE', 'an entry carries bytes that its kind has not')
      return { wire, events: [] }
  }
}

function checkEvent(bytes: Uint8Array, sha256: Sha256): CheckedEvent {
  return { bytes, header: readEvent(bytes, sha256) }
}

function unpack(bytes: Uint8Array): readonly Uint8Array[] {
  try {
    return unpackEvents(bytes)
  } catch {
    throw new ProtocolError('PROTOCOL_REMOTE', 'a packed document is not a list of events')
  }
}

/**
 * Why an entry of a peer may not be taken: its document is at home in a collection that the connection
 * does not share, or the policy does not allow the write.
 */
export function denyEntry(
  access: { readonly policy: Policy; readonly principal: Principal },
  granted: readonly CollectionId[],
  entry: IncomingEntry,
  home: CollectionId,
  record: DocumentRecord | undefined,
): Denial | undefined {
  const { kind, document, collection } = entry.wire
  if (!granted.includes(kind === 'join' ? collection : home)) {
    return {
      code: 'ACCESS_DENIED',
      message: 'the document is in a collection that this connection does not share',
    }
  }
  const request = { kind, document, collection: home, exists: record !== undefined }
  return access.policy.mayWrite(access.principal, request)
}
