import type { Policy, Principal } from '../access/policy.ts'
import { ProtocolError } from '../errors.ts'
import type { CollectionId } from '../ids.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import { readEvent } from '../log/event.ts'
import { eventExcess } from '../log/event-cost.ts'
import { type Beginning, cutsOf } from '../log/generation.ts'
import { readBeginning } from '../log/generation-beginning.ts'
import type { DocumentRecord } from '../log/records.ts'
import type { CheckedEvent, Denial, IncomingEntry } from '../log/submission.ts'
import type { WireEntry } from '../sync/io.ts'
import { unpackDocument } from './packed-document.ts'

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
      return checkPacked(wire, sha256)
    case 'base':
      return { wire, events: [], base: checkBase(wire, wire.bytes, sha256) }
    case 'tombstone':
    case 'leave':
      if (wire.bytes.length > 0)
        throw new ProtocolError('PROTOCOL_REMOTE', 'an entry carries bytes that its kind has not')
      return { wire, events: [] }
  }
}

function checkPacked(wire: WireEntry, sha256: Sha256): IncomingEntry {
  const packed = unpackDocument(wire.bytes)
  const isFirst = cutsOf(wire.generation) === 0
  const events = packed.slice(isFirst ? 0 : 1).map((bytes) => checkEvent(bytes, sha256))
  return isFirst ? { wire, events } : { wire, events, base: checkBase(wire, packed[0], sha256) }
}

function checkBase(wire: WireEntry, bytes: Uint8Array | undefined, sha256: Sha256): Beginning {
  if (bytes === undefined)
    throw new ProtocolError('PROTOCOL_REMOTE', 'a packed document lacks the base it builds on')
  return readBeginning(wire.document, wire.generation, bytes, sha256)
}

function checkEvent(bytes: Uint8Array, sha256: Sha256): CheckedEvent {
  return { bytes, header: readEvent(bytes, sha256) }
}

/** Who sends an entry, and what the connection shares. */
export interface Access {
  readonly policy: Policy
  readonly principal: Principal
  readonly granted: readonly CollectionId[]
}

/**
 * Why an entry of a peer may not be taken: its document is at home in a collection that the connection
 * does not share, the policy does not allow the write, or loading it would cost too much.
 */
export function denyEntry(
  access: Access,
  entry: IncomingEntry,
  home: CollectionId,
  record: DocumentRecord | undefined,
): Denial | undefined {
  const { collection } = entry.wire
  const moves = collection !== home && ['join', 'snapshot', 'base'].includes(entry.wire.kind)
  const denial = moves
    ? denyMove(access, entry, home)
    : denyWrite(access, entry, home, record !== undefined)
  return denial ?? denyBase(access, entry, home, record) ?? denyCost(entry)
}

function denyWrite(
  { granted, policy, principal }: Access,
  { wire }: IncomingEntry,
  collection: CollectionId,
  exists: boolean,
): Denial | undefined {
  if (!granted.includes(collection)) return FOREIGN
  return policy.mayWrite(principal, {
    kind: wire.kind,
    document: wire.document,
    collection,
    exists,
  })
}

/**
 * A join in a later generation brings its base along: that is one more thing to allow. So is the end of a
 * document, which a base without a state is.
 */
function denyBase(
  { policy, principal }: Access,
  { wire, base }: IncomingEntry,
  home: CollectionId,
  record: DocumentRecord | undefined,
): Denial | undefined {
  if (base === undefined) return undefined
  const { document } = wire
  const exists = record !== undefined
  const request = { document, collection: home, exists }
  const ends = base.change === undefined && record?.deleted !== true
  const denial = ends ? policy.mayWrite(principal, { ...request, kind: 'tombstone' }) : undefined
  const isNews = wire.kind !== 'base' && record?.generation !== wire.generation
  if (denial !== undefined || !isNews) return denial
  return policy.mayWrite(principal, { ...request, kind: 'base' })
}

/** A document may be given another home by who may do so at both places, and may see it at both. */
function denyMove(access: Access, entry: IncomingEntry, home: CollectionId): Denial | undefined {
  const { policy, principal } = access
  const { kind, document, collection } = entry.wire
  if (kind === 'snapshot' || !policy.mayRead(principal, home)) return FOREIGN
  const denial = policy.mayWrite(principal, { kind, document, collection: home, exists: true })
  return denial ?? denyWrite(access, entry, collection, true)
}

function denyCost({ events, base }: IncomingEntry): Denial | undefined {
  const changes = base?.change === undefined ? events : [base.change, ...events]
  for (const { bytes } of changes) {
    const excess = eventExcess(bytes)
    if (excess === 'unreadable') return UNREADABLE
    if (excess === 'too large') return TOO_LARGE
  }
  return undefined
}

const FOREIGN: Denial = {
  code: 'ACCESS_DENIED',
  message: 'the document is in a collection that this connection does not share',
}

const UNREADABLE: Denial = {
  code: 'DOCUMENT_BROKEN',
  message: 'the columns of the event cannot be read',
}

const TOO_LARGE: Denial = {
  code: 'DOCUMENT_TOO_LARGE',
  message: 'the event has more operations, or longer keys, than one may have',
}
