import type { CollectionId, Position } from '../ids.ts'
import { SparseMap } from '../sparse-collections.ts'
import { AgreementCheck } from './agreement-check.ts'
import { CheckAllowance } from './check-allowance.ts'
import type { ReceiveCredit, SendCredit } from './credit.ts'
import { type Divergence, diverged, type ExchangeHost } from './exchange-host.ts'
import type { Violation } from './field-reader.ts'
import type { Agreement } from './handshake.ts'
import type { AppendAnswer, DigestAnswer, PeerState, ReadAnswer } from './io.ts'
import { COLLECTIONS_MAX, REJECTS_FRAME_MAX, VERIFIES_MAX } from './limits.ts'
import { type AppendWork, LogReceiver } from './log-receiver.ts'
import { LogSender } from './log-sender.ts'
import type { AckFrame, CheckFrame, EventsFrame } from './message.ts'
import type { PeerRecord } from './peer-record.ts'
import type { DeliveryAnswer } from './reconcile-steps.ts'
import { Reconciliation } from './reconciliation.ts'

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
  readonly reconciliation: Reconciliation
  readonly #host: ExchangeHost
  readonly #sendCredit: SendCredit
  readonly #receiveCredit: ReceiveCredit
  readonly #verifying: SparseMap<number, CheckFrame> = new SparseMap()
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
  readonly #checks = new CheckAllowance()

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
    this.reconciliation = new Reconciliation(host, this.sender)
    this.receiver = new LogReceiver(credit.receive, limits.appendsMax, limits.windowBytes)
  }

  get record(): PeerRecord | undefined {
    return this.#record
  }

  /** The peer as it would be remembered now. */
  get peer(): PeerState | undefined {
    return this.#record?.state(this.receiver.durable)
  }

  /** Bytes of the peer's log that are here and not durable yet. */
  get heldBytes(): number {
    return this.#receiveCredit.held
  }

  get reading(): boolean {
    return this.#readToken !== undefined
  }

  /** The answer of an accepter that waits for its whole answer is not complete yet. */
  get answering(): boolean {
    return this.#held || this.check.asked || this.#readToken !== undefined
  }

  /**
   * When something is due: the peer should hear that its entries are here, if they are not durable before,
   * or the next of its questions may be answered.
   */
  get dueMs(): number | undefined {
    const answerMs = this.reconciliation.dueMs
    if (answerMs === undefined || this.#receivedDueMs === undefined)
      return answerMs ?? this.#receivedDueMs
    return Math.min(answerMs, this.#receivedDueMs)
  }

  /** From now on it is known who the peer is. */
  introduce(record: PeerRecord): void {
    this.#record = record
  }

  /** Both sides know each other: appends may begin. `remembered` is what we believed of `acked`. */
  agree(record: PeerRecord, agreement: Agreement, remembered: Position): void {
    this.receiver.start(agreement.readFrom)
    this.sender.share(agreement.granted)
    this.reconciliation.share(agreement.granted)
    this.#peerReceived = record.acked
    this.#toldReceived = agreement.readFrom
    for (const collection of agreement.backfill) {
      const { sendFrom, readFrom } = agreement
      record.fill(collection, sendFrom > 0, readFrom > 0)
      if (sendFrom > 0) this.sender.backfill(collection, sendFrom)
    }
    this.#reconcileShared(record, agreement.reconcile, this.#host.role === 'accepter')
    if (record.acked !== remembered) this.#emitAcknowledged()
  }

  /** Collections in which both sides hold documents: one of them asks. The accepter checks in the end. */
  #reconcileShared(record: PeerRecord, collections: readonly CollectionId[], asks: boolean): void {
    for (const collection of collections) record.reconcile(collection)
    if (asks && collections.length > 0) this.reconciliation.begin(collections, 0)
    else if (this.#host.role === 'accepter') this.check.want(0)
  }

  /** Looks for what differs in collections that are shared. */
  reconcile(collections: readonly CollectionId[]): void {
    if (this.#record !== undefined) this.reconciliation.begin(collections, 0)
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

  /** Collections that are shared from now on: their history goes both ways, or what differs in it. */
  extend(
    granted: readonly CollectionId[],
    added: readonly CollectionId[],
    reconcile: readonly CollectionId[],
    asks: boolean,
  ): void {
    this.sender.share(granted)
    this.reconciliation.share(granted)
    this.#checks.renew()
    const record = this.#record
    if (record === undefined) return
    for (const collection of added) {
      if (reconcile.includes(collection)) continue
      record.fill(collection, true, true)
      this.sender.backfill(collection, undefined)
    }
    this.#reconcileShared(record, reconcile, asks)
  }

  /** Starts whatever can start: appends, verifications, a check, a read. */
  advance(nowMs: number): void {
    this.#advanceReceiver(nowMs)
    this.reconciliation.advance(nowMs)
    const proof = this.reconciliation.takeProof()
    if (proof !== undefined) this.check.want(proof)
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
    record.pass(this.sender)
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
    if (this.sender.beside || this.reconciliation.asking) return false
    if (attempt % 2 === 0) return this.receiver.finalDurable && !record.filling
    if (!this.reconciliation.quiet) return false
    return this.receiver.quiet && this.sender.done && record.acked >= this.sender.lastEntry
  }

  #advanceSender(): void {
    if (this.#held || this.check.asked) return
    const request = this.sender.nextRead()
    if (request === undefined) return
    this.#readToken = this.#host.token()
    this.#host.emit({ token: this.#readToken, ...request })
  }

  handleRead(token: number, answer: ReadAnswer): void {
    // A rewind made the page void.
    if (token !== this.#readToken) return
    this.#readToken = undefined
    this.sender.handleRead(answer)
  }

  handleDelivered(token: number, answer: DeliveryAnswer): void {
    if (token !== this.#readToken) return
    this.#readToken = undefined
    this.sender.handleDelivered(answer)
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
        this.#agreed()
        return undefined
      case 'check-again':
        this.check.want(check.attempt + 1)
        return undefined
      case 'reconcile':
        if (this.reconciliation.mismatch()) return undefined
        return diverged('the logs differ again and again')
      case 'diverged':
        return diverged('the logs differ after all that differed was exchanged')
    }
  }

  /** Equal digests prove that what was reconciled is complete at both sides. */
  #agreed(): void {
    const record = this.#record
    const complete = record?.reconciled() ?? []
    const isDoubted = record?.doubted !== undefined
    if (isDoubted) record.doubted = undefined
    if (complete.length === 0 && !isDoubted) return
    this.#filledOwed.push(...complete)
    this.#ackOwed ||= complete.length > 0
    this.#emitAcknowledged()
  }

  /** What is wrong with how the reconciliation goes, if anything is. */
  get divergence(): Divergence | undefined {
    return this.reconciliation.endless
      ? diverged('the search for what differs does not come to an end')
      : undefined
  }

  handleEvents(frame: EventsFrame, byteLength: number): Violation | undefined {
    const { backfill } = frame
    if (backfill !== undefined && this.#record?.awaits(backfill) !== true) {
      return {
        code: 'PROTOCOL_REMOTE',
        message: 'EVENTS: backfill of a collection that is not awaited',
      }
    }
    const { answer, final } = frame
    const wrong = answer === undefined ? undefined : this.reconciliation.handleAnswer(answer, final)
    return wrong ?? this.receiver.handleEvents(frame, byteLength)
  }

  handleCheck(frame: CheckFrame): Violation | undefined {
    if (this.#verifying.size >= VERIFIES_MAX) {
      return { code: 'PROTOCOL_LIMIT_EXCEEDED', message: 'CHECK: too many are being verified' }
    }
    if (!this.#checks.take(this.#host.now())) {
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

  /** The end of a run was told: no acknowledgement may ever come that it could be written down with. */
  toldEnd(): void {
    if (this.#record?.pass(this.sender) === true) this.#emitAcknowledged()
  }

  #emitAcknowledged(): void {
    const record = this.#record
    if (record === undefined) return
    this.#restate = !this.receiver.quiet
    record.pass(this.sender)
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
    const filled = this.#filledOwed.splice(0, COLLECTIONS_MAX)
    this.#ackOwed = this.#filledOwed.length > 0
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
