import { describe, expect, test } from 'vitest'

import type { Replica } from '../../src/core/replica/replica.ts'
import { type Machine, type Process, Simulator } from './simulator.ts'
import { CLOUD, SHARED, TOPOLOGIES, topology } from './topology.ts'

const only = process.env['COMPACTION_SEED']
const count = Number(process.env['COMPACTION_SEEDS'] ?? 20)
const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)]

const CONVERGENCE_MS = 240_000
const STEPS = 60
const DOCUMENTS = 2

const KIND = {
  name: 'test/v1',
  shape: {
    type: 'map',
    fields: { items: { type: 'list', keys: ['name'] }, count: { type: 'counter' } },
  },
  skeleton: [],
} as const

type Item = { name: string; by: string }
type Value = { items?: Item[]; count?: number } & Record<string, unknown>

/** What one machine did to one document: parts of it that nobody else writes. */
interface Written {
  /** The last number that was safe, and the last that was written. */
  safe: number
  last: number
  readonly items: Set<string>
}

/** Everything that was written, and what of it was promised to be kept. */
class Books {
  readonly written = new Map<string, Written>()
  counted = new Map<string, { safe: number; tried: number }>()

  of(machine: string, document: string): Written {
    const key = `${machine} ${document}`
    const known = this.written.get(key) ?? { safe: 0, last: 0, items: new Set<string>() }
    this.written.set(key, known)
    return known
  }

  counts(document: string): { safe: number; tried: number } {
    const known = this.counted.get(document) ?? { safe: 0, tried: 0 }
    this.counted.set(document, known)
    return known
  }
}

async function edit(world: Simulator, machine: Machine, books: Books): Promise<void> {
  const running = machine.process
  if (running === undefined) return
  const { random } = world
  const document = `${SHARED}/doc-${random.below(DOCUMENTS)}`
  const action = random.below(3)
  const times = 1 + random.below(3)
  const handle = await running.replica.open<Value>(document, { collection: SHARED, kind: KIND })
  try {
    for (let i = 0; i < times && running.alive; i += 1) {
      const mine = books.of(machine.name, document)
      mine.last += 1
      const number = mine.last
      const counts = books.counts(document)
      const item = { name: `${machine.name}-${number}`, by: machine.name }
      if (action === 0) counts.tried += 1
      handle.change((draft) => {
        draft[machine.name] = number
        if (action === 0) draft.count = (draft.count ?? 0) + 1
        if (action === 1) draft.items = [...(draft.items ?? []), item]
      })
      if (random.chance(0.5)) continue
      await handle.durable()
      if (!running.alive) return
      mine.safe = Math.max(mine.safe, number)
      if (action === 1) mine.items.add(item.name)
    }
    await handle.durable()
  } finally {
    await handle.close()
  }
}

function fault(world: Simulator): void {
  const { random, network } = world
  const a = random.pick(world.machines)
  const b = random.pick(world.machines)
  switch (random.below(6)) {
    case 0:
      world.crash(a)
      world.time.after(random.between(1, 8_000), () => world.start(a))
      return
    case 1:
      network.block(a.name, b.name)
      return network.block(b.name, a.name)
    case 2:
      network.unblock(b.name, a.name)
      return network.unblock(a.name, b.name)
    case 3:
      a.disk.syncMsMax = random.pick([0.1, 5, 300])
      return
    case 4:
      a.disk.full = true
      world.time.after(random.between(10, 4_000), () => {
        a.disk.full = false
      })
      return
    default:
      return network.breakBetween(a.name, b.name)
  }
}

