import type { ReplicaId } from '../../src/core/ids.ts'
import type { PeerStream } from '../../src/core/replica/peer-stream.ts'
import type { Machine, Process, Simulator } from './simulator.ts'
import { HOSTILE } from './topology.ts'

/** The protocol of the streams: the dialer counts, and the accepter says how far it heard. */
const PROTOCOL = 'count'

/**
 * What is never logged: signals, of which only the last counts, and streams, which arrive whole and in
 * order or end with an error.
 */
export class Traffic {
  readonly #world: Simulator
  readonly #fail: (what: string) => void
  /** By setter: what it last set, in this life of its process. */
  readonly #set: Map<ReplicaId, number | undefined> = new Map()
  /** By listener and setter: what was last heard over the connection that is open. */
  readonly #heard: Map<string, number | undefined> = new Map()
  #count = 0

  constructor(world: Simulator, fail: (what: string) => void) {
    this.#world = world
    this.#fail = fail
  }

  /** A process starts: it listens. */
  started(machine: Machine, { replica }: Process): void {
    this.#set.delete(machine.name)
    const ear = (peer: ReplicaId): string => `${machine.name}<${peer}`
    replica.onPeer(({ replica: peer }) => this.#heard.delete(ear(peer)))
    replica.onSignal('', ({ peer, value }) => {
      this.#heard.set(ear(peer), value === undefined ? undefined : numberOf(value))
    })
    replica.onStream(PROTOCOL, (stream) => this.#listen(machine.name, stream))
  }

  /** Somebody says something that need not last. */
  act(): void {
    const { random } = this.#world
    const machine = random.pick(this.#world.machines)
    const isSignal = random.chance(0.7)
    const withdraws = random.chance(0.2)
    const peer = random.pick(this.#world.machines).name
    const bytes = random.pick([1, 1_000, 70_000])
    const { process } = machine
    if (process === undefined) return
    if (isSignal) this.#signal(machine.name, process, withdraws)
    else if (process.replica.peers().some(({ replica }) => replica === peer))
      void this.#talk(
        machine.name,
        process.replica.openStream(peer, PROTOCOL, new Uint8Array(0)),
        bytes,
      )
  }

  #signal(name: ReplicaId, { replica }: Process, withdraws: boolean): void {
    this.#count += 1
    const value = withdraws ? undefined : this.#count
    this.#set.set(name, value)
    replica.signal(
      `count/${name}`,
      value === undefined ? undefined : new TextEncoder().encode(String(value)),
    )
  }

  async #talk(name: ReplicaId, stream: PeerStream, bytes: number): Promise<void> {
    try {
      for (let sent = 0; sent < bytes; ) {
        const piece = counting(sent, Math.min(bytes - sent, 9_001))
        await stream.write(piece)
        sent += piece.length
      }
      stream.end()
      let answer = ''
      for await (const piece of stream) answer += new TextDecoder().decode(piece)
      if (answer !== String(bytes))
        this.#fail(`${name} streamed ${bytes} bytes to ${stream.peer}, which heard ${answer}`)
    } catch {
      // The connection broke, which a stream does not outlive.
    }
  }

  async #listen(name: ReplicaId, stream: PeerStream): Promise<void> {
    if (stream.peer === HOSTILE) throw new Error('nobody listens to it')
    let heard = 0
    for await (const piece of stream) {
      for (const byte of piece) {
        if (byte !== heard % 251) {
          this.#fail(`${name} heard byte ${heard} of a stream of ${stream.peer} wrongly`)
          return
        }
        heard += 1
      }
    }
    await stream.write(new TextEncoder().encode(String(heard)))
    stream.end()
  }

  /** In a quiet world everybody has heard the last value of each peer, and no other. */
  atRest(): void {
    for (const machine of this.#world.machines) {
      for (const { replica: peer } of machine.process?.replica.peers() ?? []) {
        const said = this.#set.get(peer)
        const heard = this.#heard.get(`${machine.name}<${peer}`)
        if (said !== heard)
          this.#fail(`${machine.name} heard ${heard} of ${peer}, which said ${said}`)
      }
    }
  }
}

function counting(from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (from + i) % 251)
}

function numberOf(value: Uint8Array): number {
  return Number(new TextDecoder().decode(value))
}
