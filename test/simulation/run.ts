import { Checkers, stateOf } from './checkers.ts'
import { CLOUD, type Machine, ownCollection, SHARED, Simulator } from './simulator.ts'
import { Workload } from './workload.ts'

/** How long all replicas may take to converge once the faults have stopped, in simulated time. */
export const CONVERGENCE_MS = 120_000

export interface RunOptions {
  readonly seed: number
  /** Steps of the safety phase. */
  readonly steps?: number | undefined
}

export interface RunResult {
  readonly failures: readonly string[]
  readonly trace: readonly string[]
  readonly edits: number
  readonly promises: number
  readonly crashes: number
  /** How long the replicas took to converge, in simulated time. */
  readonly convergedMs: number
}

/** One life of a world: first everything goes wrong, then nothing does and all must agree. */
export async function simulate(options: RunOptions): Promise<RunResult> {
  const { seed, steps = 60 } = options
  const checkers = new Checkers()
  const world = new Simulator(seed, checkers)
  const { random } = world
  world.build(2 + random.below(3), random.chance(0.5))
  const workload = new Workload(world, checkers, 1 + random.below(6))
  for (const machine of world.machines) world.start(machine)
  await world.advance(500)
  let crashes = 0
  for (let step = 0; step < steps; step += 1) {
    for (let i = random.below(4); i > 0; i -= 1) workload.act()
    if (random.chance(0.25)) crashes += chooseFault(world)
    await world.advance(random.pick([5, 50, 400, 3_000]))
    if (checkers.failures.length > 0) break
  }
  const convergedMs = await converge(world, checkers)
  const { edits } = workload
  await world.close()
  const failures = [...checkers.failures, ...world.problems]
  return { failures, trace: world.trace, edits, promises: checkers.promises, crashes, convergedMs }
}

/** Makes something go wrong, or right again. Returns how many machines it crashed. */
function chooseFault(world: Simulator): number {
  const { random, network } = world
  const a = random.pick(world.machines)
  const b = random.pick(world.machines)
  switch (random.below(9)) {
    case 0:
    case 1:
      world.crash(a)
      world.time.after(random.between(1, 8_000), () => world.start(a))
      return 1
    case 2:
      network.breakBetween(a.name, b.name)
      return 0
    case 3:
      network.block(a.name, b.name)
      world.note(`${a.name} cannot reach ${b.name}`)
      return 0
    case 4:
      network.block(a.name, b.name)
      network.block(b.name, a.name)
      world.note(`${a.name} and ${b.name} are cut off`)
      return 0
    case 5:
      // In another order than they were blocked: what waited arrives late and in bursts.
      network.unblock(b.name, a.name)
      world.time.after(random.between(1, 5_000), () => network.unblock(a.name, b.name))
      return 0
    case 6:
      network.faults = {
        delayMsMin: 1,
        delayMsMax: random.pick([2, 50, 900]),
        loss: random.pick([0, 0.01, 0.1]),
      }
      return 0
    case 7:
      a.disk.syncMsMax = random.pick([0.1, 5, 300])
      return 0
    default:
      a.process?.clock.jump(random.between(-3_600_000, 3_600_000))
      return 0
  }
}

/** The faults stop. All replicas must agree within {@link CONVERGENCE_MS}. */
async function converge(world: Simulator, checkers: Checkers): Promise<number> {
  const since = world.time.nowMs
  world.network.heal()
  world.network.faults = { delayMsMin: 1, delayMsMax: 40, loss: 0 }
  for (const machine of world.machines) {
    machine.disk.syncMsMax = 5
    world.start(machine)
  }
  world.note('the faults stop')
  let differences: readonly string[] = ['nobody has looked yet']
  while (world.time.nowMs - since < CONVERGENCE_MS) {
    await world.advance(2_000)
    differences = await world.until(differencesOf(world))
    if (differences.length === 0) break
  }
  for (const difference of differences) checkers.failures.push(`I3: ${difference}`)
  for (const machine of world.machines) {
    if (machine.process === undefined) continue
    await world.until(checkers.checkPromises(machine.name, machine.process.replica))
  }
  await world.until(checkers.checkEverywhere(world.machines))
  return world.time.nowMs - since
}

async function differencesOf(world: Simulator): Promise<readonly string[]> {
  const differences: string[] = []
  const collections = [
    SHARED,
    ...world.machines.filter((m) => m.name !== CLOUD).map((m) => ownCollection(m.name)),
  ]
  for (const collection of collections) {
    const sharers = world.machines.filter((machine) => machine.collections.includes(collection))
    const states = new Map<string, string[]>()
    for (const machine of sharers) {
      const state = await asText(machine, collection)
      states.set(state, [...(states.get(state) ?? []), machine.name])
    }
    if (states.size > 1) {
      const sides = [...states].map(([state, names]) => `${names.join('+')}:\n${state}`)
      differences.push(`${collection} differs\n${sides.join('\n')}`)
    }
  }
  return differences
}

async function asText(machine: Machine, collection: string): Promise<string> {
  if (machine.process === undefined) return 'not running'
  return await stateOf(machine.process.replica, collection)
}
