import { assert, type ErrorCode } from '../errors.ts'
import type { CollectionId, Epoch, Position, ReplicaId } from '../ids.ts'
import type { Exchange } from './exchange.ts'
import type { StartInput } from './handshake.ts'
import type {
  Admission,
  AppendAnswer,
  DigestAnswer,
  PeerState,
  ReadAnswer,
  Refusal,
  SessionClose,
  SessionOutput,
} from './io.ts'
import { DEFAULT_LIMITS, type SessionLimits } from './limits.ts'
import type { DeliveryAnswer, ReconcileProgress, ReconcileResult } from './reconcile-steps.ts'
import { SessionMachine } from './session-machine.ts'
import type { SessionState } from './session-states.ts'

export interface SessionOptions {
  readonly role: 'dialer' | 'accepter'
  readonly replica: ReplicaId
  readonly epoch: Epoch
  readonly limits?: Partial<SessionLimits> | undefined
  /** The numbers of the compressions that the driver can undo. Default: none. */
  readonly packings?: readonly number[] | undefined
}

/** Why a storage or a check of entries failed. */
export interface Failure {
  readonly code: ErrorCode
  readonly message: string
  readonly retryable: boolean
}

/**
 * One side of one conversation between two replicas.
 *
 * It does nothing by itself: `handle*` and the commands say what happened, {@link poll} says what to
 * do, {@link deadlineMs} when to call {@link handleTimeout} at the latest. After every call the driver
 * polls until nothing more comes. No method waits, calls back, reads time, or throws on what a peer sent.
 *
 * ```
 * dialer    idle ─start→ opening ─page→ greeting ─WELCOME→ live
 * accepter  waiting ─HELLO→ admitting ─admission→ answering ─sent answer→ live
 * both      any ─CLOSE, timeout, failed, lost, close, a violation→ closed
 * ```
 *
 * The transitions are in session-states.ts, the messages in docs/protocol.md.
 */
export class SyncSession {
  readonly role: 'dialer' | 'accepter'
  readonly limits: SessionLimits
  readonly #machine: SessionMachine

  constructor(options: SessionOptions) {
    this.role = options.role
    // Shared by all that choose nothing: there may be many.
    this.limits =
      options.limits === undefined ? DEFAULT_LIMITS : { ...DEFAULT_LIMITS, ...options.limits }
    const { replica, epoch, packings } = options
    const self = { replica, epoch, packings }
    this.#machine = new SessionMachine(options.role, self, this.limits)
  }

