import { expect, test } from 'vitest'
import { Checkers } from './checkers.ts'
import { StateChecker } from './checkers-state.ts'
import { type Machine, Simulator } from './simulator.ts'
import { CLOUD, edgeName, SHARED, TOPOLOGIES, type TopologyName, topology } from './topology.ts'

const EDGES = 4
const DOCUMENT = `${SHARED}/note`

interface Standing {
  readonly world: Simulator
  readonly checkers: Checkers
  readonly state: StateChecker
}

/** A world at rest with one document that everybody has. */
async function standing(name: TopologyName): Promise<Standing> {
  const checkers = new Checkers()
  const world = new Simulator(11, checkers)
  checkers.attach(world)
  world.build(topology(name, EDGES, world.random))
  for (const machine of world.machines) world.start(machine)
  await world.advance(2_000)
  await write(world, world.machine(edgeName(1)), 'first')
  await world.advance(5_000)
  expect(await readers(world, 'first')).toEqual(world.machines.map((machine) => machine.name))
  return { world, checkers, state: new StateChecker(checkers) }
}

async function write(world: Simulator, machine: Machine, text: string): Promise<void> {
  const replica = machine.process?.replica
  if (replica === undefined) throw new Error(`${machine.name} is not running`)
  const handle = await world.until(
    replica.open<Record<string, unknown>>(DOCUMENT, { collection: SHARED }),
  )
  handle.change((draft) => {
    draft[`by ${machine.name}`] = text
  })
  await world.until(handle.durable())
  await handle.close()
}

/** The machines whose document has this text somewhere. */
async function readers(world: Simulator, text: string): Promise<readonly string[]> {
  const names: string[] = []
  for (const { name, process } of world.machines) {
    if (process === undefined) continue
    const handle = await world.until(process.replica.open(DOCUMENT, { collection: SHARED }))
    if (Object.values(handle.value).includes(text)) names.push(name)
    await handle.close()
  }
  return names
}

async function settled({ world, checkers, state }: Standing): Promise<void> {
  for (const machine of world.machines) {
    if (machine.process !== undefined) await world.until(state.of(machine, SHARED, true))
  }
  await world.close()
  expect([...checkers.failures, ...world.problems]).toEqual([])
}

/** Topologies in which the edges reach each other without the cloud. */
const LOCAL: readonly TopologyName[] = ['neighbours', 'chain', 'ring', 'mesh']

test.each(LOCAL)(
  '%s: with the cloud gone, an edit at one end reaches the other end, once',
  async (name) => {
    const place = await standing(name)
    const { world, checkers } = place
    world.crash(world.machine(CLOUD))
    await world.advance(5_000)
    checkers.links.reset()
    await write(world, world.machine(edgeName(1)), 'over local peers')
    await world.advance(20_000)
    const edges = Array.from({ length: EDGES }, (_, i) => edgeName(i + 1))
    expect(await readers(world, 'over local peers')).toEqual(edges)
    // The other way round, and at both ends at once.
    await write(world, world.machine(edgeName(EDGES)), 'back')
    await write(world, world.machine(edgeName(1)), 'forth')
    await world.advance(20_000)
    expect(await readers(world, 'back')).toEqual(edges)
    expect(await readers(world, 'forth')).toEqual(edges)
    // Nothing goes round for ever: a world at rest says nothing about its logs.
    checkers.links.reset()
    await world.advance(120_000)
    expect([...checkers.links.costs]).toEqual([])
    await settled(place)
  },
)

test.each(TOPOLOGIES)(
  '%s: the cloud comes back and gets what was said without it',
  async (name) => {
    const place = await standing(name)
    const { world } = place
    world.crash(world.machine(CLOUD))
    for (const machine of world.machines) {
      if (machine.process !== undefined) await write(world, machine, `alone, ${machine.name}`)
    }
    await world.advance(30_000)
    world.start(world.machine(CLOUD))
    await world.advance(60_000)
    const all = world.machines.map((machine) => machine.name)
    for (let i = 1; i <= EDGES; i += 1)
      expect(await readers(world, `alone, ${edgeName(i)}`)).toEqual(all)
    await settled(place)
  },
)

test('star: edges without a way to each other wait for the cloud', async () => {
  const place = await standing('star')
  const { world } = place
  world.crash(world.machine(CLOUD))
  await world.advance(5_000)
  await write(world, world.machine(edgeName(1)), 'for later')
  await world.advance(30_000)
  expect(await readers(world, 'for later')).toEqual([edgeName(1)])
  world.start(world.machine(CLOUD))
  await world.advance(60_000)
  expect((await readers(world, 'for later')).length).toBe(EDGES + 1)
  await settled(place)
})

test('ring: a link breaks, and everything goes the other way round', async () => {
  const place = await standing('ring')
  const { world } = place
  world.network.block(edgeName(1), edgeName(2))
  world.network.block(edgeName(2), edgeName(1))
  world.network.breakBetween(edgeName(1), edgeName(2))
  await world.advance(2_000)
  await write(world, world.machine(edgeName(1)), 'the long way')
  await world.advance(20_000)
  expect(await readers(world, 'the long way')).toEqual(world.machines.map(({ name }) => name))
  world.network.heal()
  await world.advance(60_000)
  await settled(place)
})
