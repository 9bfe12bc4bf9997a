import { assert } from '../errors.ts'
import type { Position } from '../ids.ts'
import { closeFrame, type Ending, reasonOf } from './closing.ts'
import { Conversation, outOfOrder } from './conversation.ts'
import type { Exchange } from './exchange.ts'
import type { Divergence, ExchangeHost } from './exchange-host.ts'
import type { Violation } from './field-reader.ts'
import { AccepterGreeting, DialerGreeting, type Greeted } from './greeting.ts'
import type { Self, StartInput } from './handshake.ts'
import type { Admission, SessionClose, SessionOutput } from './io.ts'
import { DEFAULT_LIMITS, type SessionLimits } from './limits.ts'
import type { Frame, HelloFrame, WelcomeFrame } from './message.ts'
import { type DecodedFrame, decodeMessage } from './message-codec.ts'
import { Outbox } from './outbox.ts'
import type { SessionState } from './session-states.ts'
import { Watch } from './watch.ts'

/**
 * What drives a session from state to state: handshake, deadlines, the end, and the order of outputs.
 *
 * What is said in between is the {@link Conversation}'s; {@link SyncSession} is the face of both.
 */
export class SessionMachine {
  readonly conversation: Conversation
  readonly #self: Self
  readonly #outputs: SessionOutput[] = []
  readonly #outbox: Outbox = new Outbox()
  readonly #host: ExchangeHost
  /** Undefined when the handshake is over: what the peer said in it need not be kept. */
  #accepter: AccepterGreeting | undefined
  readonly #watch: Watch
  #dialer: DialerGreeting | undefined
  #state: SessionState
  #version: number | undefined
  #rememberedPackings: readonly number[] | undefined
  #tokens = 0
  #nowMs = 0
  /** When we said what the peer answers at once. */
  #askedMs: number | undefined
  #roundTripMs: number | undefined
  /** Whether the transport takes another message now. */
  writable = true

  constructor(role: 'dialer' | 'accepter', self: Self, limits: SessionLimits) {
    assert(
      limits.windowBytes >= DEFAULT_LIMITS.pageBytes,
      'a window holds at least one large frame',
    )
    this.#self = self
    this.#state = role === 'dialer' ? 'idle' : 'waiting'
    this.#watch = new Watch(limits)
    this.#host = {
      role,
      limits,
      emit: (output) => this.#emit(output),
      control: (frame) => this.#control(frame),
      now: () => this.#nowMs,
      token: () => {
        this.#tokens += 1
        return this.#tokens
      },
    }
    this.conversation = new Conversation(this.#host)
    this.#accepter = new AccepterGreeting(this.#host, this.#self)
  }

  get exchange(): Exchange | undefined {
    return this.conversation.exchange
  }

  get state(): SessionState {
    return this.#state
  }

  get version(): number | undefined {
    return this.#version
  }

