import type { Policy, Principal } from '../access/policy.ts'
import { ConnectionClosedError } from '../errors.ts'
import type { Position, ReplicaId } from '../ids.ts'
import type { Cancel, Clock, Random } from '../interfaces/clock.ts'
import type { Compression } from '../interfaces/compression.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { Connection, Listener } from '../interfaces/transport.ts'
import type { EventLog } from '../log/event-log.ts'
import type { AcknowledgementTable } from './acknowledgements.ts'
import { Admission, type AdmissionOptions } from './admission.ts'
import { AnswerTurns, type Turn } from './answer-turns.ts'
import { meetAuthor } from './authorship.ts'
import { dialLevel } from './elsewhere.ts'
import { Intake } from './intake.ts'
import { KeptByPeer } from './kept-events.ts'
import type { LinkEvents, LinkOptions } from './link-options.ts'
import { LinkTable, unauthenticated } from './link-table.ts'
import { LinkMeter } from './measures-link.ts'
import { checkName } from './names.ts'
import { ObservedConnection } from './observed-connection.ts'
import type { ConnectedPeer, ConnectOptions } from './options.ts'
import { PeerLink } from './peer-link.ts'
import type { PeerStream } from './peer-stream.ts'
import { Quarantine } from './quarantine.ts'
import { misnamed, withdrawal } from './recheck.ts'
import type { Refusals } from './refusals.ts'
import type { Repairs } from './repairs.ts'
import { SignalTable } from './signals.ts'
import type { WaitingEvents } from './status-waiting.ts'
import { StreamAccepters } from './stream-accepters.ts'
import type { MeasureSink } from './unmeasured.ts'
import { Uplink } from './uplink.ts'

const DIAL_TIMEOUT_MS = 10_000

/** What {@link Connections} need of their replica. */
export interface ConnectionsOptions {
  readonly log: EventLog
  readonly policy: Policy
  readonly clock: Clock
  readonly random: Random
  readonly sha256: Sha256
  readonly compression?: Compression | undefined
  readonly logger: Logger
  readonly acknowledgements: AcknowledgementTable
  readonly refusals: Refusals
  /** What to do about entries that cannot be read. */
  readonly repairs: Repairs
  /** A peer has read our log past its end. See {@link LinkEvents}. */
  readonly lost: (position: Position) => boolean
  readonly measures: MeasureSink
  readonly waiting: WaitingEvents
  readonly admission: AdmissionOptions | undefined
}

/** Who made a link: told when it is known who is at the other end. */
interface LinkOwner {
  established(peer: ReplicaId): void
}

/** Every way in and out of a replica: uplinks that it dials, listeners that it serves, and their links. */
export class Connections {
  readonly signals: SignalTable = new SignalTable()
  readonly accepters: StreamAccepters = new StreamAccepters()
  readonly links: LinkTable
  readonly uplinks: Set<Uplink> = new Set()
  readonly #options: ConnectionsOptions
  readonly #kept = new KeptByPeer()
  readonly #intake = new Intake()
  /** Links whose peer was said to be connected. */
  readonly #told = new WeakSet<PeerLink>()
  readonly #lastPeer = new Map<Uplink, ReplicaId>()
  readonly #listeners = new Set<Listener>()
  readonly #peerListeners = new Set<(peer: ConnectedPeer, connected: boolean) => void>()
  readonly #meters = new WeakMap<PeerLink, LinkMeter>()
  readonly #admission: Admission
  readonly #turns = new AnswerTurns()
  readonly #quarantine: Quarantine
  #closed = false

  constructor(options: ConnectionsOptions) {
    this.#options = options
    this.links = new LinkTable(options.log.replica)
    this.#admission = new Admission(options.random, options.admission)
    this.#quarantine = new Quarantine(options)
    options.log.onAppended((entries, head) => this.links.grew(entries, head))
  }

