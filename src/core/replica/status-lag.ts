import type { CollectionId, Position, ReplicaId } from '../ids.ts'
import type { StoredEntry } from '../log/entry.ts'

/** What is durable here and not acknowledged there. */
export interface Lag {
  readonly events: number
  readonly bytes: number
}

/** How many runs of positions one tally tells apart. Older ones share a run. */
const RUNS_MAX = 8

/** Collections, and peers that delivered something, for which is counted. The one not seen longest goes. */
const TALLIES_MAX = 16_384

interface Run {
  /** Past the positions of the run before. */
  readonly after: Position
  upTo: Position
  events: number
  bytes: number
}

/** How much came after a position: exact for what is new, by proportion within runs that are old. */
class Tally {
  readonly #runs: Run[] = []

  add(after: Position, upTo: Position, bytes: number): void {
    const last = this.#runs.at(-1)
    if (last?.after === after) {
      last.upTo = upTo
      last.events += 1
      last.bytes += bytes
      return
    }
    this.#runs.push({ after, upTo, events: 1, bytes })
    if (this.#runs.length > RUNS_MAX) this.#merge()
  }

  /** The two neighbours that are least together become one: runs get longer with their age. */
  #merge(): void {
    let at = 0
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i + 1 < this.#runs.length - 2; i += 1) {
      const events = (this.#runs[i]?.events ?? 0) + (this.#runs[i + 1]?.events ?? 0)
      if (events < least) {
        least = events
        at = i
      }
    }
    const [first, second] = this.#runs.slice(at, at + 2)
    if (first === undefined || second === undefined) return
    this.#runs.splice(at, 2, {
      after: first.after,
      upTo: second.upTo,
      events: first.events + second.events,
      bytes: first.bytes + second.bytes,
    })
  }

  since(position: Position): Lag {
    let events = 0
    let bytes = 0
    for (const run of this.#runs) {
      if (run.upTo <= position) continue
      const part = run.after >= position ? 1 : (run.upTo - position) / (run.upTo - run.after)
      events += Math.ceil(run.events * part)
      bytes += Math.ceil(run.bytes * part)
    }
    return { events, bytes }
  }
}

/**
 * How far each peer is behind.
 *
 * An append costs one step an entry, whoever shares it; a look costs one step a collection of the peer.
 * What was appended before this process started is counted by positions, as if all of it were the peer's:
 * a peer that connects has acknowledged it soon.
 */
export class LagTable {
  readonly #start: Position
  readonly #collections = new Map<CollectionId, Tally>()
  /** What each peer delivered: it is not behind with that. */
  readonly #delivered = new Map<ReplicaId, Tally>()
  #head: Position

  constructor(head: Position) {
    this.#start = head
    this.#head = head
  }

  appended(entries: readonly StoredEntry[], head: Position): void {
    const after = this.#head
    this.#head = head
    let last: StoredEntry | undefined
    let all: Tally | undefined
    let own: Tally | undefined
    for (const entry of entries) {
      const { collection, from, position, bytes } = entry
      // Entries of one collection from one peer come in runs.
      if (last?.collection !== collection || last.from !== from) {
        all = tallyOf(this.#collections, collection)
        own = from === undefined ? undefined : tallyOf(this.#delivered, `${from}\n${collection}`)
        last = entry
      }
      all?.add(after, position, bytes.length)
      own?.add(after, position, bytes.length)
    }
  }

  /** @param acked the newest position that the peer acknowledged as durable. */
  of(peer: ReplicaId, collections: Iterable<CollectionId>, acked: Position): Lag {
    let events = Math.max(0, this.#start - acked)
    let bytes = 0
    for (const collection of collections) {
      const all = this.#collections.get(collection)?.since(acked)
      const own = this.#delivered.get(`${peer}\n${collection}`)?.since(acked)
      events += Math.max(0, (all?.events ?? 0) - (own?.events ?? 0))
      bytes += Math.max(0, (all?.bytes ?? 0) - (own?.bytes ?? 0))
    }
    return { events, bytes }
  }
}

function tallyOf(tallies: Map<string, Tally>, key: string): Tally {
  const known = tallies.get(key)
  // The one that was seen last stands last.
  if (known !== undefined) tallies.delete(key)
  const tally = known ?? new Tally()
  tallies.set(key, tally)
  if (tallies.size > TALLIES_MAX) {
    for (const oldest of tallies.keys()) {
      tallies.delete(oldest)
      break
    }
  }
  return tally
}
