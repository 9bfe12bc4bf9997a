import { change, free, getLastLocalChange, init } from '@automerge/automerge'
import { ProtocolError, type TidewayError } from '../../src/core/errors.ts'
import type { DocumentId, EventHash, ReplicaId } from '../../src/core/ids.ts'
import { actorOf } from '../../src/core/log/authors.ts'
import { packEvents } from '../../src/core/log/entry.ts'
import { readEvent } from '../../src/core/log/event.ts'
import { makeBeginning } from '../../src/core/log/generation-beginning.ts'
import { cutActor, rewriteActor } from '../../src/core/log/generation-origin.ts'
import type { WireEntry } from '../../src/core/sync/io.ts'
import type { EventsFrame, Frame } from '../../src/core/sync/message.ts'
import { craftChange, repeatedOperation } from '../support/crafted-events.ts'
import { askRanges, eventsFrame, helloFrame, wireEntry } from '../support/raw-peer.ts'
import type { SeededRandom } from './random.ts'
import { nativeSha256 } from './simulator.ts'
import { CLOUD, edgeName, HOSTILE, ownCollection, SHARED } from './topology.ts'

/** What the hostile machine knows of others, to lie about it. */
export interface Heard {
  readonly events: WireEntry[]
  readonly hashes: EventHash[]
  readonly actors: string[]
  readonly epochs: Map<ReplicaId, string>
  readonly heads: Map<ReplicaId, number>
}

/** Told of each event that nobody may take, with who it says that wrote it. */
export type Lied = (document: DocumentId, hash: EventHash, actor: string) => void

const OWN = ownCollection(HOSTILE)
const ALL: readonly string[] = [SHARED, OWN, ownCollection(edgeName(1)), ownCollection(edgeName(2))]

/** Everything that the hostile machine says, chosen by the seed. */
export class HostileWords {
  readonly #random: SeededRandom
  readonly #heard: Heard
  readonly #lied: Lied
  readonly #epoch = '00112233445566aa'
  readonly #actor: string
  /** By document: the hashes of what it wrote itself, one after the other. */
  readonly #written = new Map<DocumentId, EventHash[]>()
  #stream = 1
  #question = 1
  #lies = 0
  #upTo = 0

  constructor(random: SeededRandom, heard: Heard, lied: Lied) {
    this.#random = random
    this.#heard = heard
    this.#lied = lied
    this.#actor = actorOf({ replica: HOSTILE, epoch: this.#epoch }, 0, 0, nativeSha256)
  }

  isOwn(actor: string): boolean {
    return actor === this.#actor
  }

  goodbye(): TidewayError {
    return new ProtocolError('PROTOCOL_REMOTE', 'it has had enough')
  }

  /** The first words of a connection. */
  greeting(direction: 'inbound' | 'outbound', target: ReplicaId): readonly Frame[] {
    const random = this.#random
    const replica = random.chance(0.9) ? HOSTILE : random.pick([CLOUD, edgeName(1), edgeName(2)])
    const epoch = random.chance(0.95) ? this.#epoch : 'ffeeddccbbaa9988'
    const head = this.#position(target)
    const cursor = this.#position(target)
    const credit = random.pick([0, 1 << 20, 1 << 20, 2 ** 40])
    if (direction === 'inbound') {
      const backfill = random.chance(0.5) ? [0] : []
      const reconcile = random.chance(0.3) ? [0] : []
      const acked = random.chance(0.2) ? this.#position(target) : undefined
      const rest = { refused: [], backfill, reconcile, acked }
      return [{ type: 'welcome', version: 1, replica, epoch, head, cursor, credit, ...rest }]
    }
    const subscriptions = random.chance(0.7) ? [SHARED, OWN] : ALL
    const peerEpoch = random.chance(0.7) ? this.#heard.epochs.get(target) : undefined
    const incomplete = subscriptions.map((_, i) => i).filter(() => random.chance(0.7))
    const hello = { epoch, head, cursor, peerEpoch, acked: this.#position(target), credit }
    return [helloFrame(replica, { ...hello, subscriptions, incomplete })]
  }

  /** A place in the log of a peer: right, or past every end. */
  #position(target: ReplicaId): number {
    const head = this.#heard.heads.get(target) ?? 0
    return this.#random.pick([0, 1, head, head, head + 1, head + 1_000, 2 ** 31])
  }

