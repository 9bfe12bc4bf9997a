import type { Principal } from '../access/policy.ts'
import { ConnectionClosedError } from '../errors.ts'
import type { CollectionId, Position, ReplicaId } from '../ids.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { IncomingEntry } from '../log/submission.ts'
import type { Hello, PeerState, SessionClose, SessionOutput } from '../sync/io.ts'
import { SyncSession } from '../sync/session.ts'
import { forgetLeft } from './absent-events.ts'
import { meetAuthor } from './authorship.ts'
import { entryChecks } from './entry-checks.ts'
import { checkEntry } from './incoming.ts'
import { IntakeShare } from './intake.ts'
import { KeptEvents } from './kept-events.ts'
import { LinkDeadline } from './link-deadline.ts'
import { heldCollections, type LinkView } from './link-digest.ts'
import { asError, asFailure, LOST_TAIL } from './link-endings.ts'
import type { LinkOptions } from './link-options.ts'
import { LogQuestions } from './log-questions.ts'
import type { Unpacked } from './message-packing.ts'
import { PackedChannel, UNPACKABLE } from './packed-channel.ts'
import { PeerMemory } from './peer-memory.ts'
import type { PeerStream } from './peer-stream.ts'
import { REFUSALS_MAX } from './refusals.ts'
import { sharedWith } from './shared-with.ts'
import { carrierOf } from './stream-carrier.ts'
import { StreamTable } from './stream-table.ts'

/**
 * Pumps one connection through one session: does what the session says, in its order, and tells it what
 * came of it. All decisions of the protocol are in the session, all of storage in the log.
 */
export class PeerLink {
  readonly principal: Principal
  readonly role: 'dialer' | 'accepter'
  /** Resolves when the link is over, with the reason. Never rejects. */
  readonly closed: Promise<SessionClose>
  peer: ReplicaId | undefined
  granted: readonly CollectionId[] = []
  /** Events of ours that the peer lacks because it refused them. */
  kept: KeptEvents = new KeptEvents()
  /** What the peer refused and nobody has written down yet. */
  readonly refused: KeptEvents = new KeptEvents(REFUSALS_MAX)
  /** What it refused as the document was not there: it may come yet, or is sent again with the next connection. */
  readonly absent: KeptEvents = new KeptEvents(REFUSALS_MAX)
  readonly streams: StreamTable
  readonly #questions: LogQuestions
  readonly #options: LinkOptions
  readonly #session: SyncSession
  readonly #channel: PackedChannel
  #boundLogger: Logger | undefined
  readonly #memory: PeerMemory
  readonly #deadline: LinkDeadline
  #draining = false
  readonly #share: IntakeShare
  #over = false
  #end: (reason: SessionClose) => void = () => undefined