  get #exchange(): Exchange | undefined {
    return this.#machine.exchange
  }

  get state(): SessionState {
    return this.#machine.state
  }

  /** The protocol version that both sides chose. */
  get version(): number | undefined {
    return this.#machine.version
  }

  /** The peer as it would be remembered now; undefined before both sides know each other. */
  get peer(): PeerState | undefined {
    return this.#exchange?.peer
  }

  /** The compressions that the peer can undo: as it said, or as a dialer remembers until it does. */
  get peerPackings(): readonly number[] {
    return this.#machine.peerPackings
  }

  get granted(): readonly CollectionId[] {
    return this.#machine.conversation.sharing.granted
  }

  /** How far our log has been put into messages. */
  get sent(): Position {
    return this.#exchange?.sender.sent ?? 0
  }

  /** How far this side is with finding what differs. */
  get reconciling(): ReconcileProgress {
    return this.#exchange?.reconciliation.progress ?? NOT_RECONCILING
  }

  /** The last comparison of digests at our side found both logs equal. */
  get agreed(): boolean {
    return this.#exchange?.check.agreed ?? false
  }

  /** How long the peer took to answer last; undefined while it was not asked. */
  get roundTripMs(): number | undefined {
    return this.#machine.roundTripMs
  }

  /** Bytes of the peer's log that are here and not durable yet. */
  get heldBytes(): number {
    return this.#exchange?.heldBytes ?? 0
  }

  /** When to call {@link handleTimeout} if nothing else happens first. */
  get deadlineMs(): number | undefined {
    return this.#machine.dueMs
  }

  /** Dialer: says HELLO, with as much of our log as fits the initial credit. */
  start(input: StartInput, nowMs: number): void {
    this.#machine.start(input, nowMs)
  }

  /** Accepter: the connection is there. From now on the dialer has its time to say HELLO. */
  accept(nowMs: number): void {
    assert(this.role === 'accepter', 'accept is called by an accepter')
    this.#machine.at(nowMs)
  }

  /** One message of the peer. Whatever is in it, this does not throw. */
  handleMessage(bytes: Uint8Array, nowMs: number): void {
    this.#machine.during(nowMs, () => this.#machine.handleMessage(bytes, nowMs))
  }

  /** Accepter: the driver has decided to talk to this peer. */
  handleAdmission(admission: Admission, nowMs: number): void {
    this.#machine.during(nowMs, () => this.#machine.admit(admission, nowMs))
  }

  /**
   * The driver's decision about a `subscribe` output. What is in neither list is refused.
   *
   * @param held those of `granted` in which we hold documents.
   */
  handleGrant(
    token: number,
    granted: readonly CollectionId[],
    refused: readonly Refusal[],
    nowMs: number,
    held: readonly CollectionId[] = [],
  ): void {
    const verdict = { granted, refused, held }
    this.#machine.during(nowMs, () => this.#machine.conversation.decide(token, verdict))
  }

  /**
   * Asks to share more collections. Both sides may, once they know each other; before, nothing happens.
   *
   * @param held those of `collections` in which we hold documents.
   */
  subscribe(
    collections: readonly CollectionId[],
    nowMs: number,
    held: readonly CollectionId[] = [],
  ): void {
    if (this.#machine.state !== 'live' && this.#machine.state !== 'answering') return
    this.#machine.during(nowMs, () => this.#machine.conversation.subscribe(collections, held))
  }

  /**
   * Looks for what differs in these collections and exchanges it, because our log lost something.
   * Collections that are not shared are passed over, and all of them before both sides know each other.
   */
  reconcile(collections: readonly CollectionId[], nowMs: number): void {
    this.#machine.during(nowMs, () => this.#exchange?.reconcile(collections))
  }

  /** The page that a `read` output asked for. */
  handleRead(token: number, answer: ReadAnswer, nowMs: number): void {
    this.#machine.during(nowMs, () => {
      this.#exchange?.handleRead(token, answer)
      this.#machine.greet()
    })
  }

  /** The entries that a `deliver` output asked for. */
  handleDelivered(token: number, answer: DeliveryAnswer, nowMs: number): void {
    this.#machine.during(nowMs, () => this.#exchange?.handleDelivered(token, answer))
  }

  /** What a `reconcile` output asked for. */
  handleReconciled(token: number, result: ReconcileResult, nowMs: number): void {
    this.#machine.during(nowMs, () => this.#exchange?.reconciliation.handleStep(token, result))
  }

  /** What an `append` output asked for is durable. */
  handleAppended(token: number, answer: AppendAnswer, nowMs: number): void {
    this.#machine.during(nowMs, () => this.#exchange?.handleAppended(token, answer))
  }

  /**
   * What an output asked for cannot be done: the storage refused, or the peer's entries are wrong. The
   * session ends and tells the peer the code; nothing of the append was acknowledged.
   */
  handleFailed(_token: number, failure: Failure, nowMs: number): void {
    const { code, message, retryable } = failure
    this.#machine.during(nowMs, () => this.#machine.finish({ code, message, retryable }))
  }

  handleDigest(token: number, answer: DigestAnswer, nowMs: number): void {
    this.#machine.during(nowMs, () => this.#exchange?.handleDigest(token, answer))
  }

  handleVerified(token: number, equal: boolean, nowMs: number): void {
    this.#machine.during(nowMs, () =>
      this.#machine.judge(this.#exchange?.handleVerified(token, equal)),
    )
  }

  /** Our durable log has grown. Only positions are kept until the peer takes more. */
  handleLogGrew(head: Position, nowMs: number): void {
    this.#machine.during(nowMs, () => this.#exchange?.sender.grow(head))
  }

  /** Our durable log has grown by what came from this peer, and by nothing else that it shares. */
  handleLogPassed(head: Position, nowMs: number): void {
    this.#machine.during(nowMs, () => this.#exchange?.sender.pass(head))
  }

  /** Whether the transport takes another message now. */
  handleWritable(writable: boolean, nowMs: number): void {
    this.#machine.during(nowMs, () => {
      this.#machine.writable = writable
    })
  }

  /** Time has passed: to be called at {@link deadlineMs}; harmless at any other time. */
  handleTimeout(nowMs: number): void {
    this.#machine.during(nowMs, () => this.#machine.handleAlarms(nowMs))
  }

  /** The connection has ended, whoever ended it. */
  handleClosed(nowMs: number): void {
    const message = 'the connection was lost'
    const reason = {
      code: 'TRANSPORT_CLOSED',
      message,
      retryable: true,
      retryAfterMs: undefined,
    } as const
    this.#machine.during(nowMs, () => this.#machine.end(reason))
  }

  /** Ends the session with a reason that the peer is told: an accepter's refusal, or any other. */
  refuse(reason: SessionClose, nowMs: number): void {
    this.#machine.during(nowMs, () => this.#machine.finish(reason))
  }

  /** Ends the session in good order. The peer may dial again. */
  close(nowMs: number, code: SessionClose['code'] = 'LOCAL'): void {
    const message = 'closed by the application'
    this.#machine.during(nowMs, () => this.#machine.finish({ code, message, retryable: true }))
  }

  /**
   * Gives the peer a value of which only the last counts; undefined withdraws it.
   *
   * @throws UsageError when the key or value is too large, or there are too many keys.
   */
  setSignal(key: string, value: Uint8Array | undefined, nowMs: number): void {
    this.#machine.during(nowMs, () => this.#machine.conversation.signals.set(key, value))
  }

  /**
   * Opens a byte pipe to the peer and returns its number.
   *
   * @throws UsageError when the protocol's name or the head is too large.
   */
  openStream(protocol: string, head: Uint8Array, nowMs: number): number {
    this.#machine.at(nowMs)
    return this.#machine.conversation.streams.openStream(protocol, head)
  }

  /**
   * Takes bytes for the peer; false: wait for `stream-writable` before the next.
   *
   * @throws UsageError when the writer did not wait, or had ended the stream.
   */
  writeStream(stream: number, bytes: Uint8Array, nowMs: number): boolean {
    this.#machine.at(nowMs)
    return this.#machine.conversation.streams.write(stream, bytes)
  }

  /** Nothing more will be written to this stream; the peer still may. */
  endStream(stream: number, nowMs: number): void {
    this.#machine.during(nowMs, () => this.#machine.conversation.streams.end(stream))
  }

  /** Ends a stream in both directions at once. */
  resetStream(stream: number, code: string, message: string, nowMs: number): void {
    this.#machine.during(nowMs, () =>
      this.#machine.conversation.streams.reset(stream, code, message),
    )
  }

  /** Bytes of a `stream-bytes` output were used: the peer may send as many more. */
  consumed(stream: number, bytes: number, nowMs: number): void {
    this.#machine.during(nowMs, () => this.#machine.conversation.streams.consumed(stream, bytes))
  }

  /** What to do next; undefined when there is nothing. Call it until then after every other call. */
  poll(): SessionOutput | undefined {
    return this.#machine.poll()
  }
}

const NOT_RECONCILING: ReconcileProgress = {
  runs: 0,
  questions: 0,
  differences: 0,
  running: false,
}
