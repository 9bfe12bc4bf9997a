import type { CollectionId, Position } from '../ids.ts'
import { AgreementCheck } from './agreement-check.ts'
import type { ReceiveCredit, SendCredit } from './credit.ts'
import type { Violation } from './field-reader.ts'
import type { Agreement } from './handshake.ts'
import type { AppendAnswer, DigestAnswer, PeerState, ReadAnswer, SessionOutput } from './io.ts'
import {
  CHECKS_AT_ONCE_MAX,
  DIVERGED_RETRY_MS,
  REJECTS_FRAME_MAX,
  type SessionLimits,
  VERIFIES_MAX,
} from './limits.ts'
import { type AppendWork, LogReceiver } from './log-receiver.ts'
import { LogSender } from './log-sender.ts'
import type { AckFrame, CheckFrame, EventsFrame, Frame } from './message.ts'
import type { PeerRecord } from './peer-record.ts'

/** What the exchange needs of the session around it. */
export interface ExchangeHost {
  readonly role: 'dialer' | 'accepter'
  readonly limits: SessionLimits
  emit(output: SessionOutput): void
  /** Queues a control frame. */
  control(frame: Frame): void
  token(): number
}

/** Why an exchange cannot go on. */
export interface Divergence {
  readonly code: 'PROTOCOL_DIVERGED'
  readonly message: string
  readonly retryAfterMs: number
}

/**
 * Both logs of a session: ours going out, the peer's coming in, and the proof that they agree.
 *
 * It decides what to read, append and acknowledge; frames are pulled out of it when the transport
 * takes some, so what is not pulled yet gathers here as positions, not as bytes.
 */
export class Exchange {
  readonly sender: LogSender
  readonly receiver: LogReceiver
  readonly check: AgreementCheck = new AgreementCheck()
  readonly #host: ExchangeHost
  readonly #sendCredit: SendCredit
  readonly #receiveCredit: ReceiveCredit
  readonly #verifying: Map<number, CheckFrame> = new Map()
  #record: PeerRecord | undefined
  #readToken: number | undefined
  /** An accepter that answers in one message reads nothing before its digest says up to where. */
  #held = false
  #peerReceived: Position = 0
  #ackOwed = false
  #toldReceived: Position = 0
  #receivedDueMs: number | undefined
  #filledOwed: CollectionId[] = []
  /** An `acknowledged` went out while an append was under way: its state is older than the append's. */
  #restate = false
  #resyncing = false
  /** How many more CHECK frames the peer has a reason to send. */
  #checksLeft = CHECKS_AT_ONCE_MAX

  constructor(
    host: ExchangeHost,
    start: Position,
    head: Position,
    collections: readonly CollectionId[],
    credit: { readonly send: SendCredit; readonly receive: ReceiveCredit },
  ) {
    const { limits } = host
    this.#host = host
    this.#sendCredit = credit.send
    this.#receiveCredit = credit.receive
    this.sender = new LogSender(start, head, collections, credit.send, limits.pageBytes)
    this.receiver = new LogReceiver(credit.receive, limits.appendsMax, limits.windowBytes)
  }

  get record(): PeerRecord | undefined {
    return this.#record
  }

  /** The peer as it would be remembered now. */
  get peer(): PeerState | undefined {
    return this.#record?.state(this.receiver.durable)
  }

  get reading(): boolean {
    return this.#readToken !== undefined
  }

  /** The answer of an accepter that waits for its whole answer is not complete yet. */
  get answering(): boolean {
    return this.#held || this.check.asked || this.#readToken !== undefined
  }

  /** When the peer should hear that its entries are here, if they are not durable before. */
  get receivedDueMs(): number | undefined {
    return this.#receivedDueMs
  }

  /** From now on it is known who the peer is. */
  introduce(record: PeerRecord): void {
    this.#record = record
  }

