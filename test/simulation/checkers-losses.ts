import type { ActorId, DocumentId, EventHash, Position, ReplicaId } from '../../src/core/ids.ts'
import type { LogFields } from '../../src/core/interfaces/logger.ts'
import { isOfMove, type StoredEntry } from '../../src/core/log/entry.ts'
import { readEvent } from '../../src/core/log/event.ts'
import type { Replica } from '../../src/core/replica/replica.ts'
import { type Machine, nativeSha256 } from './simulator.ts'
import { eventKey, type World } from './world.ts'

/** What nobody has any more: whose disk lost it, its key, its document. */
export type Gone = readonly [machine: ReplicaId, key: string, document: DocumentId]

/** An event that rotted on a disk. */
interface Rotten {
  readonly machine: ReplicaId
  readonly position: Position
  readonly document: DocumentId
  readonly hash: EventHash
  readonly generation: number
}

/**
 * What disks lost, and what follows from it for the other invariants, which hold for everything else.
 *
 * I1: bit rot is found; what rotted is reported until it is back; and it comes back when anybody has it.
 */
export class LossChecker {
  readonly #world: World
  /** Whether logs may go back in this world: only then places are looked at, as each event is read for it. */
  enabled = false
  readonly #setBack: Set<ReplicaId> = new Set()
  /** By machine: what stands where in its log. */
  readonly #logs: Map<ReplicaId, Map<Position, StoredEntry>> = new Map()
  readonly #rotten: Map<ReplicaId, Map<string, Rotten>> = new Map()
  readonly #struck: Set<ReplicaId> = new Set()
  /** Events that were looked at, and by place which one came first. */
  readonly #seen: Set<string> = new Set()
  readonly #places: Map<string, EventHash> = new Map()
  readonly #writes: Map<ActorId, Set<DocumentId>> = new Map()
  readonly #quarantined: Set<ActorId> = new Set()
  readonly #doubled: Set<DocumentId> = new Set()

  constructor(world: World) {
    this.#world = world
  }

  /** The machine appended this, or starts with it. */
  note(machine: ReplicaId, entries: readonly StoredEntry[]): void {
    const log = this.#logs.get(machine) ?? new Map<Position, StoredEntry>()
    this.#logs.set(machine, log)
    for (const entry of entries) {
      if (entry.kind === 'leave') dropLeft(log, entry)
      if (entry.kind === 'base') dropBefore(log, entry)
      log.set(entry.position, entry)
      if (entry.kind !== 'event' || entry.hash === undefined) continue
      const key = eventKey(entry.document, entry.hash)
      const rotten = this.#rotten.get(machine)?.get(key)
      if (rotten !== undefined && rotten.position !== entry.position)
        this.#rotten.get(machine)?.delete(key)
      if (this.enabled && !this.#seen.has(key)) this.#see(key, entry, entry.hash)
    }
  }

  #see(key: string, { document, generation, bytes }: StoredEntry, hash: EventHash): void {
    this.#seen.add(key)
    const { actor, sequence } = readEvent(bytes, nativeSha256)
    const place = `${document} ${generation} ${actor} ${sequence}`
    const first = this.#places.get(place)
    if (first === undefined) this.#places.set(place, hash)
    else if (first !== hash) this.#doubled.add(document)
    const documents = this.#writes.get(actor) ?? new Set()
    this.#writes.set(actor, documents)
    documents.add(document)
  }

  /** The disk of a machine that is down went back: what rotted since is as it was. */
  restored(machine: ReplicaId): void {
    this.#setBack.add(machine)
    this.#logs.delete(machine)
    this.#rotten.delete(machine)
  }

  /** What stands here in the log of a machine, as far as it told. */
  entryAt(machine: ReplicaId, position: Position): StoredEntry | undefined {
    return this.#logs.get(machine)?.get(position)
  }

  /** An entry rots. @returns its name when it is an event that was there. */
  damaged(machine: ReplicaId, position: Position): string | undefined {
    this.#struck.add(machine)
    const entry = this.#logs.get(machine)?.get(position)
    if (entry?.kind !== 'event' || entry.hash === undefined) return undefined
    const { document, generation, hash } = entry
    const all = this.#rotten.get(machine) ?? new Map<string, Rotten>()
    this.#rotten.set(machine, all)
    const key = eventKey(document, hash)
    all.set(key, { machine, position, document, hash, generation })
    return key
  }

  /** Whether this event rotted here, and has not been seen to come back. */
  isRotten(machine: ReplicaId, key: string): boolean {
    return this.#rotten.get(machine)?.has(key) === true
  }

