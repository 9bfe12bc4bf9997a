import type { DocumentId, Position, ReplicaId } from '../../src/core/ids.ts'
import type { LogFields } from '../../src/core/interfaces/logger.ts'
import type { StoredEntry } from '../../src/core/log/entry.ts'
import type { Replica } from '../../src/core/replica/replica.ts'
import { AccessChecker } from './checkers-access.ts'
import { DeliveryChecker } from './checkers-delivery.ts'
import { DurabilityChecker, storedEntries } from './checkers-durability.ts'
import { GenerationChecker } from './checkers-generations.ts'
import { LinkChecker } from './checkers-links.ts'
import { LossChecker } from './checkers-losses.ts'
import { MemoryChecker } from './checkers-memory.ts'
import { RotChecker } from './checkers-rot.ts'
import type { Machine, Process, Simulator, Witness } from './simulator.ts'
import { isHarmed } from './topology.ts'
import type { Invariant, World } from './world.ts'

/** Failures past this say nothing new. */
const FAILURES_MAX = 30

/** Watches every invariant in one world: what it finds is a failure of the run. */
export class Checkers implements Witness, World {
  readonly failures: string[] = []
  readonly generations: GenerationChecker = new GenerationChecker(this)
  readonly durability: DurabilityChecker = new DurabilityChecker(this, this.generations)
  readonly delivery: DeliveryChecker = new DeliveryChecker(this)
  readonly access: AccessChecker = new AccessChecker(this)
  readonly memory: MemoryChecker = new MemoryChecker(this)
  readonly links: LinkChecker = new LinkChecker(this, this)
  readonly losses: LossChecker = new LossChecker(this)
  readonly rot: RotChecker = new RotChecker(this, this.generations)
  readonly #moved: Set<DocumentId> = new Set()
  readonly #setAside: Set<string> = new Set()
  /** Work that a checker began and that the run waits for. */
  readonly #looking: Promise<void>[] = []
  /** Told of each start, to add users and traffic. */
  onStarted: (machine: Machine, process: Process) => void = () => undefined
  #simulator: Simulator | undefined

  /** Watches this world from now on. */
  attach(simulator: Simulator): void {
    this.#simulator = simulator
    simulator.network.watcher = this.links
  }

  machines(): readonly Machine[] {
    return this.#simulator?.machines ?? []
  }

  fail(invariant: Invariant, what: string): void {
    if (this.failures.length < FAILURES_MAX) this.failures.push(`${invariant}: ${what}`)
    this.#simulator?.note(() => `${invariant} FAILS: ${what}`)
  }

  has(machine: ReplicaId, key: string): boolean {
    return this.delivery.has(machine, key)
  }

  hasMoved(document: DocumentId): boolean {
    return this.#moved.has(document)
  }

  moved(document: DocumentId): void {
    this.#moved.add(document)
  }

  isSetAside(key: string): boolean {
    return this.#setAside.has(key)
  }

  setAside(key: string): void {
    this.#setAside.add(key)
  }

  /** Whether an edit of the document was refused that its author was allowed to make. */
  isTakenBack(document: DocumentId): boolean {
    return [...this.#setAside].some(
      (key) =>
        key.startsWith(`${document} `) && !this.access.isForbidden(this.generations.firstKey(key)),
    )
  }

  get setsBack(): boolean {
    return this.losses.enabled
  }

  isRotten(machine: ReplicaId, key: string): boolean {
    return this.losses.isRotten(machine, key) || this.rot.isRotten(machine, key)
  }

  isUnshown(key: string): boolean {
    return this.rot.isLost(key)
  }

  isLetGo(document: DocumentId, key: string): boolean {
    return this.hasMoved(document) && this.losses.isRottenAnywhere(key)
  }

  isContested(document: DocumentId): boolean {
    return this.losses.isContested(document)
  }

  /** Documents of which two honest machines may never hold the same: others are compared without them. */
  isUncompared(document: DocumentId): boolean {
    return isHarmed(document) || this.losses.isContested(document)
  }

  /** Whether some of those are where others are. */
  get hasUncompared(): boolean {
    return this.losses.contests || [...this.#moved].some(isHarmed)
  }

  isDue(machine: Machine, message: string, fields: LogFields | undefined): boolean {
    return this.losses.isDue(machine.name, message, fields)
  }

  appended(machine: Machine, entries: readonly StoredEntry[]): void {
    this.generations.note(machine.name, entries)
    this.losses.note(machine.name, entries)
    this.rot.note(machine.name, entries)
    this.access.appended(machine, entries)
    this.delivery.appended(machine, entries)
    this.links.appended(machine, entries)
  }

  started(machine: Machine, process: Process): void {
    const { replica } = process
    replica.onRejected((documents) => {
      this.delivery.takenBack(machine.name, documents)
      this.links.takenBack(machine.name, documents)
      // Now: its author may be down when somebody else is asked for what was refused.
      this.#looking.push(this.durability.noteRefusals(replica).catch(() => undefined))
    })
    this.#looking.push(this.#look(machine, replica).catch(() => undefined))
    this.onStarted(machine, process)
  }

  /** What a machine starts with: the last write may have reached the disk although nobody was told. */
  async #look(machine: Machine, replica: Replica): Promise<void> {
    const entries = await storedEntries(replica)
    this.generations.note(machine.name, entries)
    this.losses.note(machine.name, entries)
    this.rot.note(machine.name, entries)
    this.delivery.resume(machine.name, entries)
    await this.durability.started(machine, replica, entries)
  }

  /** An entry of a machine's log cannot be read any more. */
  damaged(machine: Machine, position: Position): void {
    const entry = this.losses.entryAt(machine.name, position)
    if (entry !== undefined) this.rot.damaged(machine.name, entry)
    if (entry?.kind === 'base') this.delivery.headless(machine.name, entry.document)
    const key = this.losses.damaged(machine.name, position)
    if (key === undefined) return
    this.delivery.mayComeAgain(machine.name, key)
    this.links.damaged(machine.name, key)
  }

  /** Everything has been read, and everybody agrees. */
  async lossesAtRest(): Promise<void> {
    for (const [machine, key, document] of await this.losses.atRest(this.machines())) {
      // Who let a document go relied on who took it, and its copy may have rotted since.
      const relied = this.hasMoved(document) ? this.machines().map(({ name }) => name) : [machine]
      for (const name of relied) this.durability.release(name, key)
    }
  }

  /** What rotted where histories are cut. */
  async rotAtRest(): Promise<void> {
    await this.rot.atRest(this.machines())
    const { gone } = this.rot.lost
    this.durability.releaseAll((key) => gone.has(this.generations.firstKey(key)))
    this.generations.release((key) => this.rot.isLost(key))
  }

  /** The disk of a machine that is down went back to an older state. */
  restored(machine: Machine): void {
    this.losses.restored(machine.name)
    this.rot.restored(machine.name)
    this.durability.restored(machine.name)
    this.generations.restored(machine.name)
    this.links.restored(machine.name)
    this.delivery.restored(machine.name)
  }

  /** Waits for everything that was begun. */
  async looked(): Promise<void> {
    await Promise.all(this.#looking.splice(0))
  }
}
