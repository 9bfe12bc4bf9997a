import type { CollectionId, Position, ReplicaId } from '../../src/core/ids.ts'
import type {
  PeerState,
  Refusal,
  Reject,
  SessionClose,
  SessionOutput,
  WireEntry,
} from '../../src/core/sync/io.ts'
import type { SessionLimits } from '../../src/core/sync/limits.ts'
import { SyncSession } from '../../src/core/sync/session.ts'
import { tinyPage, tinyStep } from './tiny-reconcile.ts'
import { hashOf, TinyReplica } from './tiny-replica.ts'

/** One end of a conversation: a session, its replica, and everything that the session said. */
export class End {
  readonly session: SyncSession
  readonly replica: TinyReplica
  readonly outputs: SessionOutput[] = []
  readonly sent: Uint8Array[] = []
  /** Messages on their way to the other end. */
  readonly wire: Uint8Array[] = []
  readonly rejected: Reject[] = []
  readonly established: (readonly CollectionId[])[] = []
  readonly refused: Refusal[] = []
  readonly acknowledged: Position[] = []
  reads = 0
  closed: SessionClose | undefined
  /** How far the peer has read of our log, past its end. */
  lost: Position | undefined
  /** Appends wait until the test lets them through. */
  slowDisk = false
  readonly waiting: (() => void)[] = []

  constructor(role: 'dialer' | 'accepter', replica: TinyReplica, limits: Partial<SessionLimits>) {
    this.replica = replica
    this.session = new SyncSession({ role, replica: replica.name, epoch: replica.epoch, limits })
  }

  get bytesSent(): number {
    return this.sent.reduce((sum, message) => sum + message.length, 0)
  }

  /** Does what the session says until it says nothing. */
  drain(nowMs: number): void {
    for (let output = this.session.poll(); output !== undefined; output = this.session.poll()) {
      this.outputs.push(output)
      this.#perform(output, nowMs)
    }
  }

  #perform(output: SessionOutput, nowMs: number): void {
    const { session, replica } = this
    switch (output.type) {
      case 'send':
        this.sent.push(output.bytes)
        this.wire.push(output.bytes)
        return
      case 'hello': {
        const { subscriptions } = output.hello
        const granted = subscriptions.filter((name) => replica.shares.has(name))
        const peer = replica.peers.get(output.hello.replica) ?? fresh(output.hello.replica)
        const { head } = replica
        const held = replica.held(granted)
        session.handleAdmission({ peer, granted, refused: [], held, head }, nowMs)
        return
      }
      case 'subscribe': {
        const granted = output.collections.filter((name) => replica.shares.has(name))
        session.handleGrant(output.token, granted, [], nowMs, replica.held(granted))
        return
      }
      case 'established':
        this.established.push(output.granted)
        this.refused.push(...output.refused)
        return
      case 'read':
        return this.#read(output, nowMs)
      case 'deliver': {
        const page = tinyPage(replica, output.deliveries, output.after)
        session.handleDelivered(output.token, page, nowMs)
        return
      }
      case 'reconcile':
        session.handleReconciled(output.token, tinyStep(replica, output.step), nowMs)
        return
      case 'lost':
        this.lost = output.position
        return
      case 'append':
        if (!this.slowDisk) return this.#append(output, nowMs)
        this.waiting.push(() => this.#append(output, nowMs))
        return
      case 'digest': {
        const cursor = session.peer?.cursor ?? 0
        const digest = replica.digest(session.granted)
        session.handleDigest(output.token, { digest, head: replica.head, cursor }, nowMs)
        return
      }
      case 'verify':
        session.handleVerified(output.token, this.#matches(output), nowMs)
        return
      case 'acknowledged':
        this.acknowledged.push(output.durable)
        replica.peers.set(output.peer.replica, output.peer)
        return
      case 'rejected':
        this.rejected.push(...output.rejects)
        for (const { hash } of output.rejects) if (hash !== undefined) replica.refused.add(hash)
        return
      case 'close':
        this.closed = output.reason
        return
      default:
        return
    }
  }

  #read(output: Extract<SessionOutput, { type: 'read' }>, nowMs: number): void {
    this.reads += 1
    const peer = this.session.peer?.replica ?? this.#dialled()
    const last = output.upTo ?? this.replica.head
    const entries: WireEntry[] = []
    let size = 0
    let position = output.after
    while (position < last && size < output.bytesMax) {
      const stored = this.replica.log[position]
      position += 1
      if (stored === undefined || !output.collections.includes(stored.entry.collection)) continue
      if (stored.from !== undefined && stored.from === peer) continue
      entries.push(stored.entry)
      size += stored.entry.bytes.length
    }
    const end = position >= last
    this.session.handleRead(
      output.token,
      { entries, upTo: Math.max(position, output.after), end },
      nowMs,
    )
  }

