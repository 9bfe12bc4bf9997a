import type { Policy, Principal } from '../access/policy.ts'
import type { CollectionId, Position, ReplicaId } from '../ids.ts'
import type { Clock } from '../interfaces/clock.ts'
import type { Compression } from '../interfaces/compression.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { Connection } from '../interfaces/transport.ts'
import type { EventLog } from '../log/event-log.ts'
import type { IncomingEntry } from '../log/submission.ts'
import type { PeerState, Reject, SessionClose } from '../sync/io.ts'
import type { Intake } from './intake.ts'
import type { KeptByPeer } from './kept-events.ts'
import type { PeerLink } from './peer-link.ts'
import type { PeerStream } from './peer-stream.ts'
import type { Repairs } from './repairs.ts'

/** What a link tells its replica. */
export interface LinkEvents {
  /** Why this link may not be the one of `peer`; undefined when it may. */
  objection(link: PeerLink, peer: ReplicaId): SessionClose | undefined
  established(link: PeerLink): void
  /** The peer was not let in. */
  turnedAway(reason: SessionClose): void
  /** What the peer delivered is durable, apart from what was refused of it. */
  stored(link: PeerLink, entries: readonly IncomingEntry[], rejects: readonly Reject[]): void
  /**
   * The peer has read our log up to `position`, past its end: a part that we made known was lost.
   *
   * @returns whether the log goes on under another epoch: then every link ends.
   */
  lost(position: Position): boolean
  acknowledged(link: PeerLink, peer: PeerState, received: Position, durable: Position): void
  rejected(link: PeerLink, rejects: readonly Reject[]): void
  signal(link: PeerLink, key: string, value: Uint8Array | undefined): void
  stream(link: PeerLink, protocol: string, head: Uint8Array, stream: PeerStream): void
}

export interface LinkOptions {
  readonly role: 'dialer' | 'accepter'
  readonly connection: Connection
  /** Who is at the other end, as authenticated. */
  readonly principal: Principal
  readonly log: EventLog
  readonly policy: Policy
  readonly clock: Clock
  readonly sha256: Sha256
  /** Whose turn it is to read. */
  readonly intake: Intake
  readonly compression?: Compression | undefined
  readonly logger: Logger
  readonly events: LinkEvents
  readonly repairs: Repairs
  /** What peers lack because they refused it. */
  readonly kept: KeptByPeer
  /** Dialer: what to ask for, and what is remembered of the peer from before. */
  readonly subscriptions: readonly CollectionId[]
  readonly peer: PeerState | undefined
  /** What the peer is to see of our signals from the start. */
  readonly signals: ReadonlyMap<string, Uint8Array>
}
