import { DialError, isTidewayError } from '../errors.ts'
import type { CollectionId } from '../ids.ts'
import type { Cancel, Clock, Random } from '../interfaces/clock.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { Connection, Transport } from '../interfaces/transport.ts'
import { backoffMs } from '../sync/backoff.ts'
import type { SessionClose } from '../sync/io.ts'
import type { PeerLink } from './peer-link.ts'

/** How a connection to one address stands. */
export type UplinkStatus =
  | { readonly type: 'connecting'; readonly attempt: number }
  | { readonly type: 'connected'; readonly peer: string }
  /** Between attempts. `error` is why the last one ended. */
  | {
      readonly type: 'waiting'
      readonly attempt: number
      readonly delayMs: number
      readonly error: Error
    }
  /** For good: it was closed, or the other side said that trying again is of no use. */
  | { readonly type: 'stopped'; readonly error: Error | undefined }

export interface UplinkOptions {
  readonly transport: Transport
  readonly address: string
  readonly subscriptions: readonly CollectionId[]
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Makes the link over a fresh connection. */
  readonly link: (connection: Connection, subscriptions: readonly CollectionId[]) => PeerLink
  /** How long one attempt to connect may take. */
  readonly dialTimeoutMs: number
}

/** A connection must have lived this long for the next failure to count as the first. */
const STABLE_MS = 10_000

/** Keeps one address connected: dials, and dials again after a growing, jittered delay. */
export class Uplink {
  readonly #options: UplinkOptions
  readonly #listeners = new Set<(status: UplinkStatus) => void>()
  readonly #subscriptions: Set<CollectionId>
  /** What the peer of this connection has been asked for. */
  #asked: ReadonlySet<CollectionId> = new Set()
  #status: UplinkStatus = { type: 'connecting', attempt: 0 }
  #sinceMs: number
  #link: PeerLink | undefined
  #abort: AbortController | undefined
  #cancel: Cancel | undefined
  #attempt = 0
  #stopped = false
  #running: Promise<void>

  constructor(options: UplinkOptions) {
    this.#options = options
    this.#sinceMs = options.clock.wallMs()
    this.#subscriptions = new Set(options.subscriptions)
    this.#running = this.#connect()
  }

  get status(): UplinkStatus {
    return this.#status
  }

  /** What is dialled. */
  get address(): string {
    return this.#options.address
  }

  /** Since when it stands as it does, in milliseconds since the Unix epoch. */
  get sinceMs(): number {
    return this.#sinceMs
  }

  get link(): PeerLink | undefined {
    return this.#link
  }

  /** Calls back with each new status, and at once with the current one. */
  onStatus(listener: (status: UplinkStatus) => void): Cancel {
    this.#listeners.add(listener)
    listener(this.#status)
    return () => this.#listeners.delete(listener)
  }

  /** Adds collections, on the connection that is open and on every later one. */
  subscribe(collections: readonly CollectionId[]): void {
    for (const collection of collections) this.#subscriptions.add(collection)
    // Asked again when it was refused before: what a peer allows may have changed.
    const missing = collections.filter(
      (collection) => this.#link?.granted.includes(collection) !== true,
    )
    if (missing.length > 0) this.#ask(missing)
  }

  /** Dials now instead of waiting, if it waits. */
  retryNow(): void {
    if (this.#status.type !== 'waiting') return
    this.#cancel?.()
    this.#running = this.#connect()
  }

  /** Ends the connection in good order and dials no more. Idempotent. */
  async close(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    this.#abort?.abort(new DialError('the uplink was closed', { retryable: false }))
    await this.#link?.close()
    await this.#running
    if (this.#status.type !== 'stopped') this.#set({ type: 'stopped', error: undefined })
  }

  async #connect(): Promise<void> {
    const { transport, address, clock, link, dialTimeoutMs } = this.#options
    this.#set({ type: 'connecting', attempt: this.#attempt })
    const abort = new AbortController()
    this.#abort = abort
    const cancel = clock.schedule(dialTimeoutMs, () =>
      abort.abort(
        new DialError('the peer did not answer in time', { fields: { address, dialTimeoutMs } }),
      ),
    )
    let connection: Connection
    try {
      connection = await transport.dial(address, { signal: abort.signal })
    } catch (error) {
      return this.#again(asError(error), undefined)
    } finally {
      cancel()
    }
    if (this.#stopped) return await connection.close()
    const since = clock.monotonicMs()
    this.#asked = new Set(this.#subscriptions)
    this.#link = link(connection, [...this.#subscriptions])
    const reason = await this.#link.closed
    this.#link = undefined
    if (clock.monotonicMs() - since >= STABLE_MS) this.#attempt = 0
    this.#again(closeError(reason), reason.retryAfterMs)
  }

  /** For the link's replica: the session is established. */
  established(peer: string): void {
    this.#set({ type: 'connected', peer })
    // What was added since the handshake began is not in it.
    const late = [...this.#subscriptions].filter((collection) => !this.#asked.has(collection))
    if (late.length > 0) this.#ask(late)
  }

  /** While the two do not know each other yet, it waits until they do. */
  #ask(collections: readonly CollectionId[]): void {
    if (this.#status.type !== 'connected') return
    this.#asked = new Set([...this.#asked, ...collections])
    this.#link?.subscribe(collections)
  }

  #again(error: Error, retryAfterMs: number | undefined): void {
    if (this.#stopped) return this.#set({ type: 'stopped', error: undefined })
    if (isTidewayError(error) && !error.retryable) return this.#set({ type: 'stopped', error })
    const { clock, random, logger, address } = this.#options
    const bytes = new Uint8Array(4)
    random.fill(bytes)
    const fraction = new DataView(bytes.buffer).getUint32(0) / 2 ** 32
    const delayMs = backoffMs(this.#attempt, fraction, { retryAfterMs })
    this.#attempt += 1
    logger.info('the peer is not connected', {
      address,
      attempt: this.#attempt,
      delayMs,
      error: error.message,
    })
    this.#set({ type: 'waiting', attempt: this.#attempt, delayMs, error })
    this.#cancel = clock.schedule(delayMs, () => {
      this.#running = this.#connect()
    })
  }

  #set(status: UplinkStatus): void {
    if (status.type !== this.#status.type) this.#sinceMs = this.#options.clock.wallMs()
    this.#status = status
    for (const listener of [...this.#listeners]) listener(status)
  }
}

function closeError(reason: SessionClose): Error {
  return new DialError(reason.message, {
    retryable: reason.retryable,
    fields: { code: reason.code },
  })
}

function asError(error: unknown): Error {
  return error instanceof Error
    ? error
    : new DialError('the peer cannot be reached', { cause: error })
}
