import type { Policy } from '../access/policy.ts'
import { ConnectionClosedError } from '../errors.ts'
import type { ReplicaId } from '../ids.ts'
import type { Cancel, Clock, Random } from '../interfaces/clock.ts'
import type { Compression } from '../interfaces/compression.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { Connection, Listener } from '../interfaces/transport.ts'
import type { EventLog } from '../log/event-log.ts'
import type { AcknowledgementTable } from './acknowledgements.ts'
import { dialLevel } from './elsewhere.ts'
import { KeptByPeer } from './kept-events.ts'
import type { LinkEvents, LinkOptions } from './link-options.ts'
import { LinkTable, unauthenticated } from './link-table.ts'
import { checkName } from './names.ts'
import type { ConnectedPeer, ConnectOptions } from './options.ts'
import { PeerLink } from './peer-link.ts'
import type { PeerStream } from './peer-stream.ts'
import type { Refusals } from './refusals.ts'
import { SignalTable } from './signals.ts'
import { StreamAccepters } from './stream-accepters.ts'
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
}

/** Every way in and out of a replica: uplinks that it dials, listeners that it serves, and their links. */
export class Connections {
  readonly signals: SignalTable = new SignalTable()
  readonly accepters: StreamAccepters = new StreamAccepters()
  readonly links: LinkTable
  readonly uplinks: Set<Uplink> = new Set()
  readonly #options: ConnectionsOptions
  readonly #kept = new KeptByPeer()
  /** Links whose peer was said to be connected. */
  readonly #told = new WeakSet<PeerLink>()
  readonly #lastPeer = new Map<Uplink, ReplicaId>()
  readonly #listeners = new Set<Listener>()
  readonly #peerListeners = new Set<(peer: ConnectedPeer, connected: boolean) => void>()
  #closed = false

  constructor(options: ConnectionsOptions) {
    this.#options = options
    this.links = new LinkTable(options.log.replica)
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
        return this.#link({ role: 'dialer', connection, principal, subscriptions, peer }, uplink)
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
    const { principal } = connection
    if (principal === undefined) return connection.abort(unauthenticated())
    this.#link(
      { role: 'accepter', connection, principal, subscriptions: [], peer: undefined },
      undefined,
    )
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
    uplink: Uplink | undefined,
  ): PeerLink {
    const { log, clock, sha256, compression, logger, policy } = this.#options
    const events = this.#events(uplink)
    const link = new PeerLink({
      ...options,
      log,
      policy,
      clock,
      sha256,
      compression,
      logger,
      events,
      signals: this.signals.own,
      kept: this.#kept,
    })
    this.links.add(link)
    void link.closed.then((reason) => {
      logger.debug('a link closed', { peer: link.peer, principal: link.principal, ...reason })
      this.#tellPeer(link, false)
    })
    return link
  }

  #events(uplink: Uplink | undefined): LinkEvents {
    return {
      objection: (link, peer) => this.links.objection(link, peer),
      established: (link) => {
        const isNew = link.peer !== undefined && this.links.of(link.peer) !== link
        this.links.establish(link)
        if (!isNew || link.peer === undefined) return
        if (uplink !== undefined) {
          this.#lastPeer.set(uplink, link.peer)
          uplink.established(link.peer)
        }
        this.#tellPeer(link, true)
      },
      acknowledged: (peer, received, durable) =>
        this.#options.acknowledgements.note(peer, received, durable),
      rejected: (link, rejects) => this.#options.refusals.take(link, rejects),
      signal: ({ peer, principal }, key, value) => {
        if (peer !== undefined) this.signals.deliver({ key, value, peer, principal })
      },
      stream: (link, protocol, head, stream) =>
        this.accepters.accept(stream, protocol, head, link.principal),
    }
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
