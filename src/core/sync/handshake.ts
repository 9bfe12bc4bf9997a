import type { CollectionId, Epoch, Position, ReplicaId } from '../ids.ts'
import type { Admission, PeerState, Refusal } from './io.ts'
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
}

export function helloFrame(self: Self, input: StartInput, credit: number): HelloFrame {
  const { peer, subscriptions } = input
  const complete = new Set(peer?.complete)
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
 * Another epoch, or a log shorter than what was read of it, is another log: it starts at 0.
 */
function verified(
  claimed: Position,
  claimedEpoch: Epoch | undefined,
  epoch: Epoch,
  head: Position,
): Position {
  return claimedEpoch === epoch && claimed <= head ? claimed : 0
}

/** The accepter's view, once its driver has decided. */
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
  const sendFrom = verified(hello.cursor, hello.peerEpoch, self.epoch, admission.head)
  const readFrom = verified(peer.cursor, peer.epoch, hello.epoch, hello.head)
  // When both logs go out from their beginning, there is no history before that.
  const history = sendFrom > 0 || readFrom > 0
  const backfill = history ? granted.filter((name) => !complete.has(name)) : []
  return { sendFrom, readFrom, granted, refused, backfill }
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
  const backfill: CollectionId[] = []
  for (const index of welcome.backfill) {
    const collection = asked[index]
    if (collection === undefined) return 'WELCOME: backfill names a subscription out of range'
    backfill.push(collection)
  }
  if (welcome.cursor > hello.head) return 'WELCOME: cursor is past the head of our log'
  const denied = new Set(refused.map((refusal) => refusal.collection))
  return {
    sendFrom: welcome.cursor,
    readFrom: verified(hello.cursor, hello.peerEpoch, welcome.epoch, welcome.head),
    granted: asked.filter((name) => !denied.has(name)),
    refused,
    backfill: backfill.filter((name) => !denied.has(name)),
  }
}
