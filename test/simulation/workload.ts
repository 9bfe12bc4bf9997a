import type { DocumentHandle } from '../../src/core/document/handle.ts'
import type { CollectionId, DocumentId } from '../../src/core/ids.ts'
import type { Checkers } from './checkers.ts'
import type { Promised } from './checkers-durability.ts'
import type { Mark } from './checkers-generations.ts'
import type { Machine, Process, Simulator } from './simulator.ts'
import { CLOUD, ownCollection, SHARED } from './topology.ts'
import { eventKey } from './world.ts'

type Note = Record<string, unknown>

/** What users of a world do. */
export interface WorkloadOptions {
  /** Documents in each collection. */
  readonly documents: number
  readonly deletes: boolean
  /** The cloud gives documents other homes. */
  readonly moves: boolean
  /** The longest text that an edit sets. */
  readonly textMax: number
}

/** What users do: they create, edit, move and delete documents on any machine, and wait until it is safe. */
export class Workload {
  readonly #world: Simulator
  readonly #checkers: Checkers
  readonly #options: WorkloadOptions
  #edits = 0

  constructor(world: Simulator, checkers: Checkers, options: WorkloadOptions) {
    this.#world = world
    this.#checkers = checkers
    this.#options = options
  }

  /** Edits may be large. */
  get isBulky(): boolean {
    return this.#options.textMax > 1
  }

  get edits(): number {
    return this.#edits
  }

  /** One thing that some user does somewhere. It goes on while time passes. */
  act(): void {
    const { random } = this.#world
    const machine = random.pick(this.#world.machines)
    const { process } = machine
    const collection = random.pick(machine.collections)
    const document = `${collection}/doc-${random.below(this.#options.documents)}`
    const chance = random.next()
    if (process === undefined) return
    // A crash in the middle, or a document that was deleted meanwhile, is part of the game.
    this.#work(machine, process, collection, document, chance).catch(() => undefined)
  }

  #work(
    machine: Machine,
    process: Process,
    collection: CollectionId,
    document: DocumentId,
    chance: number,
  ): Promise<void> {
    const { deletes, moves } = this.#options
    // Who may not write may still try, and is told.
    const mayWrite = machine.writes?.includes(collection) !== false
    if (deletes && mayWrite && chance < 0.04) return this.#delete(machine, process, document)
    if (moves && machine.name === CLOUD && chance < 0.3)
      return this.#move(process, document, this.#world.random.pick(this.#homes()))
    return this.edit(machine, process, collection, document, !mayWrite)
  }

  #homes(): readonly CollectionId[] {
    const edges = this.#world.machines.filter(({ name }) => name.startsWith('edge-'))
    return [SHARED, ...edges.map(({ name }) => ownCollection(name))]
  }

  async edit(
    machine: Machine,
    process: Process,
    collection: CollectionId,
    document: DocumentId,
    forbidden = false,
  ): Promise<void> {
    const { random } = this.#world
    const change = this.#change()
    let mark: Mark | undefined
    const asks = machine.name !== CLOUD && random.chance(0.2)
    const handle = await process.replica.open<Note>(document, { collection })
    try {
      if (!process.alive || handle.deleted) return
      const hash = handle.change((draft) => {
        change(draft)
        if (!this.#checkers.generations.enabled || forbidden) return
        mark = this.#checkers.generations.next(machine.name, document, draft)
        draft[mark.key] = mark.number
      })
      if (hash === undefined) return
      this.#edits += 1
      if (forbidden) this.#checkers.access.forbidden(machine.name, eventKey(document, hash))
      await handle.durable()
      if (!process.alive || forbidden) return
      // On its way to the disk when its generation ended, it was made anew under another name.
      const [head = hash, other] = handle.heads
      const isAnew =
        other === undefined && !this.#checkers.has(machine.name, eventKey(document, hash))
      if (mark !== undefined) this.#checkers.generations.safe(mark, isAnew ? head : hash)
      const home = handle.collection
      this.#checkers.durability.promise(machine.name, { hash, document, collection: home })
      this.#world.note(() => `${machine.name} edited ${document}`)
      if (!asks || !machine.dials.includes(CLOUD)) return
      void this.#askCloud(process, handle, { hash, document, collection: home })
    } finally {
      await handle.close()
    }
  }

  /** The cloud has it, or refused it, which the author can see by then. */
  async #askCloud(
    { replica }: Process,
    handle: DocumentHandle<unknown>,
    promised: Promised,
  ): Promise<void> {
    try {
      await handle.durable(CLOUD)
      for await (const { document, hash } of replica.rejected())
        if (document === promised.document && hash === promised.hash) return
      this.#checkers.durability.held(CLOUD, promised)
    } catch {
      // The process is over before anybody answers.
    }
  }

  #change(): (draft: Note) => void {
    const { random } = this.#world
    const key = random.pick(['name', 'image', 'replicas', 'note', 'spec'])
    const number = random.below(1_000)
    const length = random.chance(0.5) ? random.below(this.#options.textMax) : 0
    const value = random.chance(0.5) ? `value ${number}${'.'.repeat(length)}` : number
    const field = random.pick(['a', 'b'])
    return (draft) => {
      if (key === 'spec') draft[key] = { ...(draft[key] as object | undefined), [field]: value }
      else if (number % 17 === 0) delete draft[key]
      else draft[key] = value
    }
  }

  async #delete(machine: Machine, process: Process, document: DocumentId): Promise<void> {
    await process.replica.delete(document)
    this.#world.note(() => `${machine.name} deleted ${document}`)
  }

  async #move(process: Process, document: DocumentId, to: CollectionId): Promise<void> {
    if ((await process.replica.record(document)) === undefined) return
    this.#checkers.moved(document)
    await process.replica.move(document, to)
    this.#world.note(() => `${document} moves to ${to}`)
  }

  /** Somebody looks at a document all the time. */
  async watch(machine: Machine, process: Process, document: DocumentId): Promise<void> {
    const handle = await process.replica.open(document, { collection: SHARED })
    if (process.alive) this.#checkers.delivery.watch(machine, handle)
    this.#watching.add(handle)
  }

  readonly #watching = new Set<{ close(): Promise<void> }>()

  /** Nobody looks any more. */
  async stopWatching(): Promise<void> {
    for (const handle of this.#watching) await handle.close()
    this.#watching.clear()
  }
}