/** One life of a world in which the cloud cuts histories at any moment. */
async function simulate(seed: number): Promise<{ world: Simulator; failures: readonly string[] }> {
  const noted: string[] = []
  const witness = {
    appended: (machine: Machine, entries: readonly { kind: string; document: string }[]) => {
      for (const { kind, document } of entries)
        if (kind === 'base') world.note(() => `${machine.name} begins a generation of ${document}`)
    },
    started: (_machine: Machine, _process: Process) => undefined,
  }
  const world = new Simulator(seed, witness)
  const { random } = world
  const places = topology(random.pick(TOPOLOGIES), 2 + random.below(2), random)
  world.build(places.map((place) => ({ ...place, collections: [SHARED] })))
  const books = new Books()
  for (const machine of world.machines) world.start(machine)
  await world.advance(1_000)
  const cloud = world.machine(CLOUD)
  for (let i = 0; i < DOCUMENTS; i += 1) {
    const options = { collection: SHARED, kind: KIND }
    const first = await cloud.process?.replica.open<Value>(`${SHARED}/doc-${i}`, options)
    first?.change(() => ({ items: [], count: 0 }))
    await world.advance(100)
    await first?.close()
  }
  await world.advance(10_000)
  for (let step = 0; step < STEPS; step += 1) {
    for (let i = random.below(3); i > 0; i -= 1) {
      void edit(world, random.pick(world.machines), books).catch(() => undefined)
    }
    if (random.chance(0.3)) {
      const document = `${SHARED}/doc-${random.below(DOCUMENTS)}`
      void cloud.process?.replica.compact(document).catch(() => undefined)
    }
    if (random.chance(0.2)) fault(world)
    await world.advance(random.pick([1, 5, 50, 400, 3_000]))
  }
  noted.push(...(await converge(world, books)))
  await world.close()
  return { world, failures: [...noted, ...world.problems] }
}

async function converge(world: Simulator, books: Books): Promise<readonly string[]> {
  const sinceMs = world.time.nowMs
  world.network.heal()
  for (const machine of world.machines) {
    machine.disk.syncMsMax = 5
    machine.disk.full = false
    world.start(machine)
  }
  world.note(() => 'the faults stop')
  let states: readonly string[] = []
  while (world.time.nowMs - sinceMs < CONVERGENCE_MS) {
    await world.advance(2_000)
    states = await world.until(Promise.all(world.machines.map((machine) => stateOf(machine))))
    if (new Set(states).size === 1 && !(states[0] ?? '').includes('late')) break
  }
  if (new Set(states).size !== 1) return [`the replicas differ:\n${states.join('\n---\n')}`]
  const replica = world.machines[0]?.process?.replica
  return replica === undefined ? ['nothing runs'] : await world.until(check(replica, books, states))
}

async function stateOf(machine: Machine): Promise<string> {
  const replica = machine.process?.replica
  if (replica === undefined) return `${machine.name} does not run`
  const lines = [await replica.digest([SHARED])]
  for (let i = 0; i < DOCUMENTS; i += 1) lines.push(JSON.stringify(await shownIn(replica, i)))
  for await (const { document, hash } of replica.late()) lines.push(`late ${document} ${hash}`)
  return lines.join('\n')
}

async function shownIn(replica: Replica, number: number): Promise<Value> {
  const id = `${SHARED}/doc-${number}`
  const handle = await replica.open<Value>(id, { collection: SHARED, kind: KIND })
  const { value } = handle
  await handle.close()
  return value
}

/** Everything that was promised is there, and nothing is there twice. */
async function check(
  replica: Replica,
  books: Books,
  states: readonly string[],
): Promise<readonly string[]> {
  const failures: string[] = []
  if ((states[0] ?? '').includes('late')) failures.push(`something stays aside:\n${states[0]}`)
  for (let i = 0; i < DOCUMENTS; i += 1) {
    const value = await shownIn(replica, i)
    for (const [key, { safe, last, items }] of books.written) {
      const [machine = '', document = ''] = key.split(' ')
      if (document !== `${SHARED}/doc-${i}`) continue
      const shown = Number(value[machine] ?? 0)
      if (shown < safe || shown > last) {
        failures.push(`${key} shows ${shown}, and ${safe} was safe of ${last}`)
      }
      const names = new Set((value.items ?? []).map(({ name }) => name))
      for (const item of items) if (!names.has(item)) failures.push(`${key} lost ${item}`)
    }
    const { tried } = books.counts(`${SHARED}/doc-${i}`)
    if ((value.count ?? 0) > tried) failures.push(`doc-${i} counts ${value.count} of ${tried}`)
  }
  return failures
}

describe('replicas whose documents are cut at any moment, through faults', () => {
  for (const seed of seeds) {
    test(`lose nothing and agree, seed ${seed}`, async () => {
      const { world, failures } = await simulate(seed)
      if (failures.length > 0 || only !== undefined) {
        console.error(`rerun with COMPACTION_SEED=${seed} npx vitest run --project simulation`)
        console.error(world.trace.slice(only === undefined ? -30 : 0).join('\n'))
      }
      expect(failures).toEqual([])
    })
  }
})
