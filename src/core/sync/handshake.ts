import type { CollectionId, Epoch, Position, ReplicaId } from '../ids.ts'
import type { Admission, PeerState, Refusal } from './io.ts'
import { RECONCILE_ENTRIES_MIN } from './limits.ts'
import type { HelloFrame, RefusedIndex, WelcomeFrame } from './message.ts'
import { notShared } from './sharing.ts'
import { PROTOCOL_VERSIONS } from './version.ts'

/** One side's own identity. */
export interface Self {
  readonly replica: ReplicaId
  readonly epoch: Epoch
  /** The numbers of the compressions that this side can undo. */
  readonly packings?: readonly number[] | undefined
}

/** What a dialer starts with. */
export interface StartInput {
  /** What is remembered of the peer at this address; undefined when we have never met. */
  readonly peer: PeerState | undefined
  readonly subscriptions: readonly CollectionId[]
  /** The durable head of our log. */
  readonly head: Position
  /** Those of `subscriptions` in which we hold documents. Default: none is known to hold any. */
  readonly held?: readonly CollectionId[] | undefined
  /** Proves who we are, when the transport does not. */
  readonly token?: Uint8Array | undefined
}

/** What both sides know after HELLO and WELCOME. */
export interface Agreement {
  /** From where we send our log. */
  readonly sendFrom: Position
  /** From where we read the peer's log. */
  readonly readFrom: Position
  readonly granted: readonly CollectionId[]
  readonly refused: readonly Refusal[]
  /** Granted collections whose history before these positions is exchanged. */
  readonly backfill: readonly CollectionId[]
  /** Granted collections in which both sides hold documents: what differs before these positions is. */
  readonly reconcile: readonly CollectionId[]
  /** What the accepter knows to be durable at the dialer, where the dialer has read further. */
  readonly acked?: Position | undefined
}

export function helloFrame(self: Self, input: StartInput, credit: number): HelloFrame {
  const { peer, subscriptions } = input
  const complete = new Set(peer?.complete)
  const held = new Set(input.held)
  return {
    type: 'hello',
    versions: PROTOCOL_VERSIONS,
    replica: self.replica,
    epoch: self.epoch,
    head: input.head,
    peerEpoch: peer?.epoch,
    cursor: peer?.epoch === undefined ? 0 : peer.cursor,
    acked: sendFrom(input),
    credit,
    subscriptions,
    incomplete: subscriptions.flatMap((name, index) => (complete.has(name) ? [] : [index])),
    token: input.token,
    packings: self.packings,
    held: subscriptions.flatMap((name, index) =>
      held.has(name) && !complete.has(name) ? [index] : [],
    ),
  }
}

/** Where a dialer's pipelined events start: our log may have lost what the peer once acknowledged. */
export function sendFrom(input: StartInput): Position {
  const acked = input.peer?.acked ?? 0
  return acked > input.head ? 0 : acked
}

/**
 * A position that one side claims in the other's log, seen by the owner of that log or by its reader:
 * both use this rule, so both come to the same answer without asking.
 *
 * Another epoch, or a log shorter than what was read of it, is another log: it starts at 0, or at the
 * head when what differs before it is looked for.
 */
function verified(
  claimed: Position,
  claimedEpoch: Epoch | undefined,
  epoch: Epoch,
  head: Position,
): Position {
  return claimedEpoch === epoch && claimed <= head ? claimed : 0
}

/**
 * The accepter's view, once its driver has decided.
 *
 * Neither log goes on past what its owner knows to be acknowledged: the refusal of what stands between there and
 * where the other has read may have been lost with a connection, and comes again with what it is about.
 */
export function agreeAsAccepter(self: Self, hello: HelloFrame, admission: Admission): Agreement {
  const { peer } = admission
  const asked = hello.subscriptions
  const allowed = new Set(admission.granted)
  const granted = asked.filter((name) => allowed.has(name))
  const refused = asked
    .filter((name) => !allowed.has(name))
    .map((name) => admission.refused.find((r) => r.collection === name) ?? notShared(name))
  const complete = new Set(peer.complete)
  for (const index of hello.incomplete) complete.delete(asked[index] ?? '')
  const read = verified(hello.cursor, hello.peerEpoch, self.epoch, admission.head)
  const sendFrom = Math.min(read, peer.acked)
  const acked = sendFrom < read ? sendFrom : undefined
  // A dialer whose log is shorter than what was read of it has lost its tail, and is told by the number.
  const lost = peer.epoch === hello.epoch && peer.cursor > hello.head
  const stood = verified(peer.cursor, peer.epoch, hello.epoch, hello.head)
  const readFrom = lost ? peer.cursor : Math.min(stood, hello.acked)
  const isKnown = hello.peerEpoch === self.epoch && peer.epoch === hello.epoch
  const isVoid = !isKnown || hello.cursor > admission.head
  const cursors = { sendFrom, readFrom, isVoid }
  const reconcile = lost ? [] : heldByBoth(hello, admission, granted, cursors)
  if (reconcile.length > 0) {
    const isUnread = sendFrom === 0 || readFrom === 0
    const pending = granted.filter((name) => isUnread || !complete.has(name))
    return {
      ...{ granted, refused, reconcile, acked },
      // Nothing is read from its beginning: what differs below the two heads is found.
      sendFrom: sendFrom === 0 ? admission.head : sendFrom,
      readFrom: readFrom === 0 ? hello.head : readFrom,
      backfill: pending.filter((name) => !reconcile.includes(name)),
    }
  }
  // When both logs go out from their beginning, there is no history before that.
  const history = sendFrom > 0 || readFrom > 0
  const backfill = history ? granted.filter((name) => !complete.has(name)) : []
  return { sendFrom, readFrom, granted, refused, backfill, reconcile, acked }
}