  /** A dialer reads before it knows the peer's name: it uses the one that it remembers. */
  #dialled(): ReplicaId | undefined {
    return this.replica.peers.keys().next().value
  }

  #append(output: Extract<SessionOutput, { type: 'append' }>, nowMs: number): void {
    const rejects: Reject[] = []
    for (const entry of output.entries) {
      const reject = this.replica.store(entry, output.peer.replica)
      if (reject !== undefined) rejects.push(reject)
    }
    this.replica.peers.set(output.peer.replica, output.peer)
    this.session.handleAppended(output.token, { rejects }, nowMs)
    if (this.closed === undefined) this.session.handleLogGrew(this.replica.head, nowMs)
  }

  /** Leaves out what we wrote or got elsewhere after `ours`. */
  #matches(output: Extract<SessionOutput, { type: 'verify' }>): boolean {
    const { replica, session } = this
    const peer = session.peer?.replica
    const then = new TinyReplica('then', [])
    replica.log.forEach(({ entry, from }, index) => {
      if (replica.refused.has(hashOf(entry))) return
      if (index < output.ours || from === peer) then.store(entry, undefined)
    })
    const digest = then.digest(session.granted)
    return digest.every((byte, index) => byte === output.digest[index])
  }
}

function fresh(replica: ReplicaId): PeerState {
  return { replica, epoch: undefined, cursor: 0, acked: 0, complete: [] }
}

export interface PairOptions {
  readonly subscriptions?: readonly CollectionId[]
  readonly dialerLimits?: Partial<SessionLimits>
  readonly accepterLimits?: Partial<SessionLimits>
}

/** Two sessions with a wire between them that delivers when it is told to. */
export class SessionPair {
  readonly dialer: End
  readonly accepter: End
  nowMs = 1_000

  constructor(dialer: TinyReplica, accepter: TinyReplica, options: PairOptions = {}) {
    this.dialer = new End('dialer', dialer, options.dialerLimits ?? {})
    this.accepter = new End('accepter', accepter, options.accepterLimits ?? {})
    this.accepter.session.accept(this.nowMs)
    const subscriptions = options.subscriptions ?? [...dialer.shares]
    const peer = dialer.peers.get(accepter.name)
    const held = dialer.held(subscriptions)
    this.dialer.session.start({ peer, subscriptions, held, head: dialer.head }, this.nowMs)
    this.dialer.drain(this.nowMs)
  }

  /** Delivers one message from each side; true when there was one. */
  step(): boolean {
    const forth = this.dialer.wire.shift()
    const back = this.accepter.wire.shift()
    if (forth !== undefined) this.#deliver(this.accepter, forth)
    if (back !== undefined) this.#deliver(this.dialer, back)
    return forth !== undefined || back !== undefined
  }

  #deliver(end: End, bytes: Uint8Array): void {
    end.session.handleMessage(bytes, this.nowMs)
    end.drain(this.nowMs)
  }

  /** Delivers until both sides are silent. Fails when they never are. */
  run(messagesMax = 10_000): this {
    for (let i = 0; i < messagesMax; i += 1) if (!this.step()) return this
    throw new Error('the two sides do not stop talking')
  }

  /** Lets time pass, calling both sides at their deadlines. */
  pass(ms: number): void {
    const end = this.nowMs + ms
    while (true) {
      const due = [this.dialer, this.accepter]
        .map((side) => side.session.deadlineMs)
        .filter((at): at is number => at !== undefined && at <= end)
      if (due.length === 0) break
      this.nowMs = Math.max(this.nowMs, Math.min(...due))
      for (const side of [this.dialer, this.accepter]) {
        if ((side.session.deadlineMs ?? Number.POSITIVE_INFINITY) > this.nowMs) continue
        side.session.handleTimeout(this.nowMs)
        side.drain(this.nowMs)
      }
      this.run()
    }
    this.nowMs = end
  }

  /** Writes at one side and tells its session. */
  write(side: End, collection: CollectionId, document: string, text: string | Uint8Array): void {
    side.replica.write(collection, document, text)
    side.session.handleLogGrew(side.replica.head, this.nowMs)
    side.drain(this.nowMs)
  }

  /** The connection breaks; what was under way is lost. */
  cut(): void {
    for (const side of [this.dialer, this.accepter]) {
      side.wire.length = 0
      side.session.handleClosed(this.nowMs)
      side.drain(this.nowMs)
    }
  }

  get bytes(): number {
    return this.dialer.bytesSent + this.accepter.bytesSent
  }

  get messages(): number {
    return this.dialer.sent.length + this.accepter.sent.length
  }
}
