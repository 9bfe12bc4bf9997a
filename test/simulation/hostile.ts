import type { ReplicaId } from '../../src/core/ids.ts'
import type { Connection } from '../../src/core/interfaces/transport.ts'
import { readEvent } from '../../src/core/log/event.ts'
import type { Frame } from '../../src/core/sync/message.ts'
import { decodeMessage, encodeFrame } from '../../src/core/sync/message-codec.ts'
import { type Heard, HostileWords, type Lied } from './hostile-words.ts'
import type { SeededRandom } from './random.ts'
import { nativeSha256, type Simulator } from './simulator.ts'
import { HOSTILE } from './topology.ts'

/** Connections that it keeps open at once. */
const OPEN_MAX = 4

/** What it remembers of what it heard: messages to play again, and events to lie about. */
const HEARD_MAX = 40

/** How the hostile machine of a world behaves. */
interface Manner {
  /** How often it does something, a step. */
  readonly eager: number
  /** Whether it answers who dials it. */
  readonly listens: boolean
  /** Whether it reads what it is sent. */
  readonly reads: boolean
}

/** One connection of it, to an honest machine. */
interface Talk {
  readonly connection: Connection
  readonly target: ReplicaId
  greeted: boolean
}

/**
 * A machine that is authenticated, and says whatever harms: it reads what all share, and writes what is its
 * own. Everything that it says is decided by the seed.
 */
export class Hostile {
  readonly #world: Simulator
  readonly #random: SeededRandom
  readonly #targets: readonly ReplicaId[]
  readonly #manner: Manner
  readonly #words: HostileWords
  readonly #talks: Talk[] = []
  readonly #messages: Uint8Array[] = []
  readonly #heard: Heard = {
    events: [],
    hashes: [],
    actors: [],
    epochs: new Map(),
    heads: new Map(),
  }
  #over = false

  /** @param lied is told of each event that nobody may take. */
  constructor(world: Simulator, random: SeededRandom, targets: readonly ReplicaId[], lied: Lied) {
    this.#world = world
    this.#random = random
    this.#targets = targets
    this.#manner = {
      eager: random.pick([0.2, 0.5, 0.9]),
      listens: random.chance(0.5),
      reads: random.chance(0.85),
    }
    this.#words = new HostileWords(random, this.#heard, lied)
    if (this.#manner.listens) void this.#listen()
  }

  async #listen(): Promise<void> {
    for await (const connection of this.#world.network.listen(HOSTILE)) {
      if (this.#over || this.#talks.length >= OPEN_MAX) connection.abort(this.#words.goodbye())
      else this.#take(connection)
    }
  }

  /** It may do something now. */
  act(): void {
    const random = this.#random
    if (this.#over || !random.chance(this.#manner.eager)) return
    if (this.#talks.length === 0 || (this.#talks.length < OPEN_MAX && random.chance(0.3)))
      return void this.#dial(random.pick(this.#targets)).catch(() => undefined)
    const talk = random.pick(this.#talks)
    if (random.chance(0.06)) return this.#hangUp(talk)
    for (let i = 1 + random.below(4); i > 0; i -= 1) this.#say(talk)
  }

  async #dial(target: ReplicaId): Promise<void> {
    const connection = await this.#world.network.transport(HOSTILE).dial(target)
    if (this.#over) return void connection.close()
    this.#take(connection)
  }

  #take(connection: Connection): void {
    const talk: Talk = { connection, target: connection.remoteAddress ?? '', greeted: false }
    this.#talks.push(talk)
    if (this.#manner.reads) void this.#read(talk)
    void connection.closed.then(() => {
      const index = this.#talks.indexOf(talk)
      if (index >= 0) this.#talks.splice(index, 1)
    })
    // Half handshakes: mostly it says who it is, sometimes somebody else, or nothing at all.
    if (this.#random.chance(0.9)) this.#greet(talk)
  }

  #greet(talk: Talk): void {
    talk.greeted = true
    this.#send(talk, this.#words.greeting(talk.connection.direction, talk.target))
  }

  #say(talk: Talk): void {
    const random = this.#random
    if (!talk.greeted) return this.#greet(talk)
    // The words of another session, or of somebody else.
    if (this.#messages.length > 0 && random.chance(0.08))
      return this.#sendBytes(talk, this.#words.damaged(random.pick(this.#messages), 0.5))
    const frames = this.#words.next(talk.target)
    const bytes = Buffer.concat(frames.map((frame) => encodeFrame(frame)))
    this.#sendBytes(talk, this.#words.damaged(bytes, 0.06))
  }

  #send(talk: Talk, frames: readonly Frame[]): void {
    this.#sendBytes(talk, Buffer.concat(frames.map((frame) => encodeFrame(frame))))
  }

  #sendBytes(talk: Talk, bytes: Uint8Array): void {
    try {
      talk.connection.send(bytes)
    } catch {
      // The honest side has ended it.
    }
  }

  async #read(talk: Talk): Promise<void> {
    try {
      for await (const message of talk.connection) this.#hear(talk, message)
    } catch {
      // The link broke, or the honest side cut it.
    }
  }

  #hear({ target }: Talk, message: Uint8Array): void {
    push(this.#messages, message)
    for (const { frame } of decodeMessage(message).frames ?? []) {
      if (frame.type === 'hello' || frame.type === 'welcome') {
        this.#heard.epochs.set(target, frame.epoch)
        this.#heard.heads.set(target, frame.head)
      }
      if (frame.type !== 'events') continue
      for (const entry of frame.entries) {
        if (typeof entry.bytes === 'number') continue
        push(this.#heard.events, { ...entry, bytes: entry.bytes })
        if (entry.kind !== 'event') continue
        const { actor, hash } = readEvent(entry.bytes, nativeSha256)
        push(this.#heard.hashes, hash)
        if (!this.#words.isOwn(actor)) push(this.#heard.actors, actor)
      }
    }
  }

  #hangUp(talk: Talk): void {
    if (this.#random.chance(0.5)) void talk.connection.close()
    else talk.connection.abort(this.#words.goodbye())
  }

  /** It is gone for good. */
  stop(): void {
    this.#over = true
    this.#world.network.crash(HOSTILE)
  }
}

function push<Item>(items: Item[], item: Item): void {
  items.push(item)
  if (items.length > HEARD_MAX) items.shift()
}
