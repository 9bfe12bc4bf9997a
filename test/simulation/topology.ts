import type { CollectionId, ReplicaId } from '../../src/core/ids.ts'
import type { SeededRandom } from './random.ts'

export const CLOUD: ReplicaId = 'cloud'
export const SHARED: CollectionId = 'shared/all'
/** A machine that is let in and means harm. */
export const HOSTILE: ReplicaId = 'mallory'

export function ownCollection(name: ReplicaId): CollectionId {
  return `node/${name}`
}

/** Whether a collection, or the collection of a document, is what the one that means harm may write. */
export function isHarmed(id: string): boolean {
  return id.startsWith(ownCollection(HOSTILE))
}

export function edgeName(number: number): ReplicaId {
  return `edge-${number}`
}

/** How the machines of a world are linked. */
export type TopologyName = 'star' | 'neighbours' | 'chain' | 'ring' | 'mesh' | 'random'

export const TOPOLOGIES: readonly TopologyName[] = [
  'star',
  'neighbours',
  'chain',
  'ring',
  'mesh',
  'random',
]

/** One machine's place. */
export interface Place {
  readonly name: ReplicaId
  readonly dials: readonly ReplicaId[]
  /** What it holds: what all share, its own, and what it passes on for others. */
  readonly collections: readonly CollectionId[]
}

/** A cloud and `edges` edges. Who is not linked to the cloud reaches it through others. */
export function topology(name: TopologyName, edges: number, random: SeededRandom): Place[] {
  const names = [CLOUD, ...Array.from({ length: edges }, (_, i) => edgeName(i + 1))]
  const dials = names.map((_, i) => dialled(name, i, edges, random).map((k) => names[k] ?? CLOUD))
  const places = names.map((machine, i) => ({
    name: machine,
    dials: dials[i] ?? [],
    collections: [SHARED] as CollectionId[],
  }))
  for (const place of places.slice(1)) {
    for (const machine of way(place.name, places)) {
      places.find((other) => other.name === machine)?.collections.push(ownCollection(place.name))
    }
  }
  return places
}

/** Whom the machine with this number dials: always some of those before it, and in a ring one more. */
function dialled(
  name: TopologyName,
  number: number,
  edges: number,
  random: SeededRandom,
): readonly number[] {
  if (number === 0) return []
  const before = number - 1
  switch (name) {
    case 'star':
      return [0]
    case 'neighbours':
      return before === 0 ? [0] : [0, before]
    case 'chain':
      return [before]
    case 'ring':
      return number === edges && edges > 1 ? [before, 0] : [before]
    case 'mesh':
      return Array.from({ length: number }, (_, i) => i)
    case 'random': {
      const first = random.below(number)
      const second = random.below(number)
      return first === second ? [first] : [first, second]
    }
  }
}

/** The machines on the shortest way from an edge to the cloud, both included. */
function way(from: ReplicaId, places: readonly Place[]): readonly ReplicaId[] {
  const ways: ReplicaId[][] = [[from]]
  const seen = new Set([from])
  for (let path = ways.shift(); path !== undefined; path = ways.shift()) {
    const here = path.at(-1) ?? from
    if (here === CLOUD) return path
    for (const next of linked(here, places)) {
      if (seen.has(next)) continue
      seen.add(next)
      ways.push([...path, next])
    }
  }
  throw new Error('every edge reaches the cloud')
}

function linked(name: ReplicaId, places: readonly Place[]): readonly ReplicaId[] {
  const dials = places.find((place) => place.name === name)?.dials ?? []
  const dialledBy = places.filter((place) => place.dials.includes(name)).map((place) => place.name)
  return [...dials, ...dialledBy]
}
