import type { CollectionId } from '../../src/core/ids.ts'
import type { Checkers } from './checkers.ts'
import { CLOUD, type Machine, type Simulator } from './simulator.ts'

type Note = Record<string, unknown>

/** What users do: they create, edit and delete documents on any machine, and wait until it is safe. */
export class Workload {
  readonly #world: Simulator
  readonly #checkers: Checkers
  readonly #documents: number
  #edits = 0

  constructor(world: Simulator, checkers: Checkers, documents: number) {
    this.#world = world
    this.#checkers = checkers
    this.#documents = documents
  }

  get edits(): number {
    return this.#edits
  }

  /** One thing that some user does somewhere. It goes on while time passes. */
  act(): void {
    const { random } = this.#world
    const machine = random.pick(this.#world.machines)
    const collection = random.pick(machine.collections)
    const document = `${collection}/doc-${random.below(this.#documents)}`
    const key = random.pick(['name', 'image', 'replicas', 'note'])
    const value = random.chance(0.5) ? `value ${random.below(1_000)}` : random.below(1_000)
    const deletes = random.chance(0.04)
    const work = deletes
      ? this.#delete(machine, document)
      : this.#edit(machine, collection, document, key, value)
    // A crash in the middle, or a document that was deleted meanwhile, is part of the game.
    work.catch(() => undefined)
  }

  async #edit(
    machine: Machine,
    collection: CollectionId,
    document: string,
    key: string,
    value: unknown,
  ): Promise<void> {
    const process = machine.process
    if (process === undefined) return
    const handle = await process.replica.open<Note>(document, { collection })
    try {
      if (!process.alive || handle.deleted) return
      const hash = handle.change((draft) => {
        draft[key] = value
      })
      if (hash === undefined) return
      this.#edits += 1
      await handle.durable()
      if (!process.alive) return
      this.#checkers.promise(machine.name, { hash, document, collection })
      this.#world.note(`${machine.name} edited ${document} ${key}`)
      if (machine.name !== CLOUD && this.#world.random.chance(0.2)) {
        void handle.durable(CLOUD).then(
          () => this.#checkers.promise(CLOUD, { hash, document, collection }),
          () => undefined,
        )
      }
    } finally {
      await handle.close()
    }
  }

  async #delete(machine: Machine, document: string): Promise<void> {
    const process = machine.process
    if (process === undefined) return
    await process.replica.delete(document)
    this.#world.note(`${machine.name} deleted ${document}`)
  }
}
