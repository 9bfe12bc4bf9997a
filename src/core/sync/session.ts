import { assert, type ErrorCode } from '../errors.ts'
import type { CollectionId, Epoch, Position, ReplicaId } from '../ids.ts'
import { closeFrame, type Ending, reasonOf } from './closing.ts'
import { Conversation, outOfOrder } from './conversation.ts'
import type { Divergence, Exchange, ExchangeHost } from './exchange.ts'
import type { Violation } from './field-reader.ts'
import { AccepterGreeting, DialerGreeting, type Greeted } from './greeting.ts'
import type { Self, StartInput } from './handshake.ts'
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
import type { Frame, HelloFrame, WelcomeFrame } from './message.ts'
import { type DecodedFrame, decodeMessage } from './message-codec.ts'
import { Outbox } from './outbox.ts'
import type { SessionState } from './session-states.ts'
import { Watch } from './watch.ts'

export interface SessionOptions {
  readonly role: 'dialer' | 'accepter'
  readonly replica: ReplicaId
  readonly epoch: Epoch
  readonly limits?: Partial<SessionLimits> | undefined
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
  readonly #self: Self
  readonly #outputs: SessionOutput[] = []
  readonly #outbox: Outbox = new Outbox()
  readonly #conversation: Conversation
  #state: SessionState
  #dialer: DialerGreeting | undefined
  readonly #accepter: AccepterGreeting
  #version: number | undefined
  readonly #host: ExchangeHost
  #tokens = 0
  #writable = true
  #nowMs = 0
  readonly #watch: Watch