  constructor(options: LinkOptions) {
    this.#options = options
    this.#share = new IntakeShare(options.intake)
    this.principal = options.principal
    this.role = options.role
    const { log, connection, role } = options
    this.#deadline = new LinkDeadline(options.clock, () =>
      this.#tell((now) => this.#session.handleTimeout(now)),
    )
    this.#memory = new PeerMemory(log, options.clock, () => this.#logger, this)
    this.#channel = new PackedChannel(connection, options.compression, {
      writable: (is) => this.#tell((now) => this.#session.handleWritable(is, now)),
      failed: (error) => this.#logger.debug('a message could not be sent', { error }),
    })
    const { replica, epoch } = log
    this.#session = new SyncSession({ role, replica, epoch, packings: this.#channel.packings })
    this.#questions = new LogQuestions(this.#session, options.repairs, this.absent)
    this.streams = new StreamTable(carrierOf(this.#session, (input) => this.#tell(input)))
    this.closed = new Promise((resolve) => {
      this.#end = resolve
    })
    for (const [key, value] of options.signals) this.setSignal(key, value)
    if (role === 'dialer') this.#start()
    else this.#tell((now) => this.#session.accept(now))
    void this.#pump()
  }

  #start(): void {
    const { peer, subscriptions, log } = this.#options
    const start = (held: readonly CollectionId[]): void => {
      this.#tell((now) => this.#session.start({ peer, subscriptions, held, head: log.head }, now))
    }
    if (subscriptions.every((name) => peer?.complete.includes(name) === true)) return start([])
    this.#held(subscriptions, start)
  }

  /** Those of some collections in which we hold documents. */
  #held(collections: readonly CollectionId[], then: (held: readonly CollectionId[]) => void): void {
    heldCollections(this.#options.log, collections).then(then, (error: unknown) => {
      this.#logger.warn('it could not be seen which collections are here', { error })
      then([])
    })
  }

  /** Made when there is something to say: most links have nothing. */
  get #logger(): Logger {
    const { logger, connection, principal } = this.#options
    this.#boundLogger ??= logger.child({ remote: connection.remoteAddress, principal })
    return this.#boundLogger
  }

  /** What would be remembered of the peer now; undefined before both sides know each other. */
  get state(): PeerState | undefined {
    return this.#session.peer
  }

  /** How long the peer took to answer last; undefined while it was not asked. */
  get roundTripMs(): number | undefined {
    return this.#session.roundTripMs
  }

  /** The log grew in a collection that this link shares, by what is news to the peer or came from it. */
  grew(head: Position, isNews: boolean): void {
    this.#tell((now) => {
      if (isNews) this.#session.handleLogGrew(head, now)
      else this.#session.handleLogPassed(head, now)
    })
  }

  subscribe(collections: readonly CollectionId[]): void {
    this.#held(collections, (held) =>
      this.#tell((now) => this.#session.subscribe(collections, now, held)),
    )
  }

  /** Looks for what the peer has of these collections and we have lost, as far as they are shared. */
  reconcile(collections: readonly CollectionId[]): void {
    this.#tell((now) => this.#session.reconcile(collections, now))
  }

  setSignal(key: string, value: Uint8Array | undefined): void {
    this.#tell((now) => this.#session.setSignal(key, value, now))
  }

  /** @throws ConnectionClosedError when the link is over. */
  openStream(protocol: string, head: Uint8Array): PeerStream {
    const id = this.#tell((now) => this.#session.openStream(protocol, head, now))
    if (id === undefined || this.peer === undefined)
      throw new ConnectionClosedError('the peer is not connected')
    return this.streams.add(this.peer, id)
  }

  /** Ends the session in good order. */
  close(): Promise<SessionClose> {
    this.#tell((now) => this.#session.close(now))
    return this.closed
  }

  /** Ends the session with a reason that the peer is told. */
  refuse(reason: SessionClose): void {
    this.#tell((now) => this.#session.refuse(reason, now))
  }

  async #pump(): Promise<void> {
    const { connection, clock } = this.#options
    let failure: unknown
    try {
      for await (const message of connection) {
        const unpacked = this.#channel.unpack(message)
        this.#take(unpacked instanceof Promise ? await unpacked : unpacked)
        if (this.#over) break
        const turn = this.#options.intake.turn()
        if (turn !== undefined) await turn
      }
    } catch (error) {
      failure = error
    }
    if (!this.#over) {
      this.#session.handleClosed(clock.monotonicMs())
      this.#drain()
    }
    const message = failure instanceof Error ? failure.message : 'the connection ended'
    this.#finish({ code: 'TRANSPORT_CLOSED', message, retryable: true, retryAfterMs: undefined })
  }

  #take(message: Unpacked): void {
    if (message instanceof Uint8Array)
      this.#tell((now) => this.#session.handleMessage(message, now))
    else
      this.refuse({ ...message, retryable: message.code === UNPACKABLE, retryAfterMs: undefined })
  }

  /** Tells the session something and does what it then says. */
  #tell<T>(input: (nowMs: number) => T): T | undefined {
    if (this.#over) return undefined
    const result = input(this.#options.clock.monotonicMs())
    this.#drain()
    return result
  }

  #drain(): void {
    if (this.#draining || this.#over) return
    this.#draining = true
    try {
      for (let output = this.#session.poll(); output !== undefined; output = this.#session.poll()) {
        this.#perform(output)
        if (this.#over) return
      }
      this.#share.set(this.#session.heldBytes)
      this.#deadline.set(this.#session.deadlineMs)
    } catch (error) {
      // A bug of ours must not take other peers down with this one.
      this.#logger.error('a link failed', { error })
      this.#options.connection.abort(asError(error))
      this.#finish({
        code: 'PROTOCOL_REMOTE',
        message: 'internal failure',
        retryable: true,
        retryAfterMs: 5_000,
      })
    } finally {
      this.#draining = false
    }
  }

  #perform(output: SessionOutput): void {
    const { log, events } = this.#options
    switch (output.type) {
      case 'send':
        return this.#channel.send(output.bytes, this.#session.peerPackings)
      case 'hello':
        return this.#admit(output.hello)
      case 'subscribe':
        return this.#grant(output.token, output.collections)
      case 'established': {
        const objection = events.objection(this, output.peer)
        if (objection !== undefined)
          return this.#later((now) => this.#session.refuse(objection, now))
        this.#meet(output.peer, output.granted)
        for (const refusal of output.refused)
          this.#logger.warn('a subscription was refused', { ...refusal })
        events.established(this)
        // Until now nobody told this link of our edits: what came during the handshake is not lost.
        return this.#session.handleLogGrew(log.head, this.#options.clock.monotonicMs())
      }
      case 'read':
      case 'deliver':
      case 'reconcile':
      case 'digest':
      case 'verify': {
        // A dialer reads before it knows who answers: what came from the peer that it expects stays here.
        const expected = this.#options.peer?.replica
        const answer = this.#questions.answer(this.#view(), output, expected)
        return this.#answer(output.token, answer, (give, now) => give(now))
      }
      case 'lost':
        events.lost(output.position)
        return
      case 'append':
        return this.#append(output)
      case 'acknowledged':
        if (this.peer === undefined) return
        this.#memory.soon(output.peer)
        return events.acknowledged(this, output.peer, output.received, output.durable)
      case 'rejected':
        return events.rejected(this, output.rejects)
      case 'signal':
        return events.signal(this, output.key, output.value)
      case 'stream-opened': {
        if (this.peer === undefined) return
        return events.stream(
          this,
          output.protocol,
          output.head,
          this.streams.add(this.peer, output.stream),
        )
      }
      case 'stream-bytes':
      case 'stream-ended':
      case 'stream-reset':
      case 'stream-writable':
        return this.streams.handle(output)
      case 'close':
        return this.#close(output.reason)
    }
  }

  #admit(hello: Hello): void {
    const { policy, principal, log, events } = this.#options
    const reason = events.objection(this, hello.replica)
    if (reason !== undefined) {
      events.turnedAway(reason)
      return this.#later((now) => this.#session.refuse(reason, now))
    }
    const { read } = hello
    if (read?.epoch === log.epoch && read.position > log.head && events.lost(read.position))
      return this.#later((now) => this.#session.refuse(LOST_TAIL, now))
    meetAuthor(log, hello, principal, this.#options.logger)
    const { granted, refused } = sharedWith(policy, principal, hello.subscriptions)
    this.#meet(hello.replica, granted)
    this.#held(granted, (held) => {
      const peer = log.peer(hello.replica) ?? fresh(hello.replica)
      const { head } = log
      this.#tell((now) =>
        this.#session.handleAdmission({ peer, granted, refused, held, head }, now),
      )
    })
  }

  #meet(peer: ReplicaId, granted: readonly CollectionId[]): void {
    if (this.peer !== peer) this.kept = this.#options.kept.of(peer)
    this.peer = peer
    this.granted = granted
  }

  #view(): LinkView {
    const { log, sha256 } = this.#options
    return { log, sha256, granted: this.granted, peer: this.peer, kept: this.kept }
  }

  /** The peer wants to share more. */
  #grant(token: number, asked: readonly CollectionId[]): void {
    const { policy, principal } = this.#options
    const { granted } = sharedWith(policy, principal, asked)
    this.#held(granted, (held) =>
      this.#tell((now) => this.#session.handleGrant(token, granted, [], now, held)),
    )
  }

  #append(output: Extract<SessionOutput, { type: 'append' }>): void {
    // Who answered may not be here: what it says with its name is not taken, nor how far that was read.
    if (this.peer === undefined) return
    const { log, sha256, events, clock } = this.#options
    const { token } = output
    const peer = this.#memory.settled(output.peer)
    this.#memory.forget()
    let entries: readonly IncomingEntry[]
    try {
      entries = output.entries.map((entry) => checkEntry(entry, sha256))
    } catch (error) {
      return this.#later((now) => this.#session.handleFailed(token, asError(error), now))
    }
    const checks = entryChecks(this, this.#options, peer.replica)
    const from = peer.replica
    const atMs = clock.wallMs()
    const stored = log.commit({ type: 'remote', from, entries, peer, atMs, ...checks })
    this.#answer(token, stored, ({ rejects, returned = [] }, now) => {
      events.stored(this, entries, rejects)
      void forgetLeft(this.absent, log, entries)
      this.#session.handleAppended(token, { rejects }, now)
      if (returned.length > 0) this.#session.reconcile(returned, now)
    })
  }

  /** Gives the session an answer when it is there, or the reason why there is none. */
  #answer<T>(token: number, answer: Promise<T>, give: (answer: T, nowMs: number) => void): void {
    answer.then(
      (value) => this.#tell((now) => give(value, now)),
      (error: unknown) => {
        this.#logger.warn('a question of a session could not be answered', { error })
        // The connection ends: what stood in the way is repaired by the time that there is another one.
        void this.#options.repairs.heal(error)
        this.#tell((now) => this.#session.handleFailed(token, asFailure(error), now))
      },
    )
  }

  /** For answers that are known at once: outputs are done in order, so the session is told afterwards. */
  #later(input: (nowMs: number) => void): void {
    queueMicrotask(() => this.#tell(input))
  }

  #close(reason: SessionClose): void {
    this.#finish(reason)
    this.#channel.close()
  }

  #finish(reason: SessionClose): void {
    if (this.#over) return
    this.#over = true
    this.#share.set(0)
    this.#deadline.cancel()
    this.#memory.now()
    const { peer } = this.#options
    if (reason.code === UNPACKABLE && peer?.packings !== undefined)
      this.#memory.write({ ...peer, packings: undefined })
    this.streams.close(
      new ConnectionClosedError('the connection to the peer ended', {
        fields: { code: reason.code },
      }),
    )
    this.#end(reason)
  }
}

function fresh(replica: ReplicaId): PeerState {
  return { replica, epoch: undefined, cursor: 0, acked: 0, complete: [] }
}
