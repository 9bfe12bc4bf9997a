import type { ReplicaId } from '../ids.ts'
import type { Counter, Gauge, Metrics } from '../interfaces/metrics.ts'
import type { LinkMeter } from './measures-link.ts'
import type { Lag } from './status-lag.ts'

/** What a meter had when it was last added to the counters. */
type Told = Pick<LinkMeter, 'receivedBytes' | 'receivedMessages' | 'sentBytes' | 'sentMessages'>

const NOTHING: Told = { receivedBytes: 0, receivedMessages: 0, sentBytes: 0, sentMessages: 0 }

/** Where the traffic of peers past the bound is counted together. */
const OTHERS = 'other'

const LABELS = ['peer']

/**
 * The series that exist once a peer. There are at most so many of them: the names of peers that are gone
 * make room first, and what has no room is counted as `other`, without gauges.
 */
export class PeerMeasures {
  readonly #seriesMax: number
  /** Peers with series, the one that was seen last at the end. */
  readonly #known = new Set<ReplicaId>()
  readonly #told = new WeakMap<LinkMeter, Told>()
  #connected: ReadonlySet<ReplicaId> = new Set()
  readonly #counters: Readonly<Record<keyof Told, Counter>>
  readonly #lagEvents: Gauge
  readonly #lagBytes: Gauge
  readonly #roundTrip: Gauge

  constructor(metrics: Metrics, seriesMax: number) {
    this.#seriesMax = seriesMax
    const counter = (name: string, help: string): Counter =>
      metrics.counter({ name, help, labels: LABELS })
    const gauge = (name: string, help: string): Gauge =>
      metrics.gauge({ name, help, labels: LABELS })
    this.#counters = {
      receivedBytes: counter('peer_received_bytes', 'Bytes of messages from a peer.'),
      receivedMessages: counter('peer_received_messages', 'Messages from a peer.'),
      sentBytes: counter('peer_sent_bytes', 'Bytes of messages to a peer.'),
      sentMessages: counter('peer_sent_messages', 'Messages to a peer.'),
    }
    this.#lagEvents = gauge(
      'peer_lag_events',
      'Entries that are durable here and not acknowledged by a peer.',
    )
    this.#lagBytes = gauge(
      'peer_lag_bytes',
      'Bytes of entries that are durable here and not acknowledged by a peer.',
    )
    this.#roundTrip = gauge('peer_round_trip_seconds', 'How long a peer took to answer last.')
  }

  /** Says who is connected, before a look: their series stay. */
  connected(peers: ReadonlySet<ReplicaId>): void {
    this.#connected = peers
  }

  /** Adds what a connection carried since the last call. To be called when somebody looks, and at its end. */
  carried(peer: ReplicaId, meter: LinkMeter): void {
    const told = this.#told.get(meter) ?? NOTHING
    const { receivedBytes, receivedMessages, sentBytes, sentMessages } = meter
    const now: Told = { receivedBytes, receivedMessages, sentBytes, sentMessages }
    this.#told.set(meter, now)
    const labels = { peer: this.#admit(peer) ? peer : OTHERS }
    for (const name of Object.keys(now) as (keyof Told)[]) {
      const delta = now[name] - told[name]
      if (delta > 0) this.#counters[name].add(delta, labels)
    }
  }

  /** @param roundTripMs undefined while it is not known, or the peer is not connected. */
  is(peer: ReplicaId, lag: Lag, roundTripMs: number | undefined): void {
    if (!this.#known.has(peer)) return
    this.#lagEvents.set(lag.events, { peer })
    this.#lagBytes.set(lag.bytes, { peer })
    if (roundTripMs === undefined) this.#roundTrip.remove({ peer })
    else this.#roundTrip.set(roundTripMs / 1000, { peer })
  }

  /** The peers that have series. */
  get known(): ReadonlySet<ReplicaId> {
    return this.#known
  }

  /** Ends every series of a peer. */
  forget(peer: ReplicaId): void {
    if (!this.#known.delete(peer)) return
    for (const counter of Object.values(this.#counters)) counter.remove({ peer })
    for (const gauge of [this.#lagEvents, this.#lagBytes, this.#roundTrip]) gauge.remove({ peer })
  }

  /** A peer that is seen again goes to the end, so that the first is the one to be forgotten. */
  #admit(peer: ReplicaId): boolean {
    if (peer === OTHERS) return false
    if (!this.#known.delete(peer) && this.#known.size >= this.#seriesMax) {
      if (!this.#makeRoom()) return false
    }
    this.#known.add(peer)
    return true
  }

  /** The peers that are connected are seen at every look, so the first is gone if any is. */
  #makeRoom(): boolean {
    for (const peer of this.#known) {
      if (this.#connected.has(peer)) return false
      this.forget(peer)
      return true
    }
    return false
  }
}
