import type { TidewayError } from '../errors.ts'
import type { AbortOptions } from './abort.ts'

/** What a transport can do. The engine and the suite branch on this, never on a name. */
export interface TransportFeatures {
  readonly listen: boolean
  /** Stops the peer when the local reader is slow. A browser WebSocket cannot. */
  readonly readBackpressure: boolean
  /** The largest message that {@link Connection.send} takes, in bytes. */
  readonly messageBytesMax: number
}

/**
 * Opens connections to peers over one kind of network.
 *
 * Vocabulary: one side *dials* an address, the other *listens* and *accepts*; both then hold a
 * {@link Connection}, over which whole messages travel in both directions. A transport knows nothing
 * of documents, sessions or retries: the engine owns all policy.
 */
export interface Transport {
  /** A short constant for logs and errors, such as `websocket`. */
  readonly name: string
  readonly supports: TransportFeatures
  /**
   * Opens one connection. It does not retry: the engine owns the policy for that.
   *
   * @throws DialError when the peer cannot be reached or refuses.
   */
  dial(address: string, options?: AbortOptions): Promise<Connection>
}

/** How a connection ended. */
export type CloseReason =
  | { readonly type: 'local' }
  | { readonly type: 'remote'; readonly reason: string }
  | { readonly type: 'failed'; readonly error: TidewayError }

/**
 * A reliable, ordered, two-way sequence of whole messages.
 *
 * Iterating yields the peer's messages, for one consumer, once. The iteration ends when the
 * connection closes in good order and throws when it fails. Messages that arrived before the close
 * are always yielded first.
 */
export interface Connection extends AsyncIterable<Uint8Array> {
  readonly direction: 'inbound' | 'outbound'
  /** For logs. Says nothing about who the peer is: authentication does that. */
  readonly remoteAddress: string
  /** Who the transport authenticated at the other end (client certificate, token), if it did. */
  readonly principal: string | undefined
  /** Resolves once, when the connection has ended and holds no resource. Never rejects. */
  readonly closed: Promise<CloseReason>
  /**
   * Queues one message for the peer.
   *
   * Messages arrive whole and in the order of the calls, or not at all. The bytes belong to the
   * connection from here on: changing them later changes what is sent.
   *
   * @returns false once more than the transport's high-water mark is waiting; call {@link drained}
   * before the next.
   * @throws ConnectionClosedError when {@link close} or {@link abort} has been called, or the peer left.
   * @throws MessageTooLargeError past `supports.messageBytesMax`. The connection stays open.
   */
  send(message: Uint8Array): boolean
  /** Resolves when {@link send} may be called again; rejects if the connection ends first. */
  drained(options?: AbortOptions): Promise<void>
  /** Sends what is queued, then closes. A second call returns the same promise. */
  close(): Promise<void>
  /** Drops what is queued and closes now. Never throws. Harmless after {@link close}. */
  abort(reason: TidewayError): void
}

/** Accepts connections until it is closed. Closing it leaves accepted connections open. */
export interface Listener extends AsyncIterable<Connection> {
  /** Where a peer can dial, such as `wss://127.0.0.1:10000`. */
  readonly addresses: readonly string[]
  /** Stops accepting. Idempotent. */
  close(): Promise<void>
}
