import type { Policy, Principal } from '../access/policy.ts'
import {
  ConnectionClosedError,
  isTidewayError,
  ProtocolError,
  type TidewayError,
} from '../errors.ts'
import type { CollectionId, Position, ReplicaId } from '../ids.ts'
import type { Cancel, Clock } from '../interfaces/clock.ts'
import type { Sha256 } from '../interfaces/hasher.ts'
import type { Logger } from '../interfaces/logger.ts'
import type { Connection } from '../interfaces/transport.ts'
import type { EventLog } from '../log/event-log.ts'
import type { IncomingEntry, RemoteSubmission } from '../log/submission.ts'
import type { Hello, PeerState, Reject, SessionClose, SessionOutput } from '../sync/io.ts'
import { SyncSession } from '../sync/session.ts'
import { checkEntry, denyEntry } from './incoming.ts'
import { digestAnswer, digestMatches } from './link-digest.ts'
import { readFor } from './outgoing.ts'
import { PeerMemory } from './peer-memory.ts'
import type { PeerStream } from './peer-stream.ts'
import { StreamTable } from './stream-table.ts'

/** What a link tells its replica. */
export interface LinkEvents {
  established(link: PeerLink): void
  acknowledged(peer: ReplicaId, received: Position, durable: Position): void
  rejected(peer: ReplicaId, rejects: readonly Reject[]): void
  signal(link: PeerLink, key: string, value: Uint8Array | undefined): void
  stream(link: PeerLink, protocol: string, head: Uint8Array, stream: PeerStream): void
}

export interface LinkOptions {
  readonly role: 'dialer' | 'accepter'
  readonly connection: Connection
  /** Who is at the other end, as authenticated. */
  readonly principal: Principal
  readonly log: EventLog
  readonly policy: Policy
  readonly clock: Clock
  readonly sha256: Sha256
  readonly logger: Logger
  readonly events: LinkEvents
  /** Dialer: what to ask for, and what is remembered of the peer from before. */
  readonly subscriptions: readonly CollectionId[]
  readonly peer: PeerState | undefined
  /** What the peer is to see of our signals from the start. */
  readonly signals: ReadonlyMap<string, Uint8Array>
}

/**
 * Pumps one connection through one session: does what the session says, in its order, and tells it what
 * came of it. All decisions of the protocol are in the session, all of storage in the log.
 */
export class PeerLink {
  readonly principal: Principal
  /** Resolves when the link is over, with the reason. Never rejects. */
  readonly closed: Promise<SessionClose>
  peer: ReplicaId | undefined
  granted: readonly CollectionId[] = []
  readonly streams: StreamTable
  readonly #options: LinkOptions
  readonly #session: SyncSession
  readonly #logger: Logger
  readonly #memory: PeerMemory
  #deadline: { atMs: number; cancel: Cancel } | undefined
  #draining = false
  #over = false
  #end: (reason: SessionClose) => void = () => undefined

