import { createHash } from 'node:crypto'
import { DENIED, grants, type Policy } from '../../src/core/access/policy.ts'
import { isTidewayError } from '../../src/core/errors.ts'
import type { CollectionId, ReplicaId } from '../../src/core/ids.ts'
import type { Sha256 } from '../../src/core/interfaces/hasher.ts'
import type { LogFields, Logger } from '../../src/core/interfaces/logger.ts'
import type { StoredEntry } from '../../src/core/log/entry.ts'
import { type CompactionOptions, cutting } from '../../src/core/replica/compaction.ts'
import { openReplica } from '../../src/core/replica/open-replica.ts'
import type { Replica } from '../../src/core/replica/replica.ts'
import type { Uplink } from '../../src/core/replica/uplink.ts'
import { nodeCompression } from '../../src/node/index.ts'
import { ProcessClock, SimulatedTime, settle } from './clock.ts'
import { SimulatedDisk } from './disk.ts'
import { SimulatedNetwork } from './network.ts'
import { SeededRandom } from './random.ts'
import { CLOUD, HOSTILE, ownCollection, type Place, SHARED } from './topology.ts'

/** The native SHA-256: the one of the engine's default costs a tenth of a run. */
export const nativeSha256: Sha256 = (bytes) => createHash('sha256').update(bytes).digest()

/** A machine as a world is made of it. */
export interface MachinePlan extends Place {
  /** Collections that it may write, if not all that it holds. */
  readonly writes?: readonly CollectionId[] | undefined
  /** Collections that it asks for although it may not read them. */
  readonly covets?: readonly CollectionId[] | undefined
}

/** One machine: its disk outlives its processes. */
export interface Machine extends MachinePlan {
  readonly disk: SimulatedDisk
  process: Process | undefined
  starting: boolean
  /** Collections that it subscribes to later. */
  readonly late: Set<CollectionId>
  /** A state of the disk to which it may go back. */
  backup: number | undefined
}

/** One life of a replica. */
export interface Process {
  readonly replica: Replica
  readonly clock: ProcessClock
  readonly uplinks: ReadonlyMap<ReplicaId, Uplink>
  alive: boolean
}

/** Tells what happened, for checkers and for those who add to what a process does. */
export interface Witness {
  appended(machine: Machine, entries: readonly StoredEntry[]): void
  started(machine: Machine, process: Process): void
  /** Whether a machine has to log this as an error, after what was done to its disk. */
  isDue?(machine: Machine, message: string, fields: LogFields | undefined): boolean
}

