import type {
  CollectionId,
  DocumentId,
  EventHash,
  Position,
  ReplicaId,
} from '../../src/core/ids.ts'
import type { StoredEntry } from '../../src/core/log/entry.ts'
import { readEvent } from '../../src/core/log/event.ts'
import { DEFAULT_LIMITS, INITIAL_CREDIT_BYTES } from '../../src/core/sync/limits.ts'
import type { AckFrame, EventsFrame, Frame } from '../../src/core/sync/message.ts'
import { type DecodedFrame, decodeMessage } from '../../src/core/sync/message-codec.ts'
import { nodeCompression } from '../../src/node/index.ts'
import type { AccessChecker } from './checkers-access.ts'
import type { DurabilityChecker, Promised } from './checkers-durability.ts'
import type { GenerationChecker } from './checkers-generations.ts'
import type { MemoryChecker } from './checkers-memory.ts'
import type { NetworkWatcher } from './network.ts'
import { type Machine, nativeSha256 } from './simulator.ts'
import { HOSTILE, isHarmed } from './topology.ts'
import { eventKey, type World } from './world.ts'

/** Those whose invariants show on links too. */
export interface Others {
  readonly durability: DurabilityChecker
  readonly access: AccessChecker
  readonly memory: MemoryChecker
  readonly generations: Pick<GenerationChecker, 'firstKey'>
}

/** What going on with the logs has cost in one direction. */
export interface Cost {
  readonly messages: number
  readonly bytes: number
}

const NO_COST: Cost = { messages: 0, bytes: 0 }

/** Frames that say nothing about the logs. */
const ASIDE: ReadonlySet<Frame['type']> = new Set(['ping', 'pong', 'signal'])

/** One direction of one connection. */
interface Way {
  readonly from: ReplicaId
  readonly to: ReplicaId
  readonly isDialer: boolean
  /** How often each event was sent. */
  readonly sent: Map<string, number>
  /** Sent before the accepter had said from where it reads: this may come again, once. */
  readonly early: Set<string>
  /** Since both began to send everything again, by the rules of the protocol. */
  reconciling: boolean
  /** Bytes of the log that were sent, and that were read at the other end. */
  bytes: number
  readBytes: number
  /** What the receiver had granted, by what it said. */
  granted: number
}

/** An event that was sent, and what acknowledges it: a position, or the end of a backfill. */
interface Underway extends Promised {
  readonly position: Position
  readonly backfill: CollectionId | undefined
  /** Over which connection. */
  readonly way: Way
}

interface Talk {
  readonly out: Way
  readonly back: Way
}

/**
 * Reads everything that is said on every link.
 *
 * I4: an event goes over a connection at most once a direction, and never back to who gave it. I1: what
 * a machine acknowledges as durable is a promise. I5: nobody sends more of its log than was granted, or
 * grants more than a window. I6: nobody is sent what it may not read.
 */
export class LinkChecker implements NetworkWatcher {
  readonly #world: World
  readonly #others: Others
  readonly #talks: Map<number, Talk> = new Map()
  /** By machine: where each event stands in its log, and who gave it. */
  readonly #places: Map<ReplicaId, Map<string, StoredEntry>> = new Map()
  /** By link, as `from>to`: events that were sent and not acknowledged as durable yet. */
  readonly #open: Map<string, Map<string, Underway>> = new Map()
  /** By machine: where the generation of a document begins in its log, if its history was cut. */
  readonly #begun: Map<ReplicaId, Map<DocumentId, Position>> = new Map()
  /** Events that a machine did not take, by its name and their keys. */
  readonly #refused: Set<string> = new Set()
  /** Whether messages are read at all: it costs a third of a run. */
  enabled = true
  /** By direction, as `from>to`: what was said about the log since the last {@link reset}. */
  readonly costs: Map<string, Cost> = new Map()

  constructor(world: World, others: Others) {
    this.#world = world
    this.#others = others
  }

  reset(): void {
    this.costs.clear()
  }