  /** Whether it rotted at any machine, and has not been seen to come back there. */
  isRottenAnywhere(key: string): boolean {
    return [...this.#rotten.values()].some((rotten) => rotten.has(key))
  }

  /**
   * Whether a log that went back was written to before it had met all who knew more, so that there are two
   * events for one place: who took either refuses the other, and all of a writer found out at it (A2).
   */
  isContested(document: DocumentId): boolean {
    if (this.#doubled.has(document)) return true
    return [...this.#quarantined].some((actor) => this.#writes.get(actor)?.has(document) === true)
  }

  get contests(): boolean {
    return this.#doubled.size > 0 || this.#quarantined.size > 0
  }

  isQuarantined(actor: ActorId): boolean {
    return this.#quarantined.has(actor)
  }

  /** Whether what a machine logs as an error is what it has to say, after what was done to a disk. */
  isDue(machine: ReplicaId, message: string, fields: LogFields | undefined): boolean {
    switch (message) {
      case 'the end of the log was lost: what peers have of it comes back':
        return this.#setBack.has(machine)
      case 'a replica wrote two events for one place: its actor is refused': {
        const { actor, replica } = fields ?? {}
        if (!this.#setBack.has(String(replica))) return false
        this.#quarantined.add(String(actor))
        return true
      }
      case 'entries of a document are damaged: peers are asked for what was lost':
      case 'an entry of no known document is damaged and was dropped':
        return this.#struck.has(machine)
      default:
        return false
    }
  }

  /**
   * Everything has been read and everybody agrees. What rotted is back, or nobody has it and it is
   * reported.
   *
   * @returns what is gone for good, with the machine that had it.
   */
  async atRest(machines: readonly Machine[]): Promise<readonly Gone[]> {
    if (this.#struck.size === 0) return []
    const held = new Map<ReplicaId, ReadonlySet<string>>()
    for (const { name, process } of machines)
      if (process !== undefined) held.set(name, await eventsOf(process.replica))
    const gone: Gone[] = []
    for (const { name, process } of machines) {
      const here = held.get(name)
      if (process === undefined || here === undefined) continue
      await this.#checkReport(name, process.replica, here)
      for (const [key, rotten] of [...(this.#rotten.get(name) ?? [])]) {
        if (here.has(key)) {
          this.#rotten.get(name)?.delete(key)
          continue
        }
        const holders = [...held].filter(([, keys]) => keys.has(key)).map(([other]) => other)
        const isMissed = await this.#isMissed(process.replica, key, rotten)
        if (isMissed && holders.length > 0)
          this.#fail(`${name} was not given back ${key}, which ${holders.join('+')} has`)
        const { document } = rotten
        const record = await process.replica.record(document)
        const isElsewhere = record === undefined || record.left
        if (holders.length === 0 && (isMissed || isElsewhere)) gone.push([name, key, document])
      }
    }
    return gone
  }

  /** Whether it should be here. Checks that it is reported then. */
  async #isMissed(replica: Replica, key: string, rotten: Rotten): Promise<boolean> {
    const { machine, position, document, hash, generation } = rotten
    const record = await replica.record(document)
    if (record === undefined || record.left || record.generation !== generation) return false
    if (this.#world.isSetAside(key) || this.isContested(document)) return false
    const { damaged } = await replica.status()
    const report = damaged.find((other) => other.document === document)
    if (report?.positions.includes(position) !== true || !report.lost.includes(hash))
      this.#fail(`${machine} does not say that it lost ${key} at ${position}`)
    return true
  }

  /** What is reported as lost is not here. */
  async #checkReport(name: ReplicaId, replica: Replica, here: ReadonlySet<string>): Promise<void> {
    for (const { document, lost } of (await replica.status()).damaged) {
      for (const hash of lost)
        if (here.has(eventKey(document, hash)))
          this.#fail(`${name} says that it lacks ${hash} of ${document}, which is there`)
    }
  }

  #fail(what: string): void {
    this.#world.fail('I1', what)
  }
}

/** What stood here of a document that left is dropped, and can rot no more; not where it was moved before. */
function dropLeft(log: Map<Position, StoredEntry>, leave: StoredEntry): void {
  if (isOfMove(leave)) return
  const before = [...log.values()].filter(({ document }) => document === leave.document)
  const home = before.findLast(({ kind }) => kind !== 'leave')?.collection
  if (home !== leave.collection) return
  for (const { position } of before) log.delete(position)
}

/** What stood here of a document before its history was cut does not count, and is dropped. */
function dropBefore(log: Map<Position, StoredEntry>, base: StoredEntry): void {
  for (const { document, position } of [...log.values()])
    if (document === base.document && position < base.position) log.delete(position)
}

/** The names of all events in a log. */
async function eventsOf(replica: Replica): Promise<ReadonlySet<string>> {
  const keys = new Set<string>()
  for (let after = 0; ; ) {
    const page = await replica.readLog({ after, bytesMax: 1 << 20 })
    for (const { document, hash } of page.entries)
      if (hash !== undefined) keys.add(eventKey(document, hash))
    if (page.end) return keys
    after = page.upTo
  }
}