  /** Both sides know each other: appends may begin. `remembered` is what we believed of `acked`. */
  agree(record: PeerRecord, agreement: Agreement, remembered: Position): void {
    this.receiver.start(agreement.readFrom)
    this.sender.share(agreement.granted)
    this.#peerReceived = record.acked
    this.#toldReceived = agreement.readFrom
    for (const collection of agreement.backfill) {
      const { sendFrom, readFrom } = agreement
      record.fill(collection, sendFrom > 0, readFrom > 0)
      if (sendFrom > 0) this.sender.backfill(collection, sendFrom)
    }
    if (this.#host.role === 'accepter') this.check.want(0)
    if (record.acked !== remembered) this.#emitAcknowledged()
  }

  /** The peer says how much it takes, in all. */
  grantCredit(total: number): void {
    this.#sendCredit.grant(total)
  }

  /** The accepter answers in one message once the dialer's events are durable. */
  hold(): void {
    this.#held = true
  }

  release(): void {
    this.#held = false
  }

  /** Collections that are shared from now on: their history goes both ways. */
  extend(granted: readonly CollectionId[], added: readonly CollectionId[]): void {
    this.sender.share(granted)
    this.#checksLeft += CHECKS_AT_ONCE_MAX
    for (const collection of added) {
      this.#record?.fill(collection, true, true)
      this.sender.backfill(collection, undefined)
    }
    if (this.#host.role === 'accepter') this.check.want(0)
  }

  /** Starts whatever can start: appends, verifications, a check, a read. */
  advance(nowMs: number): void {
    this.#advanceReceiver(nowMs)
    this.#advanceCheck()
    this.#advanceSender()
  }

  #advanceReceiver(nowMs: number): void {
    const record = this.#record
    if (record === undefined) return
    while (true) {
      const work = this.receiver.next()
      if (work === undefined) return
      const token = this.#host.token()
      if (work.type === 'append') this.#append(token, work, record, nowMs)
      else {
        this.#verifying.set(token, work.check)
        const { digest, ours, theirs } = work.check
        this.#host.emit({ type: 'verify', token, digest, ours: theirs, theirs: ours })
      }
    }
  }

  #append(token: number, work: AppendWork, record: PeerRecord, nowMs: number): void {
    this.receiver.handed(token, work)
    const peer = record.state(work.cursor, work.filled)
    this.#host.emit({ type: 'append', token, entries: work.entries, peer })
    if (work.ackOwed) this.#receivedDueMs ??= nowMs + this.#host.limits.receivedAckMs
  }

  #advanceCheck(): void {
    const { wanted } = this.check
    if (wanted === undefined || this.check.asked || this.check.ready !== undefined) return
    if (!this.sender.idle || !this.#mayCheck(wanted)) return
    const token = this.#host.token()
    this.check.ask(token)
    this.#host.emit({ type: 'digest', token })
  }