  /** Some frames, each valid by itself. */
  next(target: ReplicaId): readonly Frame[] {
    const random = this.#random
    const kind = random.below(20)
    if (kind < 9) return [this.#events()]
    switch (kind) {
      case 9:
        return [this.#ack(target)]
      case 10: {
        const [ours, theirs] = [this.#position(target), this.#position(target)]
        const attempt = random.below(4)
        return [{ type: 'check', attempt, digest: this.#bytes(16), ours, theirs }]
      }
      case 11:
        return [this.#rejects()]
      case 12:
        return [askRanges([random.pick(ALL)], this.#next())]
      case 13:
        return [this.#tellRanges()]
      case 14:
        return [this.#askEntries()]
      case 15:
        return [this.#tellEntries()]
      case 16:
        return this.#manyStreams()
      case 17:
        return this.#manySignals()
      case 18:
        return [
          { type: 'subscribe', collections: [random.pick(ALL), `made-up-${random.below(9)}`] },
        ]
      default:
        return this.#oddity(target)
    }
  }

  #next(): number {
    this.#question += 1
    return this.#random.chance(0.8) ? this.#question : this.#random.below(9)
  }

  #ack(target: ReplicaId): Frame {
    const credit = this.#random.pick([0, 1 << 20, 2 ** 40])
    const [received, durable, upTo] = [1, 2, 3].map(() => this.#position(target))
    const filled = this.#random.chance(0.3) ? [SHARED, OWN] : []
    return { type: 'ack', received, durable, upTo, credit, filled } as Frame
  }

  #rejects(): Frame {
    const { hashes, events } = this.#heard
    const one = events.length > 0 ? this.#random.pick(events) : undefined
    const document = one?.document ?? this.#document(SHARED)
    const hash =
      hashes.length > 0 && this.#random.chance(0.8) ? this.#random.pick(hashes) : undefined
    const code = this.#random.pick([
      'ACCESS_DENIED',
      'ACCESS_AUTHOR',
      'ACCESS_EQUIVOCATION',
    ] as const)
    // It keeps to which kinds have a hash: else the session ends at once. Not drawn, as all else is.
    const others = ['tombstone', 'join', 'leave'] as const
    const other = others[document.length % others.length] ?? 'join'
    const kind = hash === undefined ? other : hash < '8' ? 'event' : 'base'
    return { type: 'rejects', rejects: [{ document, kind, hash, code, message: 'no' }] }
  }

  #tellRanges(): Frame {
    const fingerprint = this.#bytes(8)
    const document = this.#document(this.#random.pick([SHARED, OWN]))
    const answers = [
      { kind: 'equal' as const },
      { kind: 'documents' as const, documents: [{ document, fingerprint }] },
      {
        kind: 'parts' as const,
        parts: [
          { to: 'm', fingerprint },
          { to: undefined, fingerprint },
        ],
      },
    ]
    const question = this.#random.below(4)
    return { type: 'tell-ranges', question, answers: [this.#random.pick(answers)] }
  }

  #askEntries(): Frame {
    const collection = this.#random.pick([SHARED, OWN])
    const home = this.#random.pick(['here', 'none', 'left'] as const)
    const names = this.#random.chance(0.5) ? this.#bytes(16) : undefined
    const state = { home, generation: this.#random.below(3), moves: this.#random.below(2), names }
    const documents = [{ document: this.#document(collection), ...state }]
    return { type: 'ask-entries', question: this.#next(), collection, documents }
  }

  #tellEntries(): Frame {
    const document = this.#document(this.#random.pick([SHARED, OWN]))
    const whole = this.#random.chance(0.5)
    const wants = [{ document, whole, names: undefined }]
    const question = this.#random.below(4)
    return { type: 'tell-entries', question, follows: this.#random.chance(0.5), wants }
  }

  #manyStreams(): readonly Frame[] {
    const frames: Frame[] = []
    for (let i = this.#random.pick([1, 30, 300]); i > 0; i -= 1) {
      const stream = this.#stream
      this.#stream += 2
      const protocol = this.#random.pick(['count', 'none'])
      frames.push({ type: 'stream-open', stream, protocol, head: this.#bytes(4) })
      if (this.#random.chance(0.5))
        frames.push({ type: 'stream-bytes', stream, bytes: this.#bytes(9) })
    }
    return frames
  }

  #manySignals(): readonly Frame[] {
    const value = this.#random.chance(0.8) ? this.#bytes(20) : undefined
    return Array.from({ length: this.#random.pick([1, 20, 1_100]) }, (_, i): Frame => {
      return { type: 'signal', key: `count/${HOSTILE}/${i}`, value }
    })
  }

  #oddity(target: ReplicaId): readonly Frame[] {
    const zeros = new Uint8Array(this.#random.pick([1, 100, 120_000]))
    return [
      this.#random.pick<Frame>([
        { type: 'part', bytes: zeros },
        { type: 'packed', packing: 1, length: 2 ** 31, bytes: zeros },
        { type: 'pong' },
        { type: 'grant', granted: [...ALL], refused: [] },
        { type: 'stream-credit', stream: this.#random.below(9), credit: 2 ** 40 },
        { type: 'close', code: 'CLOSED', message: '', retryable: true, retryAfterMs: 2 ** 31 },
        ...this.greeting('outbound', target),
      ]),
    ]
  }

  /** Entries, with whatever around them. */
  #events(): EventsFrame {
    const random = this.#random
    const entries = Array.from({ length: 1 + random.below(3) }, () => this.#entry())
    const frame = eventsFrame(...entries)
    const final = random.chance(0.3)
    if (random.chance(0.2)) return { ...frame, final, answer: random.below(4) }
    if (random.chance(0.2)) return { ...frame, final, backfill: random.pick([SHARED, OWN]) }
    const after = random.chance(0.8) ? this.#upTo : random.below(2_000)
    this.#upTo = after + random.below(3)
    return { ...frame, final, after, upTo: this.#upTo }
  }

  #entry(): WireEntry {
    const random = this.#random
    const document = this.#document(random.pick([SHARED, OWN, OWN]))
    const collection = document.startsWith(OWN) ? OWN : SHARED
    switch (random.below(12)) {
      case 0:
      case 1:
        return wireEntry('event', document, collection, this.#own(document))
      case 2:
        return wireEntry('event', document, collection, this.#equivocation(document))
      case 3:
        return wireEntry('event', document, collection, this.#foreign(document))
      case 4:
        return this.#replayed()
      case 5:
        return wireEntry('event', document, random.pick(ALL), this.#foreign(document))
      case 6:
        return this.#base(document, collection)
      case 7:
        return wireEntry('event', document, collection, this.#marked(document))
      case 8:
        return wireEntry(random.pick(['tombstone', 'leave']), document, collection)
      case 9: {
        const events = packEvents([this.#foreign(document)])
        return wireEntry(random.pick(['join', 'snapshot']), document, random.pick(ALL), events)
      }
      case 10: {
        const columns = repeatedOperation(random.pick([1e9, 2 ** 52]))
        return wireEntry('event', document, collection, craftChange({ columns }))
      }
      default: {
        const generation = random.pick([0, 2, 2 ** 32 + 7, 2 ** 40])
        const bytes = this.#foreign(document)
        return { ...wireEntry('event', document, collection, bytes), generation }
      }
    }
  }

  /** Its next event in a document, as an honest machine would write it. */
  #own(document: DocumentId): Uint8Array {
    const written = this.#written.get(document) ?? []
    this.#written.set(document, written)
    const last = written.at(-1)
    const bytes = this.#change(document, this.#actor, written.length + 1, last)
    written.push(readEvent(bytes, nativeSha256).hash)
    return bytes
  }

  /** Another event for a place that is taken, by itself. */
  #equivocation(document: DocumentId): Uint8Array {
    const written = this.#written.get(document) ?? []
    const index = this.#random.below(Math.max(written.length, 1))
    return this.#change(document, this.#actor, index + 1, written[index - 1])
  }

  #change(document: DocumentId, actor: string, sequence: number, parent?: EventHash): Uint8Array {
    const columns = repeatedOperation(1, this.#random.pick(['x', 'y', 'name', 'note']))
    const parents = parent === undefined ? [] : [parent]
    const bytes = craftChange({ columns, actor, sequence, startOp: sequence, parents })
    if (!document.startsWith(OWN)) this.#lie(document, bytes)
    return bytes
  }

  /** In the name of an honest machine, or of nobody that is known. */
  #foreign(document: DocumentId): Uint8Array {
    const random = this.#random
    const { actors, hashes } = this.#heard
    const actor = actors.length > 0 && random.chance(0.8) ? random.pick(actors) : 'ab'.repeat(8)
    const sequence = 1 + random.below(12)
    const parents = hashes.length > 0 && random.chance(0.5) ? [random.pick(hashes)] : []
    const columns = repeatedOperation(1, `lie-${random.below(99)}`)
    const startOp = 1 + random.below(50)
    const bytes = craftChange({ columns, actor, sequence, startOp, parents })
    this.#lie(document, bytes)
    return bytes
  }

  /** What an honest machine wrote, as it was or as if it belonged elsewhere. */
  #replayed(): WireEntry {
    const { events } = this.#heard
    if (events.length === 0) return wireEntry('tombstone', this.#document(SHARED), SHARED)
    const entry = this.#random.pick(events)
    if (this.#random.chance(0.5) || entry.kind !== 'event') return entry
    this.#lies += 1
    const document = `${OWN}/lie-${this.#lies}`
    const { actor } = readEvent(entry.bytes, nativeSha256)
    if (!this.isOwn(actor)) this.#lie(document, entry.bytes)
    return { ...entry, document, collection: OWN }
  }

  /** A base that forgets whatever others wrote. */
  #base(document: DocumentId, collection: string): WireEntry {
    const cuts = 1 + this.#random.below(4)
    const actor = cutActor(document, cuts, nativeSha256)
    const state = craftChange({ columns: repeatedOperation(1, 'forged'), actor })
    const made = { bytes: state, header: readEvent(state, nativeSha256) }
    const reach = new Map(
      this.#heard.actors.map((name) => [name, { generation: 1, sequence: 999 }] as const),
    )
    const { generation, bytes, hash } = makeBeginning(cuts, reach, made, nativeSha256)
    this.#lied(document, hash, '')
    return { ...wireEntry('base', document, collection, bytes), generation }
  }

  /** An event that says that it writes another one again. */
  #marked(document: DocumentId): Uint8Array {
    const { actors, hashes } = this.#heard
    const actor = actors.length > 0 ? this.#random.pick(actors) : this.#actor
    const hash = hashes.length > 0 ? this.#random.pick(hashes) : 'ab'.repeat(32)
    const from = this.#random.pick([1, 2 ** 32 + 5])
    const writer = this.#random.chance(0.7)
      ? rewriteActor(actor, { generation: from }, 1, nativeSha256)
      : this.#actor
    const message = `\nrebased ${hash} ${from} ${actor}/${1 + this.#random.below(20)} 80`
    const doc = change(
      init<Record<string, number>>({ actor: writer }),
      { time: 0, message },
      (it) => {
        it['marked'] = this.#random.below(9)
      },
    )
    const bytes = getLastLocalChange(doc) ?? new Uint8Array(0)
    free(doc)
    if (writer !== this.#actor || !document.startsWith(OWN)) this.#lie(document, bytes)
    return bytes
  }

  #lie(document: DocumentId, bytes: Uint8Array): void {
    const { hash, actor } = readEvent(bytes, nativeSha256)
    this.#lied(document, hash, actor)
  }

  #document(collection: string): DocumentId {
    return `${collection}/doc-${this.#random.below(3)}`
  }

  #bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length)
    this.#random.fill(bytes)
    return bytes
  }

  /** The same message, sometimes with flipped bits or cut short. */
  damaged(message: Uint8Array, probability: number): Uint8Array {
    const random = this.#random
    if (!random.chance(probability) || message.length === 0) return message
    if (random.chance(0.3)) return message.slice(0, random.below(message.length))
    const bytes = message.slice()
    for (let i = random.pick([1, 1, 8]); i > 0; i -= 1) {
      const at = random.below(bytes.length)
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
    }
    return bytes
  }
}