  get peerPackings(): readonly number[] {
    const record = this.exchange?.record
    return (record === undefined ? this.#rememberedPackings : record.packings) ?? []
  }

  /** How long the peer took to answer last: PING with PONG, or HELLO with WELCOME. */
  get roundTripMs(): number | undefined {
    return this.#roundTripMs
  }

  get dueMs(): number | undefined {
    if (this.isClosed) return undefined
    const watch = this.#watch.dueMs ?? Number.POSITIVE_INFINITY
    const dueMs = Math.min(watch, this.exchange?.dueMs ?? Number.POSITIVE_INFINITY)
    return dueMs === Number.POSITIVE_INFINITY ? undefined : dueMs
  }

  /** Something happened that starts nothing by itself. */
  at(nowMs: number): void {
    this.#nowMs = nowMs
    this.#watch.expectHandshake(nowMs)
  }

  start(input: StartInput, nowMs: number): void {
    assert(this.#state === 'idle', 'start is called once, by a dialer')
    this.#state = 'opening'
    this.#rememberedPackings = input.peer?.packings
    this.at(nowMs)
    this.#dialer = new DialerGreeting(this.#host, this.#self, input)
    this.conversation.exchange = this.#dialer.exchange
    this.#advance()
    // Nothing to read: HELLO goes out at once.
    if (!this.#dialer.exchange.reading) this.greet()
  }

  /** A dialer that has its first page says HELLO. */
  greet(): void {
    if (this.#dialer === undefined || this.#state !== 'opening') return
    this.#control(this.#dialer.hello)
    this.#askedMs = this.#nowMs
    this.#state = 'greeting'
  }

  handleMessage(bytes: Uint8Array, nowMs: number): void {
    this.#watch.heard(nowMs)
    const { frames, violation } = decodeMessage(bytes)
    if (violation !== undefined) return this.judge(violation)
    for (const frame of frames) {
      this.judge(this.#handleFrame(frame))
      if (this.isClosed) return
    }
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  #handleFrame(decoded: DecodedFrame): Violation | Divergence | undefined {
    const { frame } = decoded
    if (frame.type === 'pong' || frame.type === 'welcome') this.#answered()
    if (frame.type === 'close') {
      this.end(reasonOf(frame))
      return undefined
    }
    switch (this.#state) {
      case 'waiting':
        return frame.type === 'hello' ? this.#handleHello(frame) : outOfOrder(frame, 'HELLO')
      case 'greeting':
        return frame.type === 'welcome' ? this.#handleWelcome(frame) : outOfOrder(frame, 'WELCOME')
      case 'admitting':
        return this.#accepter?.keepEarly(decoded)
      case 'answering':
      case 'live':
        return this.conversation.handleFrame(decoded)
      default:
        return outOfOrder(frame, 'HELLO')
    }
  }

  #greetingOf(): AccepterGreeting {
    assert(this.#accepter !== undefined, 'the handshake is over')
    return this.#accepter
  }

  #handleHello(frame: HelloFrame): Violation | undefined {
    const answer = this.#greetingOf().handleHello(frame)
    if ('unsupported' in answer) return this.#unsupported(answer.unsupported)
    if ('code' in answer) return answer
    this.#state = 'admitting'
    this.#emit({ type: 'hello', hello: answer })
    return undefined
  }

  admit(admission: Admission, nowMs: number): void {
    assert(this.#state === 'admitting', 'nobody asked for admission')
    const { exchange, early, ...greeted } = this.#greetingOf().admit(admission)
    this.#accepter = undefined
    this.#state = 'answering'
    this.#agree(exchange, greeted)
    for (const decoded of early) {
      this.judge(this.conversation.handleFrame(decoded))
      if (this.isClosed) return
    }
    const { backfill, reconcile } = greeted.agreement
    if (exchange.receiver.finalSeen && backfill.length + reconcile.length === 0) {
      exchange.hold()
      this.#watch.holdAnswer(nowMs)
    }
  }

  #handleWelcome(frame: WelcomeFrame): Violation | undefined {
    const greeting = this.#dialer
    assert(greeting !== undefined, 'a greeting session has said HELLO')
    const answer = greeting.handleWelcome(frame)
    if ('unsupported' in answer) return this.#unsupported(answer.unsupported)
    if ('lost' in answer) return this.#lost(answer.lost)
    if ('code' in answer) return answer
    this.#state = 'live'
    this.#agree(greeting.exchange, answer)
    return undefined
  }

  #agree(exchange: Exchange, greeted: Greeted): void {
    const { version, agreement, record, remembered } = greeted
    this.#version = version
    this.#watch.established()
    this.conversation.exchange = exchange
    this.conversation.sharing.start(agreement)
    exchange.introduce(record)
    this.conversation.emitEstablished()
    exchange.agree(record, agreement, remembered?.acked ?? 0)
  }

  handleAlarms(nowMs: number): void {
    for (const alarm of this.#watch.alarms(nowMs)) {
      switch (alarm) {
        case 'handshake':
          return this.#timedOut('the handshake took too long')
        case 'idle':
          return this.#timedOut('the peer is silent')
        case 'ping':
          this.#control({ type: 'ping' })
          this.#askedMs = nowMs
          break
        case 'answer':
          // The answer goes out with what there is.
          this.exchange?.release()
          break
      }
    }
    this.exchange?.handleTimeout(nowMs)
  }

  #answered(): void {
    if (this.#askedMs === undefined) return
    this.#roundTripMs = this.#nowMs - this.#askedMs
    this.#askedMs = undefined
  }

  #timedOut(message: string): void {
    this.finish({ code: 'PROTOCOL_TIMEOUT', message, retryable: true })
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
    if (!this.writable) return undefined
    switch (this.#state) {
      case 'greeting':
        return this.#outbox.compose({ exchange: this.exchange })
      case 'answering': {
        // Held back until the answer is whole, or has waited long enough.
        if (this.#watch.holding && this.exchange?.answering === true) return undefined
        this.#watch.releaseAnswer()
        this.#state = 'live'
        return this.conversation.compose(this.#outbox)
      }
      case 'live':
        return this.conversation.compose(this.#outbox)
      default:
        return undefined
    }
  }

  /** One thing that happened, and what it lets start. Nothing happens to a session that is over. */
  during(nowMs: number, happened: () => void): void {
    if (this.isClosed) return
    this.at(nowMs)
    happened()
    this.#advance()
  }

  /** Lets everything that can start do so. */
  #advance(): void {
    if (this.isClosed) return
    this.exchange?.advance(this.#nowMs)
    const divergence = this.exchange?.divergence
    if (divergence !== undefined) return this.judge(divergence)
    if (this.#outbox.controlBytes <= this.#host.limits.controlBytesMax) return
    const message = 'the peer makes us answer more than it reads'
    this.finish({ code: 'PROTOCOL_LIMIT_EXCEEDED', message, retryable: false })
  }

  #emit(output: SessionOutput): void {
    this.#outputs.push(output)
  }

  #control(frame: Frame): void {
    this.#outbox.push(frame)
  }

  /** The peer has read what our log does not hold any more. */
  #lost(position: Position): undefined {
    this.#emit({ type: 'lost', position })
    const message = 'the end of the log was lost'
    this.finish({ code: 'STORAGE_CORRUPT', message, retryable: true })
  }

  #unsupported(message: string): undefined {
    this.finish({ code: 'PROTOCOL_VERSION_UNSUPPORTED', message, retryable: false })
    return undefined
  }

  /** Ends the session when something is wrong. Only a divergence may be gone later. */
  judge(wrong: Violation | Divergence | undefined): void {
    if (wrong !== undefined)
      this.finish({ ...wrong, retryable: wrong.code === 'PROTOCOL_DIVERGED' })
  }

  /** Tells the peer why, and ends. */
  finish(ending: Ending): void {
    const { code, message, retryable, retryAfterMs } = ending
    if (this.#state !== 'idle') {
      const bytes = this.#outbox.composeLast(this.exchange, closeFrame(ending))
      this.#emit({ type: 'send', bytes })
    }
    this.end({ code, message, retryable, retryAfterMs })
  }

  end(reason: SessionClose): void {
    this.#state = 'closed'
    this.conversation.streams.fail('TRANSPORT_CLOSED', 'the session is over')
    this.#emit({ type: 'close', reason })
  }
}