  /** Keeps a peer connected. Its uplink is closed with the others. */
  connect(options: ConnectOptions): Uplink {
    const { log, clock, random, logger } = this.#options
    const principal = options.principal ?? 'cloud'
    for (const collection of options.collections) checkName('collection', collection, 256)
    const uplink: Uplink = new Uplink({
      transport: dialLevel(options.transport, log),
      address: options.address,
      subscriptions: options.collections,
      clock,
      random,
      logger,
      dialTimeoutMs: options.dialTimeoutMs ?? DIAL_TIMEOUT_MS,
      link: (connection, subscriptions) => {
        const peer = log.peer(this.#lastPeer.get(uplink) ?? options.peer ?? principal)
        return this.#link(
          { role: 'dialer', connection, principal, subscriptions, peer },
          {
            established: (name) => {
              this.#lastPeer.set(uplink, name)
              uplink.established(name)
            },
          },
        )
      },
    })
    this.uplinks.add(uplink)
    return uplink
  }

  /** Accepts every connection of a listener until {@link close}, which closes the listener too. */
  serve(listener: Listener): void {
    this.#listeners.add(listener)
    void this.#accept(listener)
  }

  /** Takes one connection that came in. Its principal must have been authenticated by the transport. */
  accept(connection: Connection): void {
    const { measures } = this.#options
    const { principal } = connection
    if (principal === undefined) {
      measures.refused('ACCESS_UNAUTHENTICATED')
      return connection.abort(unauthenticated())
    }
    const place = this.#admission.enter(connection)
    if (place === undefined) return measures.refused('ACCESS_BUSY')
    const turn = this.#turns.turn()
    const link = this.#link(
      { role: 'accepter', connection, principal, subscriptions: [], peer: undefined },
      { established: place.admitted },
      turn,
    )
    void link.closed.then(() => {
      turn.end()
      place.left()
    })
  }

  /** What a link has carried. */
  meterOf(link: PeerLink): LinkMeter {
    return this.#meters.get(link) ?? new LinkMeter()
  }

  /** Ends the connections that share more than the policy allows by now. See {@link withdrawal}. */
  recheck(principal: Principal | undefined): void {
    for (const link of [...this.links.all]) {
      if (principal !== undefined && link.principal !== principal) continue
      const reason = withdrawal(this.#options.policy, link)
      if (reason !== undefined) link.refuse(reason)
    }
  }

  /** The peers that are connected now. */
  get peers(): readonly ConnectedPeer[] {
    return this.links.established.map(described)
  }

  /** Calls back when a peer is connected and when it is gone. */
  onPeer(listener: (peer: ConnectedPeer, connected: boolean) => void): Cancel {
    this.#peerListeners.add(listener)
    return () => this.#peerListeners.delete(listener)
  }

  /** Sets a signal that every connected peer sees, now and when it connects. */
  signal(key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.signals.own.delete(key)
    else this.signals.own.set(key, value)
    for (const link of this.links.all) link.setSignal(key, value)
  }

  /** @throws ConnectionClosedError when the peer is not connected. */
  openStream(peer: ReplicaId, protocol: string, head: Uint8Array): PeerStream {
    const link = this.links.of(peer)
    if (link === undefined)
      throw new ConnectionClosedError('the peer is not connected', { fields: { peer } })
    return link.openStream(protocol, head)
  }

  /** Takes no new connection, then ends every one. `step` runs each part, whatever came of the last. */
  async close(step: (work: () => Promise<unknown>) => Promise<void>): Promise<void> {
    this.#closed = true
    await step(() => Promise.all([...this.#listeners].map((listener) => listener.close())))
    await step(() => Promise.all([...this.uplinks].map((uplink) => uplink.close())))
    await step(() => this.links.close())
  }

  #link(
    options: Pick<LinkOptions, 'role' | 'connection' | 'principal' | 'subscriptions' | 'peer'>,
    owner: LinkOwner,
    turn?: Turn,
  ): PeerLink {
    const { log, clock, sha256, compression, logger, policy, measures, repairs } = this.#options
    const meter = new LinkMeter()
    const link = new PeerLink({
      ...options,
      connection: new ObservedConnection(options.connection, meter, turn),
      log,
      policy,
      clock,
      sha256,
      compression,
      intake: this.#intake,
      logger,
      events: this.#events(owner, meter),
      signals: this.signals.own,
      kept: this.#kept,
      repairs,
    })
    this.#meters.set(link, meter)
    this.links.add(link)
    void link.closed.then((reason) => {
      logger.debug('a link closed', { peer: link.peer, principal: link.principal, ...reason })
      if (link.peer !== undefined) measures.peers.carried(link.peer, meter)
      this.#tellPeer(link, false)
    })
    return link
  }

  #events(owner: LinkOwner, meter: LinkMeter): LinkEvents {
    const { log, policy, clock, logger, measures, refusals, waiting } = this.#options
    const acknowledged = (durable: Position): void => {
      const seconds = meter.acknowledged(durable, clock.monotonicMs())
      if (seconds !== undefined) measures.caughtUp(seconds)
    }
    return {
      objection: (link, peer) => misnamed(policy, link, peer) ?? this.links.objection(link, peer),
      turnedAway: ({ code }) => measures.refused(code),
      established: (link) => {
        const isNew = link.peer !== undefined && this.links.of(link.peer) !== link
        this.links.establish(link)
        if (!isNew || link.peer === undefined) return
        meter.established(log.head, clock.monotonicMs())
        const { state, principal } = link
        if (state !== undefined) {
          meetAuthor(log, state, principal, logger)
          acknowledged(state.acked)
        }
        this.#filled(link.peer)
        owner.established(link.peer)
        this.#tellPeer(link, true)
      },
      lost: (position) => this.#options.lost(position),
      acknowledged: (link, { replica, complete }, received, durable) => {
        const note = (): void => {
          this.#options.acknowledgements.note(replica, received, durable, complete)
        }
        acknowledged(durable)
        // It covers what was refused, which whoever waits for it finds written down. Where it cannot be, the link
        // ends, and the peer refuses it again.
        const written = refusals.written(link)
        if (written === undefined) note()
        else void written.then((is) => is && note())
      },
      stored: (link, entries, rejects) => {
        this.#filled(link.peer)
        for (const { wire, events } of entries)
          link.kept.remove(
            wire.document,
            events.map(({ header }) => header.hash),
          )
        waiting.delivered(entries)
        measures.rejected('here', rejects)
        this.#quarantine.examine(link, entries, rejects)
      },
      rejected: (link, rejects) => {
        measures.rejected('peer', rejects)
        refusals.take(link, rejects)
      },
      signal: ({ peer, principal }, key, value) => {
        if (peer !== undefined) this.signals.deliver({ key, value, peer, principal })
      },
      stream: (link, protocol, head, stream) =>
        this.accepters.accept(stream, protocol, head, link.principal),
    }
  }

  /** What is remembered of a peer may have more in it than what it acknowledged last. */
  #filled(peer: ReplicaId | undefined): void {
    const { acknowledgements, log } = this.#options
    if (peer === undefined || !acknowledgements.isAwaited(peer)) return
    const state = log.peer(peer)
    if (state !== undefined) acknowledgements.note(peer, state.acked, state.acked, state.complete)
  }

  #tellPeer(link: PeerLink, connected: boolean): void {
    if (connected) this.#told.add(link)
    else if (!this.#told.has(link) || this.links.of(link.peer ?? '') !== undefined) return
    for (const listener of [...this.#peerListeners]) listener(described(link), connected)
  }

  async #accept(listener: Listener): Promise<void> {
    try {
      for await (const connection of listener) {
        if (!this.#closed) this.accept(connection)
        else void connection.close()
      }
    } catch (error) {
      this.#options.logger.error('a listener failed', { addresses: listener.addresses, error })
    }
  }
}

function described(link: PeerLink): ConnectedPeer {
  return { replica: link.peer ?? '', principal: link.principal, collections: link.granted }
}
