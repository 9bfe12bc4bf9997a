import type { Principal } from '../access/policy.ts'
import type { Documents } from '../document/documents.ts'
import type { CollectionId, Epoch, Position, ReplicaId } from '../ids.ts'
import type { Clock } from '../interfaces/clock.ts'
import type { Storage } from '../interfaces/storage.ts'
import type { QuarantinedActor } from '../log/authors.ts'
import type { EventLog } from '../log/event-log.ts'
import type { AcknowledgementTable } from './acknowledgements.ts'
import type { Connections } from './connections.ts'
import type { LinkMeter } from './measures-link.ts'
import type { PeerLink } from './peer-link.ts'
import type { DamagedDocument, Repairs } from './repairs.ts'
import type { LagTable } from './status-lag.ts'
import type { WaitingDocument, WaitingEvents } from './status-waiting.ts'
import type { Uplink } from './uplink.ts'

/** Rejected events that are counted for an answer. */
const REJECTED_MAX = 1_000

/** Peers that are away, and documents with waiting events, that are named in an answer. */
const NAMED_MAX = 100

/** How a connection to one address stands. */
export interface UplinkReport {
  readonly address: string
  readonly state: 'connecting' | 'connected' | 'waiting' | 'stopped'
  /** Since when, in milliseconds since the Unix epoch. */
  readonly sinceMs: number
  /** Failures in a row. Absent while connected or stopped. */
  readonly attempt?: number
  /** The replica there, while connected. */
  readonly peer?: ReplicaId
  /** Why the last attempt ended. */
  readonly error?: string
}

/** A peer that is connected. */
export interface PeerReport {
  readonly replica: ReplicaId
  readonly principal: Principal
  readonly role: 'dialer' | 'accepter'
  readonly collections: readonly CollectionId[]
  /** What is durable here and not acknowledged there. */
  readonly lagEvents: number
  readonly lagBytes: number
  /** How far it has our log, in memory and on its disk. */
  readonly received: Position
  readonly durable: Position
  /** How far we have read its log. */
  readonly cursor: Position
  /** Absent while it was not measured. */
  readonly roundTripMs?: number
  /** It has had everything once that was here when it connected. */
  readonly caughtUp: boolean
  readonly connectedMs: number
  readonly receivedBytes: number
  readonly sentBytes: number
}

/** A peer that is known and not connected. */
export interface AwayReport {
  readonly replica: ReplicaId
  readonly durable: Position
  /** At most so much: what was written before the last start counts as if all of it were for the peer. */
  readonly lagEvents: number
  readonly lagBytes: number
}

/** How a replica is: plain data, ready to be printed as JSON. */
export interface ReplicaStatus {
  readonly name: ReplicaId
  readonly epoch: Epoch
  readonly head: Position
  /** About how many bytes the storage takes. Absent when the storage cannot tell. */
  readonly logBytes?: number
  /** Writes that wait for the storage. */
  readonly queued: number
  readonly uplinks: readonly UplinkReport[]
  readonly peers: readonly PeerReport[]
  /** Peers that are known and away: how many, and the first of them by name. */
  readonly away: { readonly count: number; readonly peers: readonly AwayReport[] }
  /** Loaded documents, and their bytes by estimate. */
  readonly documents: { readonly loaded: number; readonly bytes: number }
  /** Events that are stored and wait for others, not shown yet, and where. */
  readonly waiting: {
    readonly events: number
    readonly documents: readonly WaitingDocument[]
  }
  /** Writes of ours that peers refused, up to 1,000. */
  readonly rejected: number
  readonly quarantined: readonly QuarantinedActor[]
  /** Documents that lost events to damage of the storage, and have not got all of them back. */
  readonly damaged: readonly DamagedDocument[]
}

/** Where a status is read from. */
export interface StatusSources {
  readonly log: EventLog
  readonly storage: Storage
  readonly clock: Clock
  readonly documents: Documents
  readonly connections: Connections
  readonly acknowledgements: AcknowledgementTable
  readonly lag: LagTable
  readonly waiting: WaitingEvents
  readonly repairs: Repairs
}

/** Reads how a replica is. It costs a look at each peer, and at a bounded number of documents. */
export async function readStatus(sources: StatusSources): Promise<ReplicaStatus> {
  const { log, storage, documents, connections } = sources
  const logBytes = await storage.sizeBytes?.()
  for (const document of documents.incomplete()) sources.waiting.doubt(document)
  const waiting = await sources.waiting.find()
  const { documents: loaded, bytes } = documents.usage
  return {
    name: log.replica,
    epoch: log.epoch,
    head: log.head,
    ...(logBytes === undefined ? {} : { logBytes }),
    queued: log.queued,
    uplinks: [...connections.uplinks].map(uplinkReport),
    peers: connections.links.established.map((link) =>
      peerReport(sources, link, connections.meterOf(link)),
    ),
    away: awayReport(sources),
    documents: { loaded, bytes },
    waiting: {
      events: waiting.reduce((sum, { events }) => sum + events, 0),
      documents: waiting.slice(0, NAMED_MAX),
    },
    rejected: await countRejected(log),
    quarantined: log.authors.quarantined,
    damaged: sources.repairs.damaged.slice(0, NAMED_MAX),
  }
}

function uplinkReport(uplink: Uplink): UplinkReport {
  const { address, sinceMs, status } = uplink
  const report = { address, state: status.type, sinceMs }
  switch (status.type) {
    case 'connecting':
      return { ...report, attempt: status.attempt }
    case 'connected':
      return { ...report, peer: status.peer }
    case 'waiting':
      return { ...report, attempt: status.attempt, error: status.error.message }
    case 'stopped':
      return status.error === undefined ? report : { ...report, error: status.error.message }
  }
}

function peerReport(sources: StatusSources, link: PeerLink, meter: LinkMeter): PeerReport {
  const { clock, acknowledgements, log } = sources
  const replica = link.peer ?? ''
  const state = link.state
  const acked = Math.max(state?.acked ?? 0, log.peer(replica)?.acked ?? 0)
  const received = Math.max(acked, acknowledgements.received(replica))
  const lag = sources.lag.of(replica, link.granted, acked)
  const roundTripMs = link.roundTripMs
  return {
    replica,
    principal: link.principal,
    role: link.role,
    collections: link.granted,
    lagEvents: lag.events,
    lagBytes: lag.bytes,
    received,
    durable: acked,
    cursor: state?.cursor ?? 0,
    ...(roundTripMs === undefined ? {} : { roundTripMs }),
    caughtUp: meter.caughtUp,
    connectedMs: clock.monotonicMs() - (meter.establishedMs ?? clock.monotonicMs()),
    receivedBytes: meter.receivedBytes,
    sentBytes: meter.sentBytes,
  }
}

function awayReport({ log, lag, connections }: StatusSources): ReplicaStatus['away'] {
  const away = [...log.peers()].filter(({ replica }) => connections.links.of(replica) === undefined)
  away.sort((a, b) => (a.replica < b.replica ? -1 : 1))
  const peers = away.slice(0, NAMED_MAX).map(({ replica, acked, complete }): AwayReport => {
    const behind = lag.of(replica, complete, acked)
    return { replica, durable: acked, lagEvents: behind.events, lagBytes: behind.bytes }
  })
  return { count: away.length, peers }
}

async function countRejected(log: EventLog): Promise<number> {
  let count = 0
  for await (const _ of log.rejected()) {
    count += 1
    if (count >= REJECTED_MAX) break
  }
  return count
}
