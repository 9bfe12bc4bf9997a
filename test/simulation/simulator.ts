import { sha256 } from '@noble/hashes/sha2.js'
import { grants, type Policy } from '../../src/core/access/policy.ts'
import type { CollectionId, ReplicaId } from '../../src/core/ids.ts'
import type { Logger } from '../../src/core/interfaces/logger.ts'
import { openReplica } from '../../src/core/replica/open-replica.ts'
import type { Replica } from '../../src/core/replica/replica.ts'
import { ProcessClock, SimulatedTime, settle } from './clock.ts'
import { SimulatedDisk } from './disk.ts'
import { SimulatedNetwork } from './network.ts'
import { SeededRandom } from './random.ts'

export const CLOUD: ReplicaId = 'cloud'
export const SHARED: CollectionId = 'shared/all'

export function ownCollection(name: ReplicaId): CollectionId {
  return `node/${name}`
}

/** One machine: its disk outlives its processes. */
export interface Machine {
  readonly name: ReplicaId
  readonly disk: SimulatedDisk
  /** Which machines it dials. */
  readonly dials: readonly ReplicaId[]
  readonly collections: readonly CollectionId[]
  process: Process | undefined
  starting: boolean
}

/** One life of a replica. */
export interface Process {
  readonly replica: Replica
  readonly clock: ProcessClock
  alive: boolean
}

/** Tells what happened, for checkers. */
export interface Witness {
  appended(machine: Machine, hashes: readonly string[], collections: readonly CollectionId[]): void
  restarted(machine: Machine): void
}

/** A line of the trace of a run: equal seeds give equal traces. */
export type Trace = string[]

/**
 * A world of replicas with one time line. Everything is decided by the seed; `advance` is the only way
 * in which anything happens.
 */
export class Simulator {
  readonly random: SeededRandom
  readonly time: SimulatedTime = new SimulatedTime()
  readonly network: SimulatedNetwork
  readonly machines: Machine[] = []
  readonly problems: string[] = []
  readonly trace: Trace = []
  readonly #witness: Witness
  readonly #policies: Map<ReplicaId, Policy> = new Map()

  constructor(seed: number, witness: Witness) {
    this.random = new SeededRandom(seed)
    this.network = new SimulatedNetwork(this.time, this.random)
    this.#witness = witness
  }

  /** A star of edges around a cloud; some edges also dial the edge before them. */
  build(edges: number, neighbours: boolean): void {
    const names = Array.from({ length: edges }, (_, i) => `edge-${i + 1}`)
    const all = [SHARED, ...names.map(ownCollection)]
    this.#add(CLOUD, [], all)
    names.forEach((name, i) => {
      const before = names[i - 1]
      const dials = neighbours && before !== undefined ? [CLOUD, before] : [CLOUD]
      this.#add(name, dials, [SHARED, ownCollection(name)])
    })
  }

  #add(name: ReplicaId, dials: readonly ReplicaId[], collections: readonly CollectionId[]): void {
    const disk = new SimulatedDisk(this.time, this.random)
    this.machines.push({ name, disk, dials, collections, process: undefined, starting: false })
  }

  /** Each edge may read and write what is shared and what is its own; the cloud may everything. */
  #policy(name: ReplicaId): Policy {
    let policy = this.#policies.get(name)
    if (policy === undefined) {
      const table = Object.fromEntries(
        this.machines.map((machine) => {
          const own = machine.name === CLOUD ? ['*'] : machine.collections
          return [machine.name, { read: own, write: own }]
        }),
      )
      policy = grants(table)
      this.#policies.set(name, policy)
    }
    return policy
  }

  machine(name: ReplicaId): Machine {
    const found = this.machines.find((machine) => machine.name === name)
    if (found === undefined) throw new Error(`there is no machine ${name}`)
    return found
  }

  start(machine: Machine): void {
    if (machine.process !== undefined || machine.starting) return
    machine.starting = true
    const clock = new ProcessClock(this.time, this.random.between(-60_000, 60_000))
    const random = new SeededRandom(this.random.below(2 ** 31))
    const opened = openReplica({
      storage: machine.disk.open(),
      name: machine.name,
      policy: this.#policy(machine.name),
      clock,
      random,
      sha256,
      logger: this.#logger(machine),
    })
    opened.then(
      (replica) => this.#started(machine, replica, clock),
      (error: unknown) => this.problems.push(`${machine.name} does not start: ${String(error)}`),
    )
  }

  #started(machine: Machine, replica: Replica, clock: ProcessClock): void {
    const process: Process = { replica, clock, alive: true }
    machine.process = process
    machine.starting = false
    this.note(`${machine.name} started at ${replica.head}`)
    replica.onAppended((entries) => {
      if (!process.alive) return
      // Equal first changes of two documents have one hash: an event is named by both.
      const events = entries.filter((entry) => entry.hash !== undefined)
      const hashes = events.map((entry) => `${entry.document} ${entry.hash}`)
      this.#witness.appended(
        machine,
        hashes,
        entries.map((entry) => entry.collection),
      )
    })
    replica.serve(this.network.listen(machine.name))
    for (const peer of machine.dials) {
      const collections = peer === CLOUD ? machine.collections : [SHARED]
      const transport = this.network.transport(machine.name)
      replica.connect({ transport, address: peer, collections, principal: peer })
    }
    this.#witness.restarted(machine)
  }

  /** The machine loses power. */
  crash(machine: Machine): void {
    const { process } = machine
    if (process === undefined) return
    this.note(`${machine.name} crashes`)
    process.alive = false
    process.clock.kill()
    machine.process = undefined
    this.network.crash(machine.name)
    machine.disk.crash()
  }

  /** Lets simulated time pass. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.time.nowMs + ms
    await settle()
    while (this.time.step(untilMs)) await settle()
  }

  /** Waits for something that itself needs time to pass, such as a disk. */
  async until<Result>(promise: Promise<Result>): Promise<Result> {
    let done = false
    const mark = (): void => {
      done = true
    }
    promise.then(mark, mark)
    await settle()
    for (let i = 0; i < 10_000 && !done; i += 1) await this.advance(1)
    if (!done) throw new Error('nothing came of it in ten simulated seconds')
    return await promise
  }

  note(line: string): void {
    this.trace.push(`${this.time.nowMs.toFixed(3)} ${line}`)
  }

  #logger(machine: Machine): Logger {
    const { problems } = this
    const logger: Logger = {
      debug: (message, fields) => this.note(`${machine.name} says: ${message} ${brief(fields)}`),
      info: (message, fields) => this.note(`${machine.name} says: ${message} ${brief(fields)}`),
      warn: (message, fields) => this.note(`${machine.name} warns: ${message} ${brief(fields)}`),
      error: (message, fields) => problems.push(`${machine.name}: ${message} ${brief(fields)}`),
      child: () => logger,
    }
    return logger
  }

  async close(): Promise<void> {
    this.network.heal()
    const closing = this.machines.map(
      (machine) => machine.process?.replica.close() ?? Promise.resolve(),
    )
    let done = false
    const all = Promise.allSettled(closing).then(() => {
      done = true
    })
    for (let i = 0; i < 100 && !done; i += 1) await this.advance(1_000)
    await all
  }
}

function brief(fields: unknown): string {
  return (
    JSON.stringify(fields, (_, value: unknown) =>
      value instanceof Error ? value.message : value,
    ) ?? ''
  )
}