/**
 * Collections whose history is not exchanged and of which each side holds so much that asking is cheaper.
 *
 * A cursor that is 0 because nothing has been read yet is not void: what follows it goes out as after any other.
 */
function heldByBoth(
  hello: HelloFrame,
  { head, peer, held = [] }: Admission,
  granted: readonly CollectionId[],
  {
    sendFrom,
    readFrom,
    isVoid,
  }: Pick<Agreement, 'sendFrom' | 'readFrom'> & { readonly isVoid: boolean },
): readonly CollectionId[] {
  if (Math.min(head, hello.head) < RECONCILE_ENTRIES_MIN) return []
  const isUnread = sendFrom === 0 || readFrom === 0
  const asked = hello.subscriptions
  const incomplete = new Set(hello.incomplete.map((index) => asked[index]))
  const theirs = new Set((hello.held ?? []).map((index) => asked[index]))
  const ours = new Set(held)
  const isIncomplete = (name: CollectionId): boolean =>
    incomplete.has(name) || !peer.complete.includes(name)
  const shared = granted.filter((name) => {
    const dialerHolds = theirs.has(name) || !incomplete.has(name)
    return dialerHolds && ours.has(name)
  })
  if (!isVoid && !shared.some(isIncomplete)) return []
  return shared.filter((name) => isUnread || isIncomplete(name))
}

export function welcomeFrame(
  self: Self,
  version: number,
  hello: HelloFrame,
  agreement: Agreement,
  head: Position,
  credit: number,
): WelcomeFrame {
  const asked = hello.subscriptions
  return {
    type: 'welcome',
    version,
    replica: self.replica,
    epoch: self.epoch,
    head,
    cursor: agreement.readFrom,
    credit,
    refused: agreement.refused.map(({ collection, code, message }): RefusedIndex => {
      return { index: asked.indexOf(collection), code, message }
    }),
    backfill: agreement.backfill.map((name) => asked.indexOf(name)),
    packings: self.packings,
    reconcile: agreement.reconcile.map((name) => asked.indexOf(name)),
    acked: agreement.acked,
  }
}

/** The dialer's view of the answer to its HELLO; a text when the answer does not fit it. */
export function agreeAsDialer(hello: HelloFrame, welcome: WelcomeFrame): Agreement | string {
  const asked = hello.subscriptions
  const refused: Refusal[] = []
  for (const { index, code, message } of welcome.refused) {
    const collection = asked[index]
    if (collection === undefined) return 'WELCOME: refused names a subscription out of range'
    refused.push({ collection, code, message })
  }
  const named = [...welcome.backfill, ...(welcome.reconcile ?? [])]
  if (named.some((index) => index >= asked.length)) {
    return 'WELCOME: backfill or reconcile names a subscription out of range'
  }
  const denied = new Set(refused.map((refusal) => refusal.collection))
  const granted = (indexes: readonly number[]): readonly CollectionId[] =>
    indexes.map((index) => asked[index] ?? '').filter((name) => !denied.has(name))
  const reconcile = granted(welcome.reconcile ?? [])
  // Past that it would acknowledge what it may have refused on a connection that broke before we heard of it.
  const isHead = reconcile.length > 0 && welcome.cursor === hello.head
  if (welcome.cursor > hello.acked && !isHead) return 'WELCOME: cursor is past acked'
  const read = verified(hello.cursor, hello.peerEpoch, welcome.epoch, welcome.head)
  const readFrom = Math.min(read, welcome.acked ?? read)
  return {
    sendFrom: welcome.cursor,
    readFrom: readFrom === 0 && reconcile.length > 0 ? welcome.head : readFrom,
    granted: asked.filter((name) => !denied.has(name)),
    refused,
    backfill: granted(welcome.backfill),
    reconcile,
  }
}