  /** A first check ends an exchange; a second one waits until nothing at all is under way. */
  #mayCheck(attempt: number): boolean {
    const record = this.#record
    if (record === undefined) return false
    if (attempt % 2 === 0) return this.receiver.finalDurable && !record.filling && !this.#resyncing
    return this.receiver.quiet && this.sender.done && record.acked >= this.sender.lastEntry
  }

  #advanceSender(): void {
    if (this.#held || this.check.asked) return
    const request = this.sender.nextRead()
    if (request === undefined) return
    this.#readToken = this.#host.token()
    this.#host.emit({ type: 'read', token: this.#readToken, ...request })
  }

  handleRead(token: number, answer: ReadAnswer): void {
    // A rewind made the page void.
    if (token !== this.#readToken) return
    this.#readToken = undefined
    this.sender.handleRead(answer)
  }

  /** Goes on from another position; a page that is being read is void. */
  moveTo(position: Position): void {
    this.#readToken = undefined
    this.sender.moveTo(position)
  }

  handleAppended(token: number, answer: AppendAnswer): void {
    const work = this.receiver.handleAppended(token)
    if (work === undefined) return
    const { rejects } = answer
    for (let i = 0; i < rejects.length; i += REJECTS_FRAME_MAX) {
      this.#host.control({ type: 'rejects', rejects: rejects.slice(i, i + REJECTS_FRAME_MAX) })
    }
    this.#filledOwed.push(...work.filled)
    this.#ackOwed ||= work.ackOwed
    const completed = this.#record?.filledIn(work.filled) === true
    if (completed || this.#restate) {
      this.#restate = false
      this.#emitAcknowledged()
    }
  }

  handleDigest(token: number, answer: DigestAnswer): void {
    if (!this.check.handleDigest(token, answer)) return
    this.#held = false
    this.sender.grow(answer.head)
    this.sender.limit = answer.head
  }

  handleVerified(token: number, equal: boolean): Divergence | undefined {
    const check = this.#verifying.get(token)
    if (check === undefined) return undefined
    this.#verifying.delete(token)
    switch (this.check.handleVerified(check, equal)) {
      case 'agreed':
        return undefined
      case 'check-again':
        this.check.want(check.attempt + 1)
        return undefined
      case 'resync':
        this.#resyncing = true
        return this.#restart()
      case 'diverged':
        return diverged('the logs differ after both sides sent everything')
    }
  }

  /** RESYNC is answered with RESYNC: what follows it on either way is the log from its beginning. */
  handleResync(): Divergence | undefined {
    this.receiver.restart()
    const answers = this.#resyncing
    this.#resyncing = false
    const failure = answers ? undefined : this.#restart()
    if (this.#host.role === 'accepter') this.check.want(2)
    return failure
  }

  #restart(): Divergence | undefined {
    if (!this.check.restart()) return diverged('the logs were sent again too often')
    this.#checksLeft += CHECKS_AT_ONCE_MAX
    this.#verifying.clear()
    this.#held = false
    this.#readToken = undefined
    this.sender.limit = undefined
    this.sender.restart()
    this.#host.control({ type: 'resync' })
    return undefined
  }

  handleEvents(frame: EventsFrame, byteLength: number): Violation | undefined {
    const { backfill } = frame
    if (backfill !== undefined && this.#record?.awaits(backfill) !== true) {
      return {
        code: 'PROTOCOL_REMOTE',
        message: 'EVENTS: backfill of a collection that is not awaited',
      }
    }
    return this.receiver.handleEvents(frame, byteLength)
  }

  handleCheck(frame: CheckFrame): Violation | undefined {
    if (this.#verifying.size >= VERIFIES_MAX) {
      return { code: 'PROTOCOL_LIMIT_EXCEEDED', message: 'CHECK: too many are being verified' }
    }
    // Each costs a look at the digests, and one that does not match a look at the log.
    this.#checksLeft -= 1
    if (this.#checksLeft < 0) {
      return {
        code: 'PROTOCOL_LIMIT_EXCEEDED',
        message: 'CHECK: nothing has changed since the last',
      }
    }
    this.receiver.handleCheck(frame)
    return undefined
  }

  handleAck(frame: AckFrame): Violation | undefined {
    const record = this.#record
    if (record === undefined) return { code: 'PROTOCOL_REMOTE', message: 'ACK: before WELCOME' }
    if (frame.received > this.sender.highest) {
      return { code: 'PROTOCOL_REMOTE', message: 'ACK: received is past what was sent' }
    }
    this.#sendCredit.grant(frame.credit)
    const news = frame.received > this.#peerReceived || frame.durable > record.acked
    this.#peerReceived = Math.max(this.#peerReceived, frame.received)
    record.acked = Math.max(record.acked, frame.durable)
    const completed = record.filledOut(frame.filled)
    const moved = this.receiver.handleUpTo(frame.upTo)
    if (news || completed || moved) this.#emitAcknowledged()
    return undefined
  }

  #emitAcknowledged(): void {
    const record = this.#record
    if (record === undefined) return
    this.#restate = !this.receiver.quiet
    const durable = record.acked
    const received = Math.max(this.#peerReceived, durable)
    const peer = record.state(this.receiver.durable)
    this.#host.emit({ type: 'acknowledged', received, durable, peer })
  }

  /** The peer has waited long enough to hear that its entries are here. */
  handleTimeout(nowMs: number): void {
    if (this.#receivedDueMs === undefined || nowMs < this.#receivedDueMs) return
    this.#receivedDueMs = undefined
    if (this.receiver.received > this.#toldReceived) this.#ackOwed = true
  }

  /** An ACK when one is owed. Never for an ACK alone, so two quiet sides stay quiet. */
  nextAck(): AckFrame | undefined {
    if (!this.#ackOwed && !this.#receiveCredit.owed) return undefined
    this.#ackOwed = false
    this.#receivedDueMs = undefined
    const filled = this.#filledOwed
    this.#filledOwed = []
    this.#toldReceived = this.receiver.received
    return {
      type: 'ack',
      received: this.receiver.received,
      durable: this.receiver.durable,
      credit: this.#receiveCredit.tell(),
      upTo: this.sender.tellUpTo(),
      filled,
    }
  }

  /** The CHECK, as soon as everything that it covers is in frames. */
  nextCheck(): CheckFrame | undefined {
    const answer = this.check.ready
    if (answer === undefined || !this.sender.idle || !this.sender.finalTold) return undefined
    if (this.sender.sent < answer.head) return undefined
    this.sender.limit = undefined
    return this.check.take(answer)
  }
}

function diverged(message: string): Divergence {
  return { code: 'PROTOCOL_DIVERGED', message, retryAfterMs: DIVERGED_RETRY_MS }
}
