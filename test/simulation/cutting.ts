import type { CollectionId, DocumentId, ReplicaId } from '../../src/core/ids.ts'
import type { CompactionOptions } from '../../src/core/replica/compaction.ts'
import type { Replica } from '../../src/core/replica/replica.ts'
import type { Faults } from './faults.ts'
import type { SeededRandom } from './random.ts'
import type { Machine, Simulator } from './simulator.ts'
import { CLOUD, HOSTILE, ownCollection, SHARED } from './topology.ts'

/** How histories are cut in a world. */
interface Manner {
  /** By the policy of each owner, too. */
  readonly policy: Omit<CompactionOptions, 'owns'> | undefined
  /** How often somebody cuts by hand, a step. */
  readonly byHand: number
  /** How often a cut by hand ends in a crash. */
  readonly crashes: number
}

/**
 * Cuts the history of documents at any moment: each collection has one machine that may. Who is away then
 * comes back with edits of a generation that is over.
 */
export class Cutting {
  readonly #world: Simulator
  readonly #random: SeededRandom
  readonly #manner: Manner
  #over = false

  constructor(world: Simulator, random: SeededRandom) {
    this.#world = world
    this.#random = random
    const events = random.pick([2, 5, 12])
    const waitEvents = random.pick([1, 3, 1_000]) * events
    const ageMs = random.chance(0.3) ? 500 : undefined
    // As secrets are kept: cut after every edit, whoever lacks it.
    const isSecret = random.chance(0.3)
    const withoutHistory = isSecret ? (name: CollectionId) => name !== SHARED : undefined
    this.#manner = {
      policy: random.chance(0.6) ? { events, waitEvents, ageMs, withoutHistory } : undefined,
      byHand: random.pick([0.1, 0.3, 0.6]),
      crashes: random.pick([0, 0.3]),
    }
  }

  /** What a machine is started with. */
  options(machine: Machine): CompactionOptions | undefined {
    const { policy } = this.#manner
    if (policy === undefined) return undefined
    return { ...policy, owns: (name) => !this.#over && ownerOf(name) === machine.name }
  }

  /** Somebody may cut something now. */
  act(faults: Faults): void {
    const random = this.#random
    if (!random.chance(this.#manner.byHand)) return
    const machine = random.pick(this.#world.machines)
    const owned = machine.collections.filter((name) => ownerOf(name) === machine.name)
    const { process } = machine
    if (process === undefined || owned.length === 0) return
    const document = `${random.pick(owned)}/doc-${random.below(3)}`
    this.#cut(machine.name, process.replica, document).catch(() => undefined)
    if (!random.chance(this.#manner.crashes)) return
    this.#world.time.after(random.between(0, 12), () => faults.strike('crash', machine, machine))
  }

  /** Each cuts what is at home with it: others would not take its word for the rest. */
  async #cut(name: ReplicaId, replica: Replica, document: DocumentId): Promise<void> {
    const record = await replica.record(document)
    if (record === undefined || ownerOf(record.collection) !== name) return
    this.#world.note(() => `${name} cuts ${document}`)
    await replica.compact(document)
  }

  /** From now on nothing is cut any more. */
  stop(): void {
    this.#over = true
  }
}

/** Who cuts what is at home in a collection. */
function ownerOf(collection: CollectionId): ReplicaId {
  if (collection === SHARED) return CLOUD
  if (collection === ownCollection(HOSTILE)) return CLOUD
  return collection.startsWith(ownCollection('')) ? collection.slice('node/'.length) : CLOUD
}