type TraceLine = () => string

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
  /** What each replica keeps of documents that nobody holds. */
  cacheBytesMax: number | undefined
  /** Who keeps a connection to the machine that means harm. */
  dialsHostile: (machine: Machine) => boolean = () => false
  /** When each machine cuts histories by itself. */
  compaction: (machine: Machine) => CompactionOptions | undefined = () => undefined
  readonly #witness: Witness
  readonly #lines: TraceLine[] = []
  #policy: Policy | undefined
  #hasHostile = false

  constructor(seed: number, witness: Witness) {
    this.random = new SeededRandom(seed)
    this.network = new SimulatedNetwork(this.time, this.random)
    this.#witness = witness
  }

  /** What happened, a line each: equal seeds give equal traces. */
  get trace(): readonly string[] {
    return this.#lines.map((line) => line())
  }

  /** @param hasHostile whether a machine may connect that means harm. */
  build(plans: readonly MachinePlan[], hasHostile = false): void {
    for (const plan of plans) {
      const disk = new SimulatedDisk(this.time, this.random)
      const state = { process: undefined, starting: false, late: new Set<string>() }
      this.machines.push({ ...plan, disk, ...state, backup: undefined })
    }
    const table = this.machines.map(({ name, collections, writes }) => {
      const all = name === CLOUD ? ['*'] : collections
      return [name, { read: all, write: name === CLOUD ? all : (writes ?? collections) }] as const
    })
    const policy = grants(Object.fromEntries([...table, [HOSTILE, HOSTILE_GRANT]]))
    this.#hasHostile = hasHostile
    this.#policy = hasHostile ? guarded(policy) : policy
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
    const compaction = this.compaction(machine)
    const opened = openReplica({
      storage: machine.disk.open(),
      name: machine.name,
      policy: this.#policy,
      clock,
      random: new SeededRandom(this.random.below(2 ** 31)),
      sha256: nativeSha256,
      // One that packs nothing meets those that do.
      compression: machine.name.endsWith('2') ? undefined : nodeCompression(),
      logger: this.#logger(machine),
      cacheBytesMax: this.cacheBytesMax,
      compaction: compaction && cutting(compaction),
    })
    opened.then(
      (replica) => this.#started(machine, replica, clock),
      (error: unknown) => this.#notStarted(machine, error),
    )
  }

  #notStarted(machine: Machine, error: unknown): void {
    machine.starting = false
    if (!isRefusal(error)) this.problems.push(`${machine.name} does not start: ${String(error)}`)
    // A first start on a full disk: there is no room for a name.
    machine.disk.crash()
    this.time.after(1_000, () => this.start(machine))
  }

  #started(machine: Machine, replica: Replica, clock: ProcessClock): void {
    const uplinks = new Map<ReplicaId, Uplink>()
    const process: Process = { replica, clock, uplinks, alive: true }
    machine.process = process
    machine.starting = false
    this.note(() => `${machine.name} started at ${replica.head}`)
    replica.onAppended((entries) => {
      if (process.alive) this.#witness.appended(machine, entries)
    })
    this.#witness.started(machine, process)
    replica.serve(this.network.listen(machine.name))
    if (this.dialsHostile(machine)) {
      const transport = this.network.transport(machine.name)
      const collections = machine.collections.filter((name) => HOSTILE_GRANT.read.includes(name))
      replica.connect({ transport, address: HOSTILE, collections, principal: HOSTILE })
    }
    for (const peer of machine.dials) {
      const collections = this.#shared(machine, peer).filter((name) => !machine.late.has(name))
      const transport = this.network.transport(machine.name)
      const options = { transport, address: peer, collections, principal: peer }
      uplinks.set(peer, replica.connect(options))
    }
  }

  #shared(machine: Machine, peer: ReplicaId): readonly CollectionId[] {
    const held = this.machine(peer).collections
    return [...machine.collections.filter((name) => held.includes(name)), ...(machine.covets ?? [])]
  }

  /** From now on the machine asks its peers for a collection too. */
  subscribe(machine: Machine, collection: CollectionId): void {
    if (!machine.late.delete(collection)) return
    this.note(() => `${machine.name} subscribes to ${collection}`)
    for (const [peer, uplink] of machine.process?.uplinks ?? []) {
      if (this.#shared(machine, peer).includes(collection)) uplink.subscribe([collection])
    }
  }

  /** The machine loses power. */
  crash(machine: Machine): void {
    const { process } = machine
    if (process === undefined) return
    this.note(() => `${machine.name} crashes`)
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

  /** Texts cost more than most of what they tell of, so they are made when somebody reads them. */
  note(line: TraceLine): void {
    const { nowMs } = this.time
    this.#lines.push(() => `${nowMs.toFixed(3)} ${line()}`)
  }

  #logger(machine: Machine): Logger {
    const { problems } = this
    const { name } = machine
    const say = (how: string, message: string, fields: LogFields | undefined): void =>
      this.note(() => `${name} ${how}: ${message} ${brief(fields)}`)
    const logger: Logger = {
      debug: (message, fields) => say('says', message, fields),
      info: (message, fields) => say('says', message, fields),
      warn: (message, fields) => say('warns', message, fields),
      error: (message, fields) => {
        say('fails', message, fields)
        const isDue = this.#witness.isDue?.(machine, message, fields) === true
        const isToldSo = this.#hasHostile && BELIEVED.has(message)
        if (!isDue && !isToldSo && !isRefusal(fields?.['error']) && !isHarmed(fields))
          problems.push(`${name}: ${message} ${brief(fields)}`)
      },
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

/** What the machine that means harm may do. */
const HOSTILE_GRANT = {
  read: [SHARED, ownCollection(HOSTILE)],
  write: [ownCollection(HOSTILE)],
}

/** As in a fleet: everybody connects as itself, and what is let in but means harm speaks for itself only. */
function guarded(policy: Policy): Policy {
  return {
    ...policy,
    mayConnect: (principal, replica) => (principal === replica ? undefined : DENIED),
    mayRelay: (principal) => principal !== HOSTILE,
    mayWrite: (principal, request) => {
      const { kind, document } = request
      if (principal === HOSTILE) {
        if (kind !== 'event' && kind !== 'snapshot' && kind !== 'tombstone') return DENIED
        if (!document.startsWith(ownCollection(HOSTILE))) return DENIED
      }
      return policy.mayWrite(principal, request)
    },
  }
}

/** What a machine says because of one that means harm: it costs an epoch once, and that one its actor. */
const BELIEVED: ReadonlySet<string> = new Set([
  'the end of the log was lost: what peers have of it comes back',
  'a replica wrote two events for one place: its actor is refused',
])

/** Where anything may be written, events that cannot be read are no fault of who says so. */
function isHarmed(fields: LogFields | undefined): boolean {
  const { document, replica, position } = fields ?? {}
  // It says of any log that it has read it to places where none is.
  if (Number(position) >= 2 ** 31) return true
  return replica === HOSTILE || String(document).startsWith(ownCollection(HOSTILE))
}

/** A write that a disk refused, because it is full or because its machine is down. */
function isRefusal(error: unknown): boolean {
  return isTidewayError(error) && error.code === 'STORAGE_UNAVAILABLE'
}

function brief(fields: unknown): string {
  return (
    JSON.stringify(fields, (_, value: unknown) =>
      value instanceof Error ? value.message : value,
    ) ?? ''
  )
}
