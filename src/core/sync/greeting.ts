import { InvariantError } from '../errors.ts'
import type { Position } from '../ids.ts'
import { outOfOrder } from './conversation.ts'
import { ReceiveCredit, SendCredit } from './credit.ts'
import { Exchange } from './exchange.ts'
import type { ExchangeHost } from './exchange-host.ts'
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
import type { Admission, Hello, PeerState } from './io.ts'
import { INITIAL_CREDIT_BYTES } from './limits.ts'
import type { HelloFrame, WelcomeFrame } from './message.ts'
import type { DecodedFrame } from './message-codec.ts'
import { PeerRecord } from './peer-record.ts'
import { chooseVersion, PROTOCOL_VERSIONS } from './version.ts'

/** What a handshake came to. */
export interface Greeted {
  readonly version: number
  readonly peer: Self
  readonly agreement: Agreement
  readonly record: PeerRecord
  /** What was remembered of this peer before. */
  readonly remembered: PeerState | undefined
}

/** The peer has read more of our log than there is. */
export interface LostTail {
  readonly lost: Position
}

/** The two sides have no version in common: said so, not retried. */
export interface Unsupported {
  readonly unsupported: string
}

function greeted(
  version: number,
  peer: Self,
  agreement: Agreement,
  remembered: PeerState | undefined,
  head: Position,
): Greeted {
  const pending = new Set([...agreement.backfill, ...agreement.reconcile])
  // What is no longer granted is no longer complete: the cursors pass it by from now on.
  const complete = agreement.granted.filter((name) => !pending.has(name))
  const record = new PeerRecord(peer.replica, peer.epoch, agreement.sendFrom, complete)
  record.packings = peer.packings
  const isRenewed = remembered?.epoch !== undefined && remembered.epoch !== peer.epoch
  record.doubted = isRenewed ? head : remembered?.doubted
  return { version, peer, agreement, record, remembered }
}

/** The dialer's half of the handshake: it speaks first, and does not wait to send its log. */
export class DialerGreeting {
  readonly exchange: Exchange
  readonly #self: Self
  readonly #input: StartInput
  readonly #hello: HelloFrame

  constructor(host: ExchangeHost, self: Self, input: StartInput) {
    const { windowBytes } = host.limits
    this.#self = self
    this.#input = input
    this.#hello = helloFrame(self, input, windowBytes)
    this.exchange = new Exchange(host, sendFrom(input), input.head, input.subscriptions, {
      send: new SendCredit(INITIAL_CREDIT_BYTES),
      receive: new ReceiveCredit(windowBytes, windowBytes),
    })
  }

  get hello(): HelloFrame {
    return this.#hello
  }

  handleWelcome(welcome: WelcomeFrame): Greeted | Violation | Unsupported | LostTail {
    if (!PROTOCOL_VERSIONS.includes(welcome.version)) {
      return { unsupported: 'WELCOME: version is none that was offered' }
    }
    if (welcome.replica === this.#self.replica) {
      return { code: 'PROTOCOL_REMOTE', message: 'WELCOME: replica is our own name' }
    }
    if (welcome.cursor > this.#hello.head) return { lost: welcome.cursor }
    const agreement = agreeAsDialer(this.#hello, welcome)
    if (typeof agreement === 'string') return { code: 'PROTOCOL_REMOTE', message: agreement }
    this.exchange.grantCredit(welcome.credit)
    const { sender } = this.exchange
    // Behind where we began: the peer lost what it had, and begins there. Ahead: what differs is looked for.
    if (agreement.sendFrom < sendFrom(this.#input) || agreement.sendFrom > sender.sent) {
      this.exchange.moveTo(agreement.sendFrom)
    }
    const { peer } = this.#input
    const remembered = peer?.replica === welcome.replica ? peer : undefined
    const answer = greeted(welcome.version, welcome, agreement, remembered, this.#input.head)
    // What we said to be acknowledged was so by another: of what this one refused we may not have heard.
    if (remembered === undefined && this.#hello.acked > 0) answer.record.doubt(this.#input.head)
    return answer
  }
}

/** The accepter's half: it lets its driver decide, and keeps what the dialer pipelined meanwhile. */
export class AccepterGreeting {
  readonly #host: ExchangeHost
  readonly #self: Self
  readonly #early: DecodedFrame[] = []
  #earlyBytes = 0
  #hello: HelloFrame | undefined
  #version: number | undefined

  constructor(host: ExchangeHost, self: Self) {
    this.#host = host
    this.#self = self
  }

  handleHello(hello: HelloFrame): Hello | Violation | Unsupported {
    const version = chooseVersion(hello.versions)
    if (version === undefined) {
      return { unsupported: `HELLO: versions has none of ${PROTOCOL_VERSIONS.join(', ')}` }
    }
    if (hello.replica === this.#self.replica) {
      return { code: 'PROTOCOL_REMOTE', message: 'HELLO: replica is our own name' }
    }
    this.#hello = hello
    this.#version = version
    const { replica, epoch, head, subscriptions, token, peerEpoch, cursor } = hello
    const read = peerEpoch === undefined ? undefined : { epoch: peerEpoch, position: cursor }
    return { version, replica, epoch, head, subscriptions, read, token }
  }

  /** Events that follow HELLO wait for the decision, at most as many as the initial credit allows. */
  keepEarly(decoded: DecodedFrame): Violation | undefined {
    const { frame, byteLength } = decoded
    if (frame.type !== 'events' && frame.type !== 'part') return outOfOrder(frame, 'WELCOME')
    this.#earlyBytes += byteLength
    if (this.#earlyBytes > INITIAL_CREDIT_BYTES) {
      return {
        code: 'PROTOCOL_LIMIT_EXCEEDED',
        message: 'EVENTS: more bytes than the initial credit',
      }
    }
    this.#early.push(decoded)
    return undefined
  }

  /** The driver has decided to talk to the peer. WELCOME is queued; `early` is to be handled next. */
  admit(
    admission: Admission,
  ): Greeted & { readonly exchange: Exchange; readonly early: readonly DecodedFrame[] } {
    const hello = this.#hello
    const version = this.#version
    if (hello === undefined || version === undefined) throw new InvariantError('nobody said HELLO')
    const { head, peer } = admission
    const agreement = agreeAsAccepter(this.#self, hello, admission)
    const send = new SendCredit(hello.credit)
    const receive = new ReceiveCredit(this.#host.limits.windowBytes, INITIAL_CREDIT_BYTES)
    const exchange = new Exchange(this.#host, agreement.sendFrom, head, agreement.granted, {
      send,
      receive,
    })
    this.#host.control(welcomeFrame(this.#self, version, hello, agreement, head, receive.tell()))
    return { ...greeted(version, hello, agreement, peer, head), exchange, early: this.#early }
  }
}
