import type { DocumentId, EventHash, Position, ReplicaId } from '../../src/core/ids.ts'
import type { StoredEntry } from '../../src/core/log/entry.ts'
import { readEvent } from '../../src/core/log/event.ts'
import { cutsOf, type Reach } from '../../src/core/log/generation.ts'
import { readBeginning } from '../../src/core/log/generation-beginning.ts'
import { storedEntries } from './checkers-durability.ts'
import type { Account, GenerationChecker } from './checkers-generations.ts'
import { type Machine, nativeSha256 } from './simulator.ts'
import { eventKey, type World } from './world.ts'

/** What is in nobody's log any more, and what nobody can show. */
export interface Lost {
  /** Edits, by their first key, that every machine that ever had them lost with its disk. */
  readonly gone: ReadonlySet<string>
  /** Events that are kept, and of which who keeps them lost what they build on, as did all others. */
  readonly lame: ReadonlySet<string>
}

const NOTHING: Lost = { gone: new Set(), lame: new Set() }

/** An event that somebody has at the end. */
interface Present {
  readonly parents: readonly EventHash[]
  readonly document: DocumentId
  readonly holders: Set<ReplicaId>
  /** Somebody had it in its own generation, and not only when that was over. */
  isTimely: boolean
}

/** What all machines have at the end. */
interface Holdings {
  readonly accounts: ReadonlyMap<ReplicaId, Account>
  readonly events: ReadonlyMap<string, Present>
  readonly bases: ReadonlyMap<DocumentId, readonly Reach[]>
  /** Changes that make the states that documents begin with. */
  readonly states: ReadonlySet<string>
}

/**
 * What rots where histories are cut: with a state that a document begins with goes every edit in it. An edit is gone
 * only when each machine that ever had it, in whatever form, lost it so; what any machine holds must come back.
 */
export class RotChecker {
  readonly #world: World
  readonly #generations: GenerationChecker
  /** By machine: edits that it ever had, by first key; where they rotted, if they have not come again since. */
  readonly #had: Map<ReplicaId, Map<string, Position | undefined>> = new Map()
  /** By machine: the events and states that ever rotted there, by document and hash. */
  readonly #rotten: Map<ReplicaId, Set<string>> = new Map()
  /** By machine and document: the state that it begins with rotted here, and no other has come. */
  readonly #headless: Map<ReplicaId, Map<DocumentId, Position>> = new Map()
  /** What each event that anybody ever had was made after. */
  readonly #parents: Map<string, readonly EventHash[]> = new Map()
  lost: Lost = NOTHING

  constructor(world: World, generations: GenerationChecker) {
    this.#world = world
    this.#generations = generations
  }

