import type { CollectionId } from '../ids.ts'
import type { Exchange } from './exchange.ts'
import type { Divergence, ExchangeHost } from './exchange-host.ts'
import type { Violation } from './field-reader.ts'
import type { Frame } from './message.ts'
import type { DecodedFrame } from './message-codec.ts'
import type { Outbox, Sources } from './outbox.ts'
import { type Decision, Sharing, type Verdict } from './sharing.ts'
import { Signals } from './signals.ts'
import { Streams } from './streams.ts'

/** What both sides say once they know each other: log, subscriptions, signals and streams. */
export class Conversation {
  readonly sharing: Sharing = new Sharing()
  readonly signals: Signals
  readonly streams: Streams
  readonly #host: ExchangeHost
  #pongOwed = false
  exchange: Exchange | undefined

  constructor(host: ExchangeHost) {
    this.#host = host
    this.signals = new Signals(host.limits)
    this.streams = new Streams(host.role, host.limits, (output) => host.emit(output))
  }

  /** Takes one frame of the peer; says what is wrong with it, or that the logs cannot be brought together. */
  handleFrame(decoded: DecodedFrame): Violation | Divergence | undefined {
    const { frame, byteLength } = decoded
    const { exchange } = this
    if (exchange === undefined) return outOfOrder(frame, 'WELCOME')
    switch (frame.type) {
      case 'events':
        return exchange.handleEvents(frame, byteLength)
      case 'part':
        return exchange.receiver.handlePart(frame.bytes, byteLength)
      case 'ack':
        return exchange.handleAck(frame)
      case 'rejects':
        this.#host.emit({ type: 'rejected', rejects: frame.rejects })
        return undefined
      case 'check':
        return exchange.handleCheck(frame)
      case 'ask-ranges':
      case 'tell-ranges':
      case 'ask-entries':
      case 'tell-entries':
        return exchange.reconciliation.handleFrame(frame)
      case 'subscribe':
        return this.#handleSubscribe(frame.collections, frame.held ?? [])
      case 'grant':
        return this.#handleGrant({
          granted: frame.granted,
          refused: frame.refused,
          reconcile: (frame.reconcile ?? []).map((index) => frame.granted[index] ?? ''),
        })
      case 'signal':
        return this.#handleSignal(frame.key, frame.value)
      case 'ping':
        this.#pongOwed = true
        return undefined
      case 'pong':
        return undefined
      case 'hello':
      case 'welcome':
      case 'close':
        return { code: 'PROTOCOL_REMOTE', message: `${frame.type}: sent twice` }
      case 'packed':
        return { code: 'PROTOCOL_REMOTE', message: 'packed: not the only frame of its message' }
      default:
        return this.streams.receive(frame)
    }
  }

  #handleSignal(key: string, value: Uint8Array | undefined): Violation | undefined {
    const wrong = this.signals.receive(key, value)
    if (wrong === undefined) this.#host.emit({ type: 'signal', key, value })
    return wrong
  }

  #handleSubscribe(
    collections: readonly CollectionId[],
    held: readonly number[],
  ): Violation | undefined {
    const token = this.#host.token()
    const names = held.map((index) => collections[index] ?? '')
    const wrong = this.sharing.asked(token, collections, names)
    if (wrong === undefined) this.#host.emit({ type: 'subscribe', token, collections })
    return wrong
  }

  #handleGrant(decision: Decision): Violation | undefined {
    const wrong = this.sharing.answered(decision)
    if (wrong === undefined) this.#extend(decision, false)
    return wrong
  }

  /** Our driver's decision about what the peer asked for. */
  decide(token: number, verdict: Verdict): void {
    const decision = this.sharing.decide(token, verdict)
    if (decision === undefined) return
    const { granted, refused } = decision
    const reconcile = decision.reconcile.map((name) => granted.indexOf(name))
    this.#host.control({ type: 'grant', granted, refused, reconcile })
    this.#extend({ ...decision, refused: [] }, true)
  }

  subscribe(collections: readonly CollectionId[], held: readonly CollectionId[]): void {
    const added = this.sharing.ask(collections)
    if (added.length === 0) return
    const indexes = added.flatMap((name, index) => (held.includes(name) ? [index] : []))
    this.#host.control({ type: 'subscribe', collections: added, held: indexes })
  }

  #extend(decision: Decision, asks: boolean): void {
    const added = this.sharing.extend(decision)
    if (added.length > 0)
      this.exchange?.extend(this.sharing.granted, added, decision.reconcile, asks)
    if (added.length > 0 || decision.refused.length > 0) this.emitEstablished()
  }

  emitEstablished(): void {
    const peer = this.exchange?.record?.replica
    if (peer === undefined) return
    const { granted, refused } = this.sharing
    this.#host.emit({ type: 'established', peer, granted, refused })
  }

  /** The next message; undefined when there is nothing to say. */
  compose(outbox: Outbox): Uint8Array | undefined {
    if (this.#pongOwed) this.#host.control({ type: 'pong' })
    this.#pongOwed = false
    const { exchange, signals, streams } = this
    const sources: Sources = { exchange, signals, streams }
    return outbox.compose(sources)
  }
}

/** A frame that may not come yet. */
export function outOfOrder(frame: Frame, expected: string): Violation {
  return { code: 'PROTOCOL_REMOTE', message: `${frame.type}: sent before ${expected}` }
}