  opened(connection: number, dialer: ReplicaId, accepter: ReplicaId): void {
    this.#talks.set(connection, {
      out: newWay(dialer, accepter, true),
      back: newWay(accepter, dialer, false),
    })
  }

  appended(machine: Machine, entries: readonly StoredEntry[]): void {
    const places = this.#places.get(machine.name) ?? new Map<string, StoredEntry>()
    this.#places.set(machine.name, places)
    const begun = this.#begun.get(machine.name) ?? new Map<DocumentId, Position>()
    this.#begun.set(machine.name, begun)
    for (const entry of entries) {
      if (entry.hash !== undefined) places.set(eventKey(entry.document, entry.hash), entry)
      if (entry.kind === 'base') begun.set(entry.document, entry.position)
    }
  }

  /** The log of a machine is shorter than it was: its positions mean something else from now on. */
  restored(machine: ReplicaId): void {
    this.#places.delete(machine)
    this.#begun.delete(machine)
    for (const link of [...this.#open.keys()]) {
      if (link.startsWith(`${machine}>`) || link.endsWith(`>${machine}`)) this.#open.delete(link)
    }
  }

  /** The event is taken out of the machine's log when that is found: it comes, and goes out, again. */
  damaged(machine: ReplicaId, key: string): void {
    this.#places.get(machine)?.delete(key)
    // What was on its way may not have arrived: who acknowledges more of the log from here on says nothing of it.
    for (const [link, open] of this.#open) if (link.startsWith(`${machine}>`)) open.delete(key)
    for (const { out, back } of this.#talks.values())
      for (const way of [out, back]) if (way.from === machine) way.sent.delete(key)
  }

  /** Events of these documents were taken off a log, as a peer refused them: they go out again when they come back. */
  takenBack(machine: ReplicaId, documents: readonly DocumentId[]): void {
    for (const { out, back } of this.#talks.values()) {
      const way = out.from === machine ? out : back
      if (way.from !== machine) continue
      for (const key of [...way.sent.keys()])
        if (documents.some((document) => key.startsWith(`${document} `))) way.sent.delete(key)
    }
  }

  sent(connection: number, from: ReplicaId, _to: ReplicaId, message: Uint8Array): void {
    const talk = this.#talks.get(connection)
    if (!this.enabled || talk === undefined) return
    const way = from === talk.out.from ? talk.out : talk.back
    const other = way === talk.out ? talk.back : talk.out
    const frames = framesOf(message)
    for (const { frame, byteLength } of frames) this.#sentFrame(way, other, frame, byteLength)
    if (frames.every(({ frame }) => ASIDE.has(frame.type))) return
    if (way.from === HOSTILE) return
    const link = `${way.from}>${way.to}`
    const { messages, bytes } = this.costs.get(link) ?? NO_COST
    this.costs.set(link, { messages: messages + 1, bytes: bytes + message.length })
  }

  #sentFrame(way: Way, other: Way, frame: Frame, byteLength: number): void {
    // Nobody but the one who grants suffers from what it grants; and whatever it says is no promise.
    if (way.from === HOSTILE) {
      if (frame.type === 'hello' || frame.type === 'welcome' || frame.type === 'ack')
        other.granted = Math.max(other.granted, frame.credit)
      return
    }
    switch (frame.type) {
      case 'hello':
        other.granted = frame.credit
        break
      case 'welcome':
        this.#granted(other, frame.credit)
        // What the dialer sent so far it sent without knowing from where.
        for (const key of other.sent.keys()) other.early.add(key)
        break
      case 'ask-ranges':
        way.reconciling = other.reconciling = true
        break
      case 'ack':
        this.#granted(other, frame.credit)
        this.#acknowledged(way, other, frame)
        break
      case 'rejects':
        if (way.to === HOSTILE) break
        for (const { document, hash } of frame.rejects) {
          const open = this.#open.get(`${other.from}>${other.to}`)
          if (hash === undefined) continue
          const key = eventKey(document, hash)
          open?.delete(key)
          this.#refused.add(`${way.from} ${key}`)
          // An event that was written again stands for the one that was sent first, and is there no more.
          this.#refused.add(`${way.from} ${this.#others.generations.firstKey(key)}`)
        }
        break
      case 'part':
        this.#used(way, byteLength)
        break
      case 'events':
        this.#used(way, byteLength)
        this.#sentEvents(way, frame)
        break
      default:
        break
    }
  }

  #used(way: Way, byteLength: number): void {
    way.bytes += byteLength
    const granted = way.isDialer ? Math.max(way.granted, INITIAL_CREDIT_BYTES) : way.granted
    if (way.bytes > granted) this.#others.memory.overdrawn(way.from, way.to, way.bytes, granted)
  }

  /** The receiver of `way` says how much its sender may have sent in all. */
  #granted(way: Way, total: number): void {
    way.granted = Math.max(way.granted, total)
    if (total > way.readBytes + DEFAULT_LIMITS.windowBytes)
      this.#others.memory.overgranted(way.to, way.from, total, way.readBytes)
  }

  #sentEvents(way: Way, frame: EventsFrame): void {
    const to = this.#world.machines().find(({ name }) => name === way.to)
    for (const { kind, document, collection, bytes } of frame.entries) {
      if (to !== undefined) this.#others.access.sent(way.from, to, collection)
      if (way.to === HOSTILE) this.#others.access.sentHostile(way.from, collection)
      // What a comparison of documents found missing may be on its way already.
      if (kind !== 'event' || typeof bytes === 'number' || frame.answer !== undefined) continue
      const { hash } = readEvent(bytes, nativeSha256)
      this.#sentEvent(way, { document, collection, hash }, frame.backfill)
    }
  }

  #sentEvent(way: Way, event: Promised, backfill: CollectionId | undefined): void {
    const { document, hash } = event
    const key = eventKey(document, hash)
    const count = (way.sent.get(key) ?? 0) + 1
    way.sent.set(key, count)
    if (
      way.reconciling ||
      way.to === HOSTILE ||
      isHarmed(document) ||
      // Who has the other of two events for one place refuses this one each time it finds it missing.
      this.#world.isContested(document) ||
      this.#world.hasMoved(document)
    )
      return
    if (count > (way.early.has(key) ? 2 : 1))
      this.#world.fail('I4', `${way.from} sent ${way.to} ${hash} of ${document} ${count} times`)
    const place = this.#places.get(way.from)?.get(key)
    if (place === undefined) return
    if (place.from === way.to)
      this.#world.fail('I4', `${way.from} sent ${way.to} back its ${hash} of ${document}`)
    const link = `${way.from}>${way.to}`
    const open = this.#open.get(link) ?? new Map<string, Underway>()
    this.#open.set(link, open)
    open.set(key, { ...event, position: place.position, backfill, way })
  }

  /** `way.from` says what it has of the other's log on its disk; `other` is what it was sent over this connection. */
  #acknowledged(way: Way, other: Way, { durable, filled }: AckFrame): void {
    const open = this.#open.get(`${way.to}>${way.from}`)
    for (const [key, promised] of open ?? []) {
      const { position, backfill } = promised
      if (backfill === undefined ? position > durable : !filled.includes(backfill)) continue
      open?.delete(key)
      // It was under way when its connection broke, and is not sent again: its generation was over at its sender.
      const begun = this.#begun.get(way.to)?.get(promised.document) ?? 0
      if (promised.way !== other && position < begun) continue
      if (this.#refused.has(`${way.from} ${key}`)) continue
      this.#others.durability.promise(way.from, promised)
    }
  }

  read(connection: number, from: ReplicaId, _to: ReplicaId, message: Uint8Array): void {
    const talk = this.#talks.get(connection)
    if (!this.enabled || talk === undefined) return
    const way = from === talk.out.from ? talk.out : talk.back
    for (const { frame, byteLength } of framesOf(message)) {
      if (frame.type === 'events' || frame.type === 'part') way.readBytes += byteLength
    }
  }

  /** Nothing is under way on these connections: the window is open again on each. */
  atRest(machines: readonly Machine[]): void {
    if (!this.enabled) return
    const last = new Map<string, Talk>()
    for (const talk of this.#talks.values()) last.set(`${talk.out.from}>${talk.out.to}`, talk)
    for (const { out, back } of last.values()) {
      const dialer = machines.find(({ name }) => name === out.from)
      if (dialer?.process?.uplinks.get(out.to)?.status.type !== 'connected') continue
      for (const way of [out, back]) {
        const open = way.granted - way.readBytes
        if (open < DEFAULT_LIMITS.windowBytes / 2)
          this.#others.memory.starved(way.to, way.from, way.granted, way.readBytes)
      }
    }
  }
}

const compression = nodeCompression()

/** The frames of a message, compressed or not. Nothing when it is none. */
function framesOf(message: Uint8Array): readonly DecodedFrame[] {
  const frames = decodeMessage(message).frames ?? []
  return frames.flatMap((decoded) => {
    const { frame } = decoded
    if (frame.type !== 'packed') return [decoded]
    const bytes = compression.decompress(frame.bytes, frame.length)
    return bytes instanceof Uint8Array ? (decodeMessage(bytes).frames ?? []) : []
  })
}

function newWay(from: ReplicaId, to: ReplicaId, isDialer: boolean): Way {
  return {
    from,
    to,
    isDialer,
    sent: new Map<EventHash, number>(),
    early: new Set(),
    reconciling: false,
    bytes: 0,
    readBytes: 0,
    granted: 0,
  }
}
