import { assert, type ErrorCode, InvariantError } from '../errors.ts'
import type { CollectionId, Epoch, Position, ReplicaId } from '../ids.ts'
import { ReceiveCredit, SendCredit } from './credit.ts'
import { type Divergence, Exchange, type ExchangeHost } from './exchange.ts'
import type { Violation } from './field-reader.ts'
import {
  type Agreement,
  agreeAsAccepter,
  agreeAsDialer,
  helloFrame,
  type Self,
  type StartInput,
  sendFrom,
  welcomeFrame,
} from './handshake.ts'
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
import { DEFAULT_LIMITS, INITIAL_CREDIT_BYTES, type SessionLimits } from './limits.ts'
import type { CloseFrame, Frame, HelloFrame, WelcomeFrame } from './message.ts'
import { type DecodedFrame, decodeMessage } from './message-codec.ts'
import { Outbox } from './outbox.ts'
import { PeerRecord } from './peer-record.ts'
import type { SessionState } from './session-states.ts'
import { type Decision, Sharing } from './sharing.ts'
import { Signals } from './signals.ts'
import { Streams } from './streams.ts'
import { chooseVersion, PROTOCOL_VERSIONS } from './version.ts'

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
  readonly #signals: Signals
  readonly #streams: Streams
  #state: SessionState
  #exchange: Exchange | undefined
  #start: StartInput | undefined
  #hello: HelloFrame | undefined
  #version: number | undefined
  #early: DecodedFrame[] = []
  #earlyBytes = 0
  readonly #sharing: Sharing = new Sharing()
  readonly #host: ExchangeHost
  #tokens = 0
  #writable = true
  #pongOwed = false
  #pinged = false
  #nowMs = 0
  #heardMs: number | undefined
  #handshakeDueMs: number | undefined
  #holdUntilMs: number | undefined

  constructor(options: SessionOptions) {
    this.role = options.role
    this.limits = { ...DEFAULT_LIMITS, ...options.limits }
    assert(this.limits.windowBytes >= DEFAULT_LIMITS.pageBytes, 'a window holds at least one large frame')
    this.#self = { replica: options.replica, epoch: options.epoch }
    this.#state = options.role === 'dialer' ? 'idle' : 'waiting'
    this.#signals = new Signals(this.limits)
    this.#streams = new Streams(options.role, this.limits, (output) => this.#emit(output))
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
    return this.#exchange?.record?.state(this.#exchange.receiver.durable)
  }

  get granted(): readonly CollectionId[] {
    return this.#sharing.granted
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
    const due = [this.#handshakeDueMs, this.#holdUntilMs, this.#exchange?.receivedDueMs]
    if (this.#state === 'live' && this.#heardMs !== undefined) {
      const { idleMs, keepAliveMs } = this.limits
      due.push(this.#heardMs + (this.#pinged ? idleMs : keepAliveMs))
    }
    const times = due.filter((time): time is number => time !== undefined)
    return times.length === 0 ? undefined : Math.min(...times)
  }

  /** Dialer: says HELLO, with as much of our log as fits the initial credit. */
  start(input: StartInput, nowMs: number): void {
    assert(this.#state === 'idle', 'start is called once, by a dialer')
    this.#at(nowMs)
    this.#start = input
    this.#state = 'opening'
    this.#handshakeDueMs = nowMs + this.limits.handshakeMs
    const from = sendFrom(input)
    const credit = {
      send: new SendCredit(INITIAL_CREDIT_BYTES),
      receive: new ReceiveCredit(this.limits.windowBytes, this.limits.windowBytes),
    }
    this.#exchange = new Exchange(this.#host, from, input.head, input.subscriptions, credit)
    this.#exchange.advance(nowMs)
    if (this.#exchange.sender.idle && !this.#exchange.answering) this.#greet(input)
  }

  /** Accepter: the connection is there. From now on the dialer has its time to say HELLO. */
  accept(nowMs: number): void {
    assert(this.role === 'accepter', 'accept is called by an accepter')
    this.#at(nowMs)
  }

  #greet(input: StartInput): void {
    this.#hello = helloFrame(this.#self, input, this.limits.windowBytes)
    this.#control(this.#hello)
    this.#state = 'greeting'
  }

  /** One message of the peer. Whatever is in it, this does not throw. */
  handleMessage(bytes: Uint8Array, nowMs: number): void {
    if (this.#state === 'closed') return
    this.#at(nowMs)
    this.#heardMs = nowMs
    this.#pinged = false
    const { frames, violation } = decodeMessage(bytes)
    if (violation !== undefined) return this.#violated(violation)
    for (const frame of frames) {
      const wrong = this.#handleFrame(frame)
      if (wrong !== undefined) return this.#violated(wrong)
      if (this.#isClosed) return
    }
    if (this.#state === 'admitting') return
    this.#advance()
  }

  get #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #handleFrame(decoded: DecodedFrame): Violation | undefined {
    const { frame } = decoded
    if (frame.type === 'close') return this.#handleClose(frame)
    switch (this.#state) {
      case 'waiting':
        return frame.type === 'hello' ? this.#handleHello(frame) : early(frame, 'HELLO')
      case 'greeting':
        return frame.type === 'welcome' ? this.#handleWelcome(frame) : early(frame, 'WELCOME')
      case 'admitting':
        return this.#keepEarly(decoded)
      case 'answering':
      case 'live':
        return this.#handleLive(decoded)
      default:
        return early(frame, 'HELLO')
    }
  }

  #handleHello(hello: HelloFrame): Violation | undefined {
    const version = chooseVersion(hello.versions)
    if (version === undefined) {
      const message = `HELLO: versions has none of ${PROTOCOL_VERSIONS.join(', ')}`
      this.#finish({ code: 'PROTOCOL_VERSION_UNSUPPORTED', message, retryable: false })
      return undefined
    }
    if (hello.replica === this.#self.replica) {
      return { code: 'PROTOCOL_REMOTE', message: 'HELLO: replica is our own name' }
    }
    this.#hello = hello
    this.#version = version
    this.#state = 'admitting'
    const { replica, epoch, head, subscriptions, token } = hello
    this.#emit({ type: 'hello', hello: { version, replica, epoch, head, subscriptions, token } })
    return undefined
  }

  /** Events that follow HELLO wait for the decision, at most as many as the initial credit allows. */
  #keepEarly(decoded: DecodedFrame): Violation | undefined {
    const { frame, byteLength } = decoded
    if (frame.type !== 'events' && frame.type !== 'part') return early(frame, 'WELCOME')
    this.#earlyBytes += byteLength
    if (this.#earlyBytes > INITIAL_CREDIT_BYTES) {
      return { code: 'PROTOCOL_LIMIT_EXCEEDED', message: 'EVENTS: more bytes than the initial credit' }
    }
    this.#early.push(decoded)
    return undefined
  }

  /** Accepter: the driver has decided to talk to this peer. */
  handleAdmission(admission: Admission, nowMs: number): void {
    if (this.#state === 'closed') return
    const hello = this.#hello
    if (this.#state !== 'admitting' || hello === undefined) throw new InvariantError('nobody asked for admission')
    this.#at(nowMs)
    const { windowBytes, answerHoldMs } = this.limits
    const agreement = agreeAsAccepter(this.#self, hello, admission)
    const receive = new ReceiveCredit(windowBytes, INITIAL_CREDIT_BYTES)
    const credit = { send: new SendCredit(hello.credit), receive }
    const exchange = new Exchange(this.#host, agreement.sendFrom, admission.head, agreement.granted, credit)
    this.#exchange = exchange
    this.#state = 'answering'
    const version = this.#version ?? 1
    this.#control(welcomeFrame(this.#self, version, hello, agreement, admission.head, receive.tell()))
    this.#agree(exchange, agreement, { replica: hello.replica, epoch: hello.epoch }, admission.peer)
    for (const { frame, byteLength } of this.#early) {
      const wrong = this.#handleLive({ frame, byteLength })
      if (wrong !== undefined) return this.#violated(wrong)
    }
    this.#early = []
    if (exchange.receiver.finalSeen && agreement.backfill.length === 0) {
      exchange.hold()
      this.#holdUntilMs = nowMs + answerHoldMs
    }
    this.#advance()
  }

  #handleWelcome(welcome: WelcomeFrame): Violation | undefined {
    const { exchange, hello, start } = this.#greeted()
    if (!PROTOCOL_VERSIONS.includes(welcome.version)) {
      const message = 'WELCOME: version is none that was offered'
      this.#finish({ code: 'PROTOCOL_VERSION_UNSUPPORTED', message, retryable: false })
      return undefined
    }
    const agreement = agreeAsDialer(hello, welcome)
    if (typeof agreement === 'string') return { code: 'PROTOCOL_REMOTE', message: agreement }
    this.#version = welcome.version
    this.#state = 'live'
    exchange.grantCredit(welcome.credit)
    const started = sendFrom(start)
    // Behind where we began: the peer lost what it had, and begins there. Ahead: an ACK was lost.
    if (agreement.sendFrom < started || agreement.sendFrom > exchange.sender.sent) {
      exchange.moveTo(agreement.sendFrom)
    }
    const remembered = start.peer?.replica === welcome.replica ? start.peer : undefined
    const { replica, epoch } = welcome
    this.#agree(exchange, agreement, { replica, epoch }, remembered)
    return undefined
  }

  #greeted(): { exchange: Exchange; hello: HelloFrame; start: StartInput } {
    const exchange = this.#exchange
    const hello = this.#hello
    const start = this.#start
    if (exchange === undefined || hello === undefined || start === undefined) {
      throw new InvariantError('a greeting session has said HELLO')
    }
    return { exchange, hello, start }
  }

  #agree(exchange: Exchange, agreement: Agreement, peer: Self, remembered: PeerState | undefined): void {
    this.#handshakeDueMs = undefined
    this.#sharing.start(agreement)
    const pending = new Set(agreement.backfill)
    const complete = agreement.granted.filter((name) => !pending.has(name))
    const record = new PeerRecord(peer.replica, peer.epoch, agreement.sendFrom, complete)
    this.#emitEstablished(peer.replica)
    exchange.agree(record, agreement, remembered?.acked ?? 0)
  }

  #emitEstablished(peer: ReplicaId): void {
    this.#emit({ type: 'established', peer, granted: this.granted, refused: this.#sharing.refused })
  }

  #handleLive(decoded: DecodedFrame): Violation | undefined {
    const { frame, byteLength } = decoded
    const exchange = this.#exchange
    if (exchange === undefined) throw new InvariantError('a live session has an exchange')
    switch (frame.type) {
      case 'events':
        return exchange.handleEvents(frame, byteLength)
      case 'part':
        return exchange.receiver.handlePart(frame.bytes, byteLength)
      case 'ack':
        return exchange.handleAck(frame)
      case 'rejects':
        this.#emit({ type: 'rejected', rejects: frame.rejects })
        return undefined
      case 'check':
        return exchange.handleCheck(frame)
      case 'resync':
        return this.#diverged(exchange.handleResync())
      case 'subscribe':
        return this.#handleSubscribe(frame.collections)
      case 'grant':
        return this.#handleGrantFrame(frame)
      case 'signal': {
        const wrong = this.#signals.receive(frame.key, frame.value)
        if (wrong === undefined) this.#emit({ type: 'signal', key: frame.key, value: frame.value })
        return wrong
      }
      case 'ping':
        this.#pongOwed = true
        return undefined
      case 'pong':
        return undefined
      case 'hello':
      case 'welcome':
      case 'close':
        return { code: 'PROTOCOL_REMOTE', message: `${frame.type.toUpperCase()}: sent twice` }
      default:
        return this.#streams.receive(frame)
    }
  }

  #handleSubscribe(collections: readonly CollectionId[]): Violation | undefined {
    const token = this.#host.token()
    const wrong = this.#sharing.asked(token, collections)
    if (wrong === undefined) this.#emit({ type: 'subscribe', token, collections })
    return wrong
  }

  /** The driver's decision about a `subscribe` output. What is in neither list is refused. */
  handleGrant(
    token: number,
    granted: readonly CollectionId[],
    refused: readonly Refusal[],
    nowMs: number,
  ): void {
    const decision = this.#sharing.decide(token, { granted, refused })
    if (decision === undefined || this.#isClosed) return
    this.#at(nowMs)
    this.#control({ type: 'grant', ...decision })
    this.#extend({ granted: decision.granted, refused: [] })
    this.#advance()
  }

  #handleGrantFrame(decision: Decision): Violation | undefined {
    const wrong = this.#sharing.answered(decision)
    if (wrong === undefined) this.#extend(decision)
    return wrong
  }

  #extend(decision: Decision): void {
    const added = this.#sharing.extend(decision)
    this.#exchange?.extend(this.granted, added)
    const peer = this.#exchange?.record?.replica
    if (peer === undefined || (added.length === 0 && decision.refused.length === 0)) return
    this.#emitEstablished(peer)
  }

  /** Asks to share more collections. Both sides may, once they know each other; before, nothing happens. */
  subscribe(collections: readonly CollectionId[], nowMs: number): void {
    if (this.#state !== 'live' && this.#state !== 'answering') return
    this.#at(nowMs)
    const added = this.#sharing.ask(collections)
    if (added.length > 0) this.#control({ type: 'subscribe', collections: added })
  }

  /** The page that a `read` output asked for. */
  handleRead(token: number, answer: ReadAnswer, nowMs: number): void {
    if (this.#isClosed) return
    this.#at(nowMs)
    this.#exchange?.handleRead(token, answer)
    if (this.#state === 'opening' && this.#start !== undefined) this.#greet(this.#start)
    this.#advance()
  }

  /** What an `append` output asked for is durable. */
  handleAppended(token: number, answer: AppendAnswer, nowMs: number): void {
    if (this.#isClosed) return
    this.#at(nowMs)
    this.#exchange?.handleAppended(token, answer)
    this.#advance()
  }

  /**
   * What an output asked for cannot be done: the storage refused, or the peer's entries are wrong. The
   * session ends and tells the peer the code; nothing of the append was acknowledged.
   */
  handleFailed(_token: number, failure: Failure, nowMs: number): void {
    this.refuse({ ...failure, retryAfterMs: undefined }, nowMs)
  }

  handleDigest(token: number, answer: DigestAnswer, nowMs: number): void {
    if (this.#isClosed) return
    this.#at(nowMs)
    this.#exchange?.handleDigest(token, answer)
    this.#advance()
  }

  handleVerified(token: number, equal: boolean, nowMs: number): void {
    if (this.#isClosed) return
    this.#at(nowMs)
    this.#diverged(this.#exchange?.handleVerified(token, equal))
    this.#advance()
  }

  /** Our durable log has grown. Only positions are kept until the peer takes more. */
  handleLogGrew(head: Position, nowMs: number): void {
    if (this.#isClosed) return
    this.#at(nowMs)
    this.#exchange?.sender.grow(head)
    this.#advance()
  }

  /** Whether the transport takes another message now. */
  handleWritable(writable: boolean, nowMs: number): void {
    this.#at(nowMs)
    this.#writable = writable
    this.#advance()
  }

  handleTimeout(nowMs: number): void {
    if (this.#isClosed) return
    this.#at(nowMs)
    if (this.#handshakeDueMs !== undefined && nowMs >= this.#handshakeDueMs) {
      return this.#timedOut('the handshake took too long')
    }
    if (this.#state === 'live' && this.#heardMs !== undefined) {
      const silentMs = nowMs - this.#heardMs
      if (silentMs >= this.limits.idleMs) return this.#timedOut('the peer is silent')
      if (silentMs >= this.limits.keepAliveMs && !this.#pinged) {
        this.#pinged = true
        this.#control({ type: 'ping' })
      }
    }
    if (this.#holdUntilMs !== undefined && nowMs >= this.#holdUntilMs) this.#release()
    this.#exchange?.handleTimeout(nowMs)
    this.#advance()
  }

  /** The answer goes out with what there is. */
  #release(): void {
    this.#holdUntilMs = undefined
    this.#exchange?.release()
  }

  #timedOut(message: string): void {
    this.#finish({ code: 'PROTOCOL_TIMEOUT', message, retryable: true })
  }

  /** The connection has ended, whoever ended it. */
  handleClosed(nowMs: number): void {
    if (this.#isClosed) return
    this.#at(nowMs)
    this.#end({
      code: 'TRANSPORT_CLOSED',
      message: 'the connection was lost',
      retryable: true,
      retryAfterMs: undefined,
    })
  }

  /** Ends the session with a reason that the peer is told: an accepter's refusal, or any other. */
  refuse(reason: SessionClose, nowMs: number): void {
    if (this.#isClosed) return
    this.#at(nowMs)
    this.#finish(reason)
  }

  /** Ends the session in good order. The peer may dial again. */
  close(nowMs: number, code: SessionClose['code'] = 'LOCAL'): void {
    if (this.#isClosed) return
    this.#at(nowMs)
    this.#finish({ code, message: 'closed by the application', retryable: true })
  }

  /** Gives the peer a value of which only the last counts; undefined withdraws it. */
  setSignal(key: string, value: Uint8Array | undefined, nowMs: number): void {
    if (this.#isClosed) return
    this.#at(nowMs)
    this.#signals.set(key, value)
  }

  /** Opens a byte pipe to the peer and returns its number. */
  openStream(protocol: string, head: Uint8Array, nowMs: number): number {
    this.#at(nowMs)
    return this.#streams.openStream(protocol, head)
  }

  /** Takes bytes for the peer; false: wait for `stream-writable` before the next. */
  writeStream(stream: number, bytes: Uint8Array, nowMs: number): boolean {
    if (this.#isClosed) return false
    this.#at(nowMs)
    return this.#streams.write(stream, bytes)
  }

  endStream(stream: number, nowMs: number): void {
    this.#at(nowMs)
    this.#streams.end(stream)
  }

  resetStream(stream: number, code: string, message: string, nowMs: number): void {
    this.#at(nowMs)
    this.#streams.reset(stream, code, message)
  }

  /** Bytes of a `stream-bytes` output were used: the peer may send as many more. */
  consumed(stream: number, bytes: number, nowMs: number): void {
    this.#at(nowMs)
    this.#streams.consumed(stream, bytes)
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
        if (this.#holdUntilMs !== undefined && this.#exchange?.answering === true) return undefined
        this.#holdUntilMs = undefined
        this.#state = 'live'
        return this.#composeLive()
      }
      case 'live':
        return this.#composeLive()
      default:
        return undefined
    }
  }

  #composeLive(): Uint8Array | undefined {
    if (this.#pongOwed) this.#control({ type: 'pong' })
    this.#pongOwed = false
    return this.#outbox.compose({
      exchange: this.#exchange,
      signals: this.#signals,
      streams: this.#streams,
    })
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
    if (this.#state === 'waiting') this.#handshakeDueMs ??= nowMs + this.limits.handshakeMs
  }

  #emit(output: SessionOutput): void {
    this.#outputs.push(output)
  }

  #control(frame: Frame): void {
    this.#outbox.push(frame)
  }

  #violated(violation: Violation): void {
    this.#finish({ ...violation, retryable: false })
  }

  #diverged(divergence: Divergence | undefined): undefined {
    if (divergence !== undefined) this.#finish({ ...divergence, retryable: true })
    return undefined
  }

  #handleClose(frame: CloseFrame): undefined {
    const { code, message, retryable, retryAfterMs } = frame
    // A code of a later version is handed on: only what it says about a retry matters here.
    const known = code === CLOSED || !/^[A-Z_]+$/.test(code) ? 'REMOTE' : (code as ErrorCode)
    this.#end({ code: known, message, retryable, retryAfterMs })
    return undefined
  }

  /** Tells the peer why, and ends. */
  #finish(reason: Omit<SessionClose, 'retryAfterMs'> & { readonly retryAfterMs?: number | undefined }): void {
    const { code, message, retryable, retryAfterMs } = reason
    const wireCode = code === 'LOCAL' || code === 'REMOTE' ? CLOSED : code
    const frame: CloseFrame = { type: 'close', code: wireCode, message, retryable, retryAfterMs }
    if (this.#state !== 'idle') {
      this.#emit({ type: 'send', bytes: this.#outbox.composeLast(this.#exchange, frame) })
    }
    this.#end({ code, message, retryable, retryAfterMs })
  }

  #end(reason: SessionClose): void {
    this.#state = 'closed'
    this.#streams.fail('TRANSPORT_CLOSED', 'the session is over')
    this.#emit({ type: 'close', reason })
  }
}

/** The code of CLOSE in good order. */
const CLOSED = 'CLOSED'

function early(frame: Frame, expected: string): Violation {
  return { code: 'PROTOCOL_REMOTE', message: `${frame.type}: sent before ${expected}` }
}
