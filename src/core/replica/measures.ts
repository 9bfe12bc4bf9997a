import type { Counter, Histogram, Metrics } from '../interfaces/metrics.ts'
import type { StoredEntry } from '../log/entry.ts'
import { PeerMeasures } from './measures-peers.ts'

/** Codes that refusals carry. A peer may send any text as a code: others are counted as one. */
const CODES: ReadonlySet<string> = new Set([
  'ACCESS_AUTHOR',
  'ACCESS_DENIED',
  'ACCESS_EQUIVOCATION',
  'ACCESS_QUARANTINED',
  'ACCESS_UNAUTHENTICATED',
  'DOCUMENT_BROKEN',
  'DOCUMENT_DELETED',
  'DOCUMENT_TOO_LARGE',
  'LOCAL',
  'PROTOCOL_LIMIT_EXCEEDED',
])

const SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const COUNTS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000]

/** What a replica counts as it happens. docs/operations.md lists the names. */
export class Measures {
  readonly peers: PeerMeasures
  readonly #events: Counter
  readonly #bytes: Counter
  readonly #batches: Histogram
  readonly #appends: Histogram
  readonly #merges: Counter
  readonly #conflicts: Counter
  readonly #rejects: Counter
  readonly #refusals: Counter
  readonly #renewals: Counter
  readonly #repairs: Counter
  readonly #catchUps: Histogram

  constructor(metrics: Metrics, peerSeriesMax: number) {
    this.peers = new PeerMeasures(metrics, peerSeriesMax)
    const labels = ['origin']
    this.#events = metrics.counter({
      ...{ name: 'appended_events', labels },
      help: 'Entries that were appended to the log: made here, or delivered by a peer.',
    })
    this.#bytes = metrics.counter({
      ...{ name: 'appended_bytes', labels },
      help: 'Bytes of the entries that were appended to the log.',
    })
    this.#batches = metrics.histogram({
      ...{ name: 'append_events', buckets: COUNTS },
      help: 'Entries in one append to the storage.',
    })
    this.#appends = metrics.histogram({
      ...{ name: 'append_seconds', buckets: SECONDS },
      help: 'How long one append took until it was durable.',
    })
    this.#merges = metrics.counter({
      name: 'merged_events',
      help: 'Events of others that were applied to loaded documents.',
    })
    this.#conflicts = metrics.counter({
      name: 'conflicts',
      help: 'Events of others that were made without knowing the newest event of a loaded document.',
    })
    this.#rejects = metrics.counter({
      ...{ name: 'rejected_events', labels: ['by', 'code'] },
      help: 'Entries that were refused: by this replica, or by a peer.',
    })
    this.#refusals = metrics.counter({
      ...{ name: 'refused_connections', labels: ['code'] },
      help: 'Connections that were refused.',
    })
    this.#renewals = metrics.counter({
      name: 'lost_log_ends',
      help: 'How often the log went on under another epoch, as its storage had lost its end.',
    })
    this.#repairs = metrics.counter({
      name: 'damaged_entries',
      help: 'Entries that could not be read and were taken out of the log.',
    })
    this.#catchUps = metrics.histogram({
      ...{ name: 'catch_up_seconds', buckets: SECONDS },
      help: 'From the handshake until the peer had acknowledged all that was here by then.',
    })
  }

  appended(entries: readonly StoredEntry[]): void {
    let localEvents = 0
    let localBytes = 0
    let bytes = 0
    for (const entry of entries) {
      bytes += entry.bytes.length
      if (entry.from !== undefined) continue
      localEvents += 1
      localBytes += entry.bytes.length
    }
    count(this.#events, localEvents, LOCAL)
    count(this.#bytes, localBytes, LOCAL)
    count(this.#events, entries.length - localEvents, REMOTE)
    count(this.#bytes, bytes - localBytes, REMOTE)
  }

  /** One append of the storage. */
  stored(entries: number, seconds: number): void {
    this.#batches.observe(entries)
    this.#appends.observe(seconds)
  }

  merged(concurrent: boolean): void {
    this.#merges.add(1)
    if (concurrent) this.#conflicts.add(1)
  }

  rejected(by: 'here' | 'peer', rejects: readonly { readonly code: string }[]): void {
    for (const { code } of rejects) this.#rejects.add(1, { by, code: known(code) })
  }

  refused(code: string): void {
    this.#refusals.add(1, { code: known(code) })
  }

  /** The end of the log was lost. */
  renewed(): void {
    this.#renewals.add(1)
  }

  /** Entries that could not be read were taken out of the log. */
  repaired(entries: number): void {
    this.#repairs.add(entries)
  }

  caughtUp(seconds: number): void {
    this.#catchUps.observe(seconds)
  }
}

const LOCAL = { origin: 'local' }
const REMOTE = { origin: 'remote' }

function count(counter: Counter, value: number, labels: Readonly<Record<string, string>>): void {
  if (value > 0) counter.add(value, labels)
}

function known(code: string): string {
  return CODES.has(code) ? code : 'OTHER'
}