  constructor(options: LinkOptions) {
    this.#options = options
    this.principal = options.principal
    const { log, connection, role } = options
    this.#logger = options.logger.child({
      remote: connection.remoteAddress,
      principal: options.principal,
    })
    this.#memory = new PeerMemory(log, options.clock, this.#logger)
    this.#session = new SyncSession({ role, replica: log.replica, epoch: log.epoch })
    this.streams = new StreamTable({
      write: (stream, bytes) =>
        this.#tell((now) => this.#session.writeStream(stream, bytes, now)) ?? false,
      end: (stream) => this.#tell((now) => this.#session.endStream(stream, now)),
      reset: (stream, code, message) =>
        this.#tell((now) => this.#session.resetStream(stream, code, message, now)),
      consumed: (stream, bytes) => this.#tell((now) => this.#session.consumed(stream, bytes, now)),
    })
    this.closed = new Promise((resolve) => {
      this.#end = resolve
    })
    for (const [key, value] of options.signals) this.setSignal(key, value)
    if (role === 'dialer') {
      const { peer, subscriptions } = options
      this.#tell((now) => this.#session.start({ peer, subscriptions, head: log.head }, now))
    } else {
      this.#tell((now) => this.#session.accept(now))
    }
    void this.#pump()
  }

  /** The log grew in a collection that this link shares. */
  grew(head: Position): void {
    this.#tell((now) => this.#session.handleLogGrew(head, now))
  }

  subscribe(collections: readonly CollectionId[]): void {
    this.#tell((now) => this.#session.subscribe(collections, now))
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

  async #pump(): Promise<void> {
    const { connection, clock } = this.#options
    let failure: unknown
    try {
      for await (const message of connection) {
        if (this.#over) break
        this.#session.handleMessage(message, clock.monotonicMs())
        this.#drain()
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
      this.#schedule()
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
        return this.#send(output.bytes)
      case 'hello':
        return this.#admit(output.hello)
      case 'subscribe':
        return this.#grant(output.token, output.collections)
      case 'established':
        this.peer = output.peer
        this.granted = output.granted
        for (const refusal of output.refused)
          this.#logger.warn('a subscription was refused', { ...refusal })
        events.established(this)
        // Until now nobody told this link of our edits: what came during the handshake is not lost.
        return this.#session.handleLogGrew(log.head, this.#options.clock.monotonicMs())
      case 'read':
        return this.#read(output)
      case 'append':
        return this.#append(output)
      case 'digest':
        return this.#answer(
          output.token,
          digestAnswer(log, this.granted, this.peer),
          (answer, now) => this.#session.handleDigest(output.token, answer, now),
        )
      case 'verify': {
        const equal = digestMatches(log, this.#options.sha256, this.granted, this.peer, output)
        return this.#answer(output.token, equal, (answer, now) =>
          this.#session.handleVerified(output.token, answer, now),
        )
      }
      case 'acknowledged':
        this.#memory.soon(output.peer)
        return events.acknowledged(output.peer.replica, output.received, output.durable)
      case 'rejected':
        return events.rejected(this.peer ?? '', output.rejects)
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

  #send(bytes: Uint8Array): void {
    const { connection } = this.#options
    let writable: boolean
    try {
      writable = connection.send(bytes)
    } catch (error) {
      this.#logger.debug('a message could not be sent', { error })
      return
    }
    if (writable) return
    this.#session.handleWritable(false, this.#options.clock.monotonicMs())
    connection.drained().then(
      () => this.#tell((now) => this.#session.handleWritable(true, now)),
      () => undefined,
    )
  }

  #admit(hello: Hello): void {
    const { policy, principal, log } = this.#options
    const denial = policy.mayConnect?.(principal, hello.replica)
    if (denial !== undefined) {
      const reason = { ...denial, retryable: false, retryAfterMs: undefined }
      return this.#later((now) => this.#session.refuse(reason, now))
    }
    const granted = hello.subscriptions.filter((collection) =>
      policy.mayRead(principal, collection),
    )
    const refused = hello.subscriptions
      .filter((collection) => !granted.includes(collection))
      .map((collection) => ({
        collection,
        code: 'ACCESS_DENIED' as const,
        message: 'the policy does not allow this',
      }))
    const peer = log.peer(hello.replica) ?? fresh(hello.replica)
    this.peer = hello.replica
    this.granted = granted
    this.#later((now) =>
      this.#session.handleAdmission({ peer, granted, refused, head: log.head }, now),
    )
  }

  /** The peer wants to share more. */
  #grant(token: number, asked: readonly CollectionId[]): void {
    const { policy, principal } = this.#options
    const granted = asked.filter((collection) => policy.mayRead(principal, collection))
    this.#later((now) => this.#session.handleGrant(token, granted, [], now))
  }

  #read(output: Extract<SessionOutput, { type: 'read' }>): void {
    const { token } = output
    // A dialer reads before it knows who answers: what came from the peer that it expects stays here.
    const peer = this.peer ?? this.#options.peer?.replica
    const answer = readFor(this.#options.log, output, peer)
    this.#answer(token, answer, (result, now) => this.#session.handleRead(token, result, now))
  }

  #append(output: Extract<SessionOutput, { type: 'append' }>): void {
    const { log, sha256 } = this.#options
    const { token, peer } = output
    this.#memory.forget()
    let entries: readonly IncomingEntry[]
    try {
      entries = output.entries.map((entry) => checkEntry(entry, sha256))
    } catch (error) {
      return this.#later((now) => this.#session.handleFailed(token, asError(error), now))
    }
    const check: RemoteSubmission['check'] = (entry, home, record) =>
      denyEntry(this.#options, this.granted, entry, home, record)
    const stored = log.commit({ type: 'remote', from: peer.replica, entries, peer, check })
    this.#answer(token, stored, ({ rejects }, now) =>
      this.#session.handleAppended(token, { rejects }, now),
    )
  }

  /** Gives the session an answer when it is there, or the reason why there is none. */
  #answer<T>(token: number, answer: Promise<T>, give: (answer: T, nowMs: number) => void): void {
    answer.then(
      (value) => this.#tell((now) => give(value, now)),
      (error: unknown) => {
        this.#logger.warn('a question of a session could not be answered', { error })
        this.#tell((now) => this.#session.handleFailed(token, asError(error), now))
      },
    )
  }

  /** For answers that are known at once: outputs are done in order, so the session is told afterwards. */
  #later(input: (nowMs: number) => void): void {
    queueMicrotask(() => this.#tell(input))
  }

  #schedule(): void {
    const { clock } = this.#options
    const atMs = this.#session.deadlineMs
    if (atMs === this.#deadline?.atMs) return
    this.#deadline?.cancel()
    this.#deadline = undefined
    if (atMs === undefined) return
    const delay = Math.max(0, atMs - clock.monotonicMs())
    const cancel = clock.schedule(delay, () => {
      this.#deadline = undefined
      this.#tell((now) => this.#session.handleTimeout(now))
    })
    this.#deadline = { atMs, cancel }
  }

  #close(reason: SessionClose): void {
    this.#finish(reason)
    void this.#options.connection.close()
  }

  #finish(reason: SessionClose): void {
    if (this.#over) return
    this.#over = true
    this.#deadline?.cancel()
    this.#memory.now()
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

function asError(error: unknown): TidewayError {
  if (isTidewayError(error)) return error
  return new ProtocolError(
    'PROTOCOL_REMOTE',
    error instanceof Error ? error.message : 'unknown failure',
  )
}