  constructor(options: SessionOptions) {
    this.role = options.role
    this.limits = { ...DEFAULT_LIMITS, ...options.limits }
    assert(
      this.limits.windowBytes >= DEFAULT_LIMITS.pageBytes,
      'a window holds at least one large frame',
    )
    this.#self = { replica: options.replica, epoch: options.epoch }
    this.#state = options.role === 'dialer' ? 'idle' : 'waiting'
    this.#watch = new Watch(this.limits)
    this.#host = {
      role: options.role,
      limits: this.limits,
      emit: (output) => this.#emit(output),
      control: (frame) => this.#control(frame),
      token: () => {
        this.#tokens += 1
        return this.#tokens
      },
    }
    this.#conversation = new Conversation(this.#host)
    this.#accepter = new AccepterGreeting(this.#host, this.#self)
  }

  get #exchange(): Exchange | undefined {
    return this.#conversation.exchange
  }

  get state(): SessionState {
    return this.#state
  }

  /** The protocol version that both sides chose. */
  get version(): number | undefined {
    return this.#version
  }

  /** The peer as it would be remembered now; undefined before both sides know each other. */
  get peer(): PeerState | undefined {
    return this.#exchange?.peer
  }

  get granted(): readonly CollectionId[] {
    return this.#conversation.sharing.granted
  }

  /** How far our log has been put into messages. */
  get sent(): Position {
    return this.#exchange?.sender.sent ?? 0
  }

  /** How often both sides sent everything again. */
  get resyncs(): number {
    return this.#exchange?.check.resyncs ?? 0
  }

  /** The last comparison of digests at our side found both logs equal. */
  get agreed(): boolean {
    return this.#exchange?.check.agreed ?? false
  }

  /** When to call {@link handleTimeout} if nothing else happens first. */
  get deadlineMs(): number | undefined {
    if (this.#state === 'closed') return undefined
    const watch = this.#watch.dueMs ?? Number.POSITIVE_INFINITY
    const dueMs = Math.min(watch, this.#exchange?.receivedDueMs ?? Number.POSITIVE_INFINITY)
    return dueMs === Number.POSITIVE_INFINITY ? undefined : dueMs
  }

  /** Dialer: says HELLO, with as much of our log as fits the initial credit. */
  start(input: StartInput, nowMs: number): void {
    assert(this.#state === 'idle', 'start is called once, by a dialer')
    this.#state = 'opening'
    this.#at(nowMs)
    this.#dialer = new DialerGreeting(this.#host, this.#self, input)
    this.#conversation.exchange = this.#dialer.exchange
    this.#advance()
    // Nothing to read: HELLO goes out at once.
    if (!this.#dialer.exchange.reading) this.#greet()
  }

  /** Accepter: the connection is there. From now on the dialer has its time to say HELLO. */
  accept(nowMs: number): void {
    assert(this.role === 'accepter', 'accept is called by an accepter')
    this.#at(nowMs)
  }

  #greet(): void {
    if (this.#dialer === undefined) return
    this.#control(this.#dialer.hello)
    this.#state = 'greeting'
  }

  /** One message of the peer. Whatever is in it, this does not throw. */
  handleMessage(bytes: Uint8Array, nowMs: number): void {
    this.#during(nowMs, () => {
      this.#watch.heard(nowMs)
      const { frames, violation } = decodeMessage(bytes)
      if (violation !== undefined) return this.#judge(violation)
      for (const frame of frames) {
        this.#judge(this.#handleFrame(frame))
        if (this.#isClosed) return
      }
    })
  }

  get #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #handleFrame(decoded: DecodedFrame): Violation | Divergence | undefined {
    const { frame } = decoded
    if (frame.type === 'close') {
      this.#end(reasonOf(frame))
      return undefined
    }
    switch (this.#state) {
      case 'waiting':
        return frame.type === 'hello' ? this.#handleHello(frame) : outOfOrder(frame, 'HELLO')
      case 'greeting':
        return frame.type === 'welcome' ? this.#handleWelcome(frame) : outOfOrder(frame, 'WELCOME')
      case 'admitting':
        return this.#accepter.keepEarly(decoded)
      case 'answering':
      case 'live':
        return this.#conversation.handleFrame(decoded)
      default:
        return outOfOrder(frame, 'HELLO')
    }
  }

  #handleHello(frame: HelloFrame): Violation | undefined {
    const answer = this.#accepter.handleHello(frame)
    if ('unsupported' in answer) return this.#unsupported(answer.unsupported)
    if ('code' in answer) return answer
    this.#state = 'admitting'
    this.#emit({ type: 'hello', hello: answer })
    return undefined
  }

  /** Accepter: the driver has decided to talk to this peer. */
  handleAdmission(admission: Admission, nowMs: number): void {
    this.#during(nowMs, () => this.#admit(admission, nowMs))
  }

  #admit(admission: Admission, nowMs: number): void {
    assert(this.#state === 'admitting', 'nobody asked for admission')
    const { exchange, early, ...greeted } = this.#accepter.admit(admission)
    this.#state = 'answering'
    this.#agree(exchange, greeted)
    for (const decoded of early) {
      this.#judge(this.#conversation.handleFrame(decoded))
      if (this.#isClosed) return
    }
    if (exchange.receiver.finalSeen && greeted.agreement.backfill.length === 0) {
      exchange.hold()
      this.#watch.holdAnswer(nowMs)
    }
  }

  #handleWelcome(frame: WelcomeFrame): Violation | undefined {
    const greeting = this.#dialer
    assert(greeting !== undefined, 'a greeting session has said HELLO')
    const answer = greeting.handleWelcome(frame)
    if ('unsupported' in answer) return this.#unsupported(answer.unsupported)
    if ('code' in answer) return answer
    this.#state = 'live'
    this.#agree(greeting.exchange, answer)
    return undefined
  }

  #agree(exchange: Exchange, greeted: Greeted): void {
    const { version, agreement, record, remembered } = greeted
    this.#version = version
    this.#watch.established()
    this.#conversation.exchange = exchange
    this.#conversation.sharing.start(agreement)
    exchange.introduce(record)
    this.#conversation.emitEstablished()
    exchange.agree(record, agreement, remembered?.acked ?? 0)
  }

  /** The driver's decision about a `subscribe` output. What is in neither list is refused. */
  handleGrant(
    token: number,
    granted: readonly CollectionId[],
    refused: readonly Refusal[],
    nowMs: number,
  ): void {
    this.#during(nowMs, () => this.#conversation.decide(token, granted, refused))
  }

  /** Asks to share more collections. Both sides may, once they know each other; before, nothing happens. */
  subscribe(collections: readonly CollectionId[], nowMs: number): void {
    if (this.#state !== 'live' && this.#state !== 'answering') return
    this.#during(nowMs, () => this.#conversation.subscribe(collections))
  }

  /** The page that a `read` output asked for. */
  handleRead(token: number, answer: ReadAnswer, nowMs: number): void {
    this.#during(nowMs, () => {
      this.#exchange?.handleRead(token, answer)
      if (this.#state === 'opening') this.#greet()
    })
  }

  /** What an `append` output asked for is durable. */
  handleAppended(token: number, answer: AppendAnswer, nowMs: number): void {
    this.#during(nowMs, () => this.#exchange?.handleAppended(token, answer))
  }

  /**
   * What an output asked for cannot be done: the storage refused, or the peer's entries are wrong. The
   * session ends and tells the peer the code; nothing of the append was acknowledged.
   */
  handleFailed(_token: number, failure: Failure, nowMs: number): void {
    const { code, message, retryable } = failure
    this.#during(nowMs, () => this.#finish({ code, message, retryable }))
  }

  handleDigest(token: number, answer: DigestAnswer, nowMs: number): void {
    this.#during(nowMs, () => this.#exchange?.handleDigest(token, answer))
  }

  handleVerified(token: number, equal: boolean, nowMs: number): void {
    this.#during(nowMs, () => this.#judge(this.#exchange?.handleVerified(token, equal)))
  }

  /** Our durable log has grown. Only positions are kept until the peer takes more. */
  handleLogGrew(head: Position, nowMs: number): void {
    this.#during(nowMs, () => this.#exchange?.sender.grow(head))
  }

  /** Whether the transport takes another message now. */
  handleWritable(writable: boolean, nowMs: number): void {
    this.#during(nowMs, () => {
      this.#writable = writable
    })
  }

  /** Time has passed: to be called at {@link deadlineMs}; harmless at any other time. */
  handleTimeout(nowMs: number): void {
    this.#during(nowMs, () => this.#handleAlarms(nowMs))
  }

  #handleAlarms(nowMs: number): void {
    for (const alarm of this.#watch.alarms(nowMs)) {
      switch (alarm) {
        case 'handshake':
          return this.#timedOut('the handshake took too long')
        case 'idle':
          return this.#timedOut('the peer is silent')
        case 'ping':
          this.#control({ type: 'ping' })
          break
        case 'answer':
          // The answer goes out with what there is.
          this.#exchange?.release()
          break
      }
    }
    this.#exchange?.handleTimeout(nowMs)
  }

  #timedOut(message: string): void {
    this.#finish({ code: 'PROTOCOL_TIMEOUT', message, retryable: true })
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
    this.#during(nowMs, () => this.#end(reason))
  }

  /** Ends the session with a reason that the peer is told: an accepter's refusal, or any other. */
  refuse(reason: SessionClose, nowMs: number): void {
    this.#during(nowMs, () => this.#finish(reason))
  }

  /** Ends the session in good order. The peer may dial again. */
  close(nowMs: number, code: SessionClose['code'] = 'LOCAL'): void {
    const message = 'closed by the application'
    this.#during(nowMs, () => this.#finish({ code, message, retryable: true }))
  }

  /**
   * Gives the peer a value of which only the last counts; undefined withdraws it.
   *
   * @throws UsageError when the key or value is too large, or there are too many keys.
   */
  setSignal(key: string, value: Uint8Array | undefined, nowMs: number): void {
    this.#during(nowMs, () => this.#conversation.signals.set(key, value))
  }

  /**
   * Opens a byte pipe to the peer and returns its number.
   *
   * @throws UsageError when the protocol's name or the head is too large.
   */
  openStream(protocol: string, head: Uint8Array, nowMs: number): number {
    this.#nowMs = nowMs
    return this.#conversation.streams.openStream(protocol, head)
  }

  /**
   * Takes bytes for the peer; false: wait for `stream-writable` before the next.
   *
   * @throws UsageError when the writer did not wait, or had ended the stream.
   */
  writeStream(stream: number, bytes: Uint8Array, nowMs: number): boolean {
    this.#nowMs = nowMs
    return this.#conversation.streams.write(stream, bytes)
  }

  /** Nothing more will be written to this stream; the peer still may. */
  endStream(stream: number, nowMs: number): void {
    this.#during(nowMs, () => this.#conversation.streams.end(stream))
  }

  /** Ends a stream in both directions at once. */
  resetStream(stream: number, code: string, message: string, nowMs: number): void {
    this.#during(nowMs, () => this.#conversation.streams.reset(stream, code, message))
  }

  /** Bytes of a `stream-bytes` output were used: the peer may send as many more. */
  consumed(stream: number, bytes: number, nowMs: number): void {
    this.#during(nowMs, () => this.#conversation.streams.consumed(stream, bytes))
  }

  /** What to do next; undefined when there is nothing. Call it until then after every other call. */
  poll(): SessionOutput | undefined {
    const output = this.#outputs.shift()
    if (output !== undefined) return output
    const bytes = this.#compose()
    if (bytes === undefined) return this.#outputs.shift()
    this.#outputs.unshift({ type: 'send', bytes })
    this.#advance()
    return this.#outputs.shift()
  }

  #compose(): Uint8Array | undefined {
    if (!this.#writable) return undefined
    switch (this.#state) {
      case 'greeting':
        return this.#outbox.compose({ exchange: this.#exchange })
      case 'answering': {
        // Held back until the answer is whole, or has waited long enough.
        if (this.#watch.holding && this.#exchange?.answering === true) return undefined
        this.#watch.releaseAnswer()
        this.#state = 'live'
        return this.#conversation.compose(this.#outbox)
      }
      case 'live':
        return this.#conversation.compose(this.#outbox)
      default:
        return undefined
    }
  }

  /** One thing that happened, and what it lets start. Nothing happens to a session that is over. */
  #during(nowMs: number, happened: () => void): void {
    if (this.#isClosed) return
    this.#at(nowMs)
    happened()
    this.#advance()
  }

  /** Lets everything that can start do so. */
  #advance(): void {
    if (this.#isClosed) return
    this.#exchange?.advance(this.#nowMs)
    if (this.#outbox.controlBytes <= this.limits.controlBytesMax) return
    const message = 'the peer makes us answer more than it reads'
    this.#finish({ code: 'PROTOCOL_LIMIT_EXCEEDED', message, retryable: false })
  }

  #at(nowMs: number): void {
    this.#nowMs = nowMs
    this.#watch.expectHandshake(nowMs)
  }

  #emit(output: SessionOutput): void {
    this.#outputs.push(output)
  }

  #control(frame: Frame): void {
    this.#outbox.push(frame)
  }

  #unsupported(message: string): undefined {
    this.#finish({ code: 'PROTOCOL_VERSION_UNSUPPORTED', message, retryable: false })
    return undefined
  }

  /** Ends the session when something is wrong. Only a divergence may be gone later. */
  #judge(wrong: Violation | Divergence | undefined): void {
    if (wrong !== undefined)
      this.#finish({ ...wrong, retryable: wrong.code === 'PROTOCOL_DIVERGED' })
  }

  /** Tells the peer why, and ends. */
  #finish(ending: Ending): void {
    const { code, message, retryable, retryAfterMs } = ending
    if (this.#state !== 'idle') {
      const bytes = this.#outbox.composeLast(this.#exchange, closeFrame(ending))
      this.#emit({ type: 'send', bytes })
    }
    this.#end({ code, message, retryable, retryAfterMs })
  }

  #end(reason: SessionClose): void {
    this.#state = 'closed'
    this.#conversation.streams.fail('TRANSPORT_CLOSED', 'the session is over')
    this.#emit({ type: 'close', reason })
  }
}