  /** The machine appended this, or starts with it. */
  note(machine: ReplicaId, entries: readonly StoredEntry[]): void {
    if (!this.#generations.enabled) return
    const had = this.#hadBy(machine)
    for (const entry of entries) {
      const headless = this.#headless.get(machine)
      if (entry.kind === 'base' && headless?.get(entry.document) !== entry.position)
        headless?.delete(entry.document)
      if (entry.kind === 'event') this.#seeParents(entry)
      for (const key of this.#editsIn(entry))
        if (had.get(key) !== entry.position) had.set(key, undefined)
    }
  }

  #seeParents({ document, hash = '', bytes }: StoredEntry): void {
    const key = eventKey(document, hash)
    if (!this.#parents.has(key)) this.#parents.set(key, readEvent(bytes, nativeSha256).parents)
  }

  /** An entry rots. */
  damaged(machine: ReplicaId, entry: StoredEntry): void {
    if (!this.#generations.enabled || entry.hash === undefined) return
    const { document, position } = entry
    const had = this.#hadBy(machine)
    for (const key of this.#editsIn(entry)) had.set(key, position)
    const rotten = this.#rotten.get(machine) ?? new Set<string>()
    this.#rotten.set(machine, rotten)
    if (entry.kind === 'event') rotten.add(eventKey(document, entry.hash))
    if (entry.kind !== 'base') return
    const { change } = beginningOf(entry)
    if (change !== undefined) rotten.add(eventKey(document, change.header.hash))
    const headless = this.#headless.get(machine) ?? new Map<DocumentId, Position>()
    this.#headless.set(machine, headless)
    headless.set(document, position)
  }

  /** The disk of a machine that is down went back: it starts with what is there. */
  restored(machine: ReplicaId): void {
    this.#had.delete(machine)
    this.#headless.delete(machine)
  }

  /** Whether an edit rotted here, in whatever form, and has not come again. */
  isRotten(machine: ReplicaId, key: string): boolean {
    return this.#had.get(machine)?.get(this.#generations.firstKey(key)) !== undefined
  }

  /** Whether nobody has an edit any more, or nobody can show it. */
  isLost(key: string): boolean {
    return this.lost.gone.has(this.#generations.firstKey(key)) || this.#isLame(key)
  }

  #isLame(key: string): boolean {
    return this.lost.lame.has(this.#generations.firstKey(key))
  }

  /** Whether an event waits for what nobody has any more. */
  isStranded(document: DocumentId, hash: EventHash): boolean {
    return this.lost.lame.has(eventKey(document, hash))
  }

  /** Finds out what is lost by now. */
  async look(machines: readonly Machine[]): Promise<void> {
    if (!this.#generations.enabled || this.#rotten.size === 0) return
    this.lost = this.#lostOf(await this.#holdingsOf(machines))
  }

  /** Everybody agrees: what rotted is back if anybody holds it, and what is not is reported. */
  async atRest(machines: readonly Machine[]): Promise<void> {
    if (!this.#generations.enabled || this.#rotten.size === 0) return
    const holdings = await this.#holdingsOf(machines)
    this.lost = this.#lostOf(holdings)
    for (const machine of machines) {
      await this.#checkReport(machine)
      for (const [key, position] of this.#had.get(machine.name) ?? []) {
        if (position === undefined || this.isLost(key)) continue
        await this.#checkBack(machine, key, holdings.accounts)
      }
    }
  }

  async #checkBack(
    { name, process }: Machine,
    key: string,
    accounts: ReadonlyMap<ReplicaId, Account>,
  ): Promise<void> {
    if (accounts.get(name)?.has(key) !== false || this.#world.isSetAside(key)) return
    const [document = ''] = key.split(' ')
    if (this.#generations.isSetAside(key) || this.#world.isContested(document)) return
    const record = await process?.replica.record(document)
    if (record === undefined || record.left || record.deleted) return
    const holders = [...accounts].filter(([, account]) => account.has(key)).map(([other]) => other)
    if (holders.length === 0) return
    this.#world.fail('I1', `${name} was not given back ${key}, which ${holders.join('+')} has`)
  }

  async #checkReport({ name, process }: Machine): Promise<void> {
    const damaged = (await process?.replica.status())?.damaged ?? []
    for (const [document, position] of this.#headless.get(name) ?? []) {
      const record = await process?.replica.record(document)
      if (record === undefined || record.left || cutsOf(record.generation) > 0) continue
      const report = damaged.find((other) => other.document === document)
      if (report?.positions.includes(position) !== true)
        this.#world.fail('I1', `${name} does not say that it lost what ${document} begins with`)
    }
  }

  #lostOf(holdings: Holdings): Lost {
    const lameEvents = this.#lameEvents(holdings)
    const lame = new Set(lameEvents)
    const gone = new Set<string>()
    const isWhole = new Set<string>()
    const forms = new Set<string>()
    for (const key of holdings.events.keys()) {
      const first = this.#generations.firstKey(key)
      forms.add(first)
      if (!lameEvents.has(key)) isWhole.add(first)
    }
    for (const first of forms)
      if (!isWhole.has(first) && !this.#isInState(first, holdings)) lame.add(first)
    for (const first of new Set([...this.#had.values()].flatMap((had) => [...had.keys()]))) {
      const places = [...this.#had.values()].filter((had) => had.has(first))
      if (!places.every((had) => had.get(first) !== undefined)) continue
      if (![...holdings.accounts.values()].some((account) => account.has(first))) gone.add(first)
    }
    return { gone, lame }
  }

  /** Events that build on what rotted where they are kept, and is nowhere else. */
  #lameEvents({ events, states }: Holdings): Set<string> {
    const lame = new Set<string>()
    for (let before = -1; before !== lame.size; ) {
      before = lame.size
      for (const [key, { parents, document, holders, isTimely }] of events) {
        if (lame.has(key)) continue
        const waiting = parents.map((parent) => eventKey(document, parent))
        // It was left to its author to write it again, who lost it.
        const isCut = waiting.some((on) => !events.has(on) && !states.has(on))
        if (isCut && !isTimely && this.#rottedAnywhere(key)) {
          lame.add(key)
          continue
        }
        const seen = new Set(waiting)
        for (let on = waiting.pop(); on !== undefined; on = waiting.pop()) {
          const isRotten = [...holders].some((holder) => this.#rotten.get(holder)?.has(on ?? ''))
          const isHere = events.has(on) || states.has(on)
          if (lame.has(on) || (isRotten && !isHere)) {
            lame.add(key)
            break
          }
          // What it builds on went with its generation, and may have rotted before.
          for (const parent of isHere ? [] : (this.#parents.get(on) ?? [])) {
            const next = eventKey(document, parent)
            if (!seen.has(next)) waiting.push(next)
            seen.add(next)
          }
        }
      }
    }
    return lame
  }

  #rottedAnywhere(key: string): boolean {
    return [...this.#rotten.values()].some((rotten) => rotten.has(key))
  }

  #isInState(first: string, { bases }: Holdings): boolean {
    const [document = ''] = first.split(' ')
    return (bases.get(document) ?? []).some((reach) => this.#generations.isReached(first, reach))
  }

  async #holdingsOf(machines: readonly Machine[]): Promise<Holdings> {
    const accounts = new Map<ReplicaId, Account>()
    const events = new Map<string, Present>()
    const bases = new Map<DocumentId, Reach[]>()
    const states = new Set<string>()
    for (const { name, process } of machines) {
      if (process === undefined) continue
      const entries = await storedEntries(process.replica)
      const stored = new Set<string>()
      const see = (document: DocumentId, bytes: Uint8Array, isTimely: boolean): void => {
        const { hash, parents } = readEvent(bytes, nativeSha256)
        const key = eventKey(document, hash)
        stored.add(this.#generations.firstKey(key))
        const none = { parents, document, holders: new Set<ReplicaId>(), isTimely: false }
        const present = events.get(key) ?? none
        present.holders.add(name)
        present.isTimely ||= isTimely
        events.set(key, present)
      }
      for (const entry of entries) {
        if (entry.kind === 'event') see(entry.document, entry.bytes, true)
        if (entry.kind !== 'base') continue
        const { change, reach } = beginningOf(entry)
        bases.set(entry.document, [...(bases.get(entry.document) ?? []), reach])
        if (change !== undefined) states.add(eventKey(entry.document, change.header.hash))
      }
      for await (const { document, bytes, from } of process.replica.late())
        see(document, bytes, from === undefined)
      const account = await this.#generations.account(process.replica, entries)
      accounts.set(name, {
        has: (key) => stored.has(this.#generations.firstKey(key)) || account.has(key),
      })
    }
    return { accounts, events, bases, states }
  }

  /** The edits in an entry, by first key. */
  #editsIn(entry: StoredEntry): readonly string[] {
    const { kind, document, hash } = entry
    if (kind === 'event' && hash !== undefined)
      return [this.#generations.firstKey(eventKey(document, hash))]
    return kind === 'base' ? this.#generations.reachedBy(document, beginningOf(entry).reach) : []
  }

  #hadBy(machine: ReplicaId): Map<string, Position | undefined> {
    const known = this.#had.get(machine)
    if (known !== undefined) return known
    const made = new Map<string, Position | undefined>()
    this.#had.set(machine, made)
    return made
  }
}

function beginningOf({
  document,
  generation,
  bytes,
}: StoredEntry): ReturnType<typeof readBeginning> {
  return readBeginning(document, generation, bytes, nativeSha256)
}
