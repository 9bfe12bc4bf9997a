import type { CollectionId, DocumentId, EventHash } from '../../src/core/ids.ts'
import { Digest } from '../../src/core/log/digest.ts'
import type { Replica } from '../../src/core/replica/replica.ts'
import { Checkers } from './checkers.ts'
import { measureReconnect } from './checkers-cost.ts'
import { type CollectionState, StateChecker } from './checkers-state.ts'
import { Cutting } from './cutting.ts'
import { FAULTS, type FaultName, Faults, SET_BACK } from './faults.ts'
import { Hostile } from './hostile.ts'
import { SeededRandom } from './random.ts'
import { type MachinePlan, Simulator } from './simulator.ts'
import {
  CLOUD,
  HOSTILE,
  isHarmed,
  ownCollection,
  SHARED,
  TOPOLOGIES,
  type TopologyName,
  topology,
} from './topology.ts'
import { Traffic } from './traffic.ts'
import { Workload } from './workload.ts'
import { eventKey } from './world.ts'

/** How long all replicas may take to converge once the faults have stopped, in simulated time. */
export const CONVERGENCE_MS = 120_000

/** A machine that may read what all share, and write only what is its own. */
const GUEST = 'guest'

export interface RunOptions {
  readonly seed: number
  /** Steps of the safety phase. */
  readonly steps?: number | undefined
  readonly topology?: TopologyName | undefined
  /** What may go wrong, from which the seed chooses some. Default: {@link FAULTS}, and bit rot. */
  readonly faults?: readonly FaultName[] | undefined
  /** What does not happen, to find out what a failure needs. */
  readonly without?: readonly Habit[] | undefined
  /** What happens in any case, to look for what some habits do together. */
  readonly also?: readonly Habit[] | undefined
}

/** What some worlds do beside editing. */
export type Habit =
  | 'cuts'
  | 'hostile'
  | 'moves'
  | 'losses'
  | 'rot'
  | 'deletes'
  | 'guest'
  | 'late'
  | 'traffic'
  | 'bulk'

export interface RunResult {
  readonly failures: readonly string[]
  /** What happened, a line each. Made when it is asked for. */
  trace(): readonly string[]
  readonly edits: number
  readonly promises: number
  readonly crashes: number
  readonly topology: TopologyName
  /** How long the replicas took to converge, in simulated time. */
  readonly convergedMs: number
}

/** One life of a world: first everything goes wrong, then nothing does and all must agree. */
export async function simulate(options: RunOptions): Promise<RunResult> {
  const { seed, steps = 40 } = options
  const checkers = new Checkers()
  const world = new Simulator(seed, checkers)
  checkers.attach(world)
  const { random } = world
  const shape = options.topology ?? random.pick(TOPOLOGIES)
  const does = (habit: Habit, probability: number, by: SeededRandom = random): boolean =>
    decided(options, habit, by.chance(probability))
  // Chosen apart, so that worlds without these two are what they would be if there were neither.
  const apart = new SeededRandom(seed ^ 0x0c0ffee)
  const cuts = does('cuts', 0.25, apart)
  const hasHostile = does('hostile', 0.25, apart)
  const places = placesOf(world, shape, does('guest', 0.2))
  world.build(hasHostile ? places.map(withHostile) : places, hasHostile)
  world.cacheBytesMax = random.pick([40 << 20, 60_000, 150_000])
  checkers.links.enabled = random.chance(0.5)
  const habits = {
    documents: 1 + random.below(6),
    deletes: does('deletes', 0.5),
    moves: does('moves', 0.3),
    textMax: does('bulk', 0.1) ? 60_000 : 1,
  }
  const workload = new Workload(world, checkers, habits)
  const traffic = new Traffic(world, (what) => checkers.fail('I4', what))
  const talks = does('traffic', 0.3)
  const cutting = cuts ? new Cutting(world, apart) : undefined
  checkers.generations.enabled = cuts
  world.compaction = (machine) => cutting?.options(machine)
  const met = { cuts, moves: habits.moves, hostile: hasHostile }
  const faults = new Faults(world, checkers, faultsOf(world, options, met))
  checkers.onStarted = (machine, process) => {
    traffic.started(machine, process)
    if (random.chance(0.5))
      void workload.watch(machine, process, `${SHARED}/doc-0`).catch(() => undefined)
  }
  const hostile = hasHostile ? hostileIn(world, checkers, apart) : undefined
  for (const machine of world.machines) {
    if (does('late', 0.3)) machine.late.add(random.pick(machine.collections))
    world.start(machine)
  }
  await world.advance(500)
  for (let step = 0; step < steps; step += 1) {
    for (let i = random.below(4); i > 0; i -= 1) workload.act()
    if (talks && random.chance(0.5)) traffic.act()
    if (random.chance(0.3)) faults.choose()
    cutting?.act(faults)
    hostile?.act()
    if (random.chance(0.05)) subscribeLate(world)
    await world.advance(random.pick([5, 50, 400, 3_000]))
    if (checkers.failures.length > 0) break
  }
  await faults.stop()
  cutting?.stop()
  hostile?.stop()
  const convergedMs = await converge(world, checkers)
  await workload.stopWatching()
  if (checkers.failures.length === 0) {
    await world.advance(2_000)
    traffic.atRest()
    checkers.memory.atRest(world)
    checkers.links.atRest(world.machines)
    // Where two were told different things, they look for the difference each time.
    if (checkers.links.enabled && !hasHostile) await measureReconnect(world, checkers, workload)
  }
  const { edits } = workload
  await world.close()
  return {
    failures: [...checkers.failures, ...world.problems],
    trace: () => world.trace,
    edits,
    promises: checkers.durability.count,
    crashes: faults.crashes,
    topology: shape,
    convergedMs,
  }
}

function placesOf(
  { random }: Simulator,
  shape: TopologyName,
  hasGuest: boolean,
): readonly MachinePlan[] {
  const places: MachinePlan[] = topology(shape, 2 + random.below(3), random)
  if (!hasGuest) return places
  const own = ownCollection(GUEST)
  const guest = {
    name: GUEST,
    dials: [CLOUD],
    collections: [SHARED, own],
    writes: [own],
    covets: [ownCollection('edge-1')],
  }
  const [cloud, ...edges] = places
  if (cloud === undefined) return places
  return [{ ...cloud, collections: [...cloud.collections, own] }, ...edges, guest]
}

/** Who is not a guest also keeps what the machine that means harm may write. */
function withHostile(plan: MachinePlan): MachinePlan {
  if (plan.name === GUEST) return plan
  return { ...plan, collections: [...plan.collections, ownCollection(HOSTILE)] }
}

/** It dials one machine or several, and some dial it. */
function hostileIn(world: Simulator, checkers: Checkers, random: SeededRandom): Hostile {
  const names = world.machines.map(({ name }) => name).filter((name) => name !== GUEST)
  const one = random.pick(names)
  const targets = random.chance(0.5) ? [one] : names
  const dialling = names.filter(() => random.chance(0.3))
  world.dialsHostile = ({ name }) => dialling.includes(name)
  const met = world.machines.filter(({ name }) => targets.includes(name) || dialling.includes(name))
  return new Hostile(world, random, targets, (document, hash, actor) => {
    // What a machine wrote itself it takes back from all who may write there: it may have lost it.
    const isTheirs = met.some(({ name }) => checkers.access.isActorOf(name, actor))
    if (isTheirs && document.startsWith(ownCollection(HOSTILE))) return
    checkers.access.forbidden(HOSTILE, eventKey(document, hash))
  })
}

/** Whether something happens that the seed alone would decide. */
function decided({ without, also }: RunOptions, habit: Habit, bySeed: boolean): boolean {
  if (without?.includes(habit) === true) return false
  return bySeed || also?.includes(habit) === true
}

/** What happens in a world beside faults, as far as it decides which faults are followed. */
interface Met {
  readonly cuts: boolean
  readonly moves: boolean
  readonly hostile: boolean
}

/** What may go wrong in a world. */
function faultsOf(world: Simulator, options: RunOptions, met: Met): readonly FaultName[] {
  const chosen = some(world, options.faults ?? FAULTS)
  if (options.faults !== undefined) return chosen
  const setBack = SET_BACK.filter((name) => decided(options, 'losses', chosen.includes(name)))
  const others = chosen.filter((name) => !SET_BACK.includes(name))
  // Apart as well: worlds in which nothing rots are what they would be without bit rot.
  const apart = new SeededRandom(options.seed ^ 0x0b17)
  const rots = decided(options, 'rot', apart.chance(0.5))
  const isAsked = options.also !== undefined
  const { cuts, moves, hostile } = met
  // What comes back after a loss is not followed through all of these yet.
  const mayRot = isAsked || !cuts || !(moves || hostile)
  const maySetBack = isAsked || !moves || !(cuts || hostile)
  // Nor are both kinds of loss where histories are cut: there it is one or the other.
  const isOne = !isAsked && cuts && rots && mayRot
  const isRot = isOne ? setBack.length === 0 || apart.chance(0.5) : rots && mayRot
  const losses = maySetBack && !(isOne && isRot) ? setBack : []
  return [...others, ...losses, ...(isRot ? (['corrupt'] as const) : [])]
}

/** A few of what may go wrong: seeds in which only two things do find what many would hide. */
function some({ random }: Simulator, faults: readonly FaultName[]): readonly FaultName[] {
  const chosen = faults.filter(() => random.chance(0.5))
  return chosen.length > 0 ? chosen : faults
}

function subscribeLate(world: Simulator): void {
  const machine = world.random.pick(world.machines)
  for (const collection of [...machine.late]) world.subscribe(machine, collection)
}

/** All replicas must agree within {@link CONVERGENCE_MS} of the end of the faults. */
async function converge(world: Simulator, checkers: Checkers): Promise<number> {
  const since = world.time.nowMs
  for (const machine of world.machines)
    for (const collection of [...machine.late]) world.subscribe(machine, collection)
  world.note(() => 'the faults stop')
  let differences: readonly string[] = ['nobody has looked yet']
  while (world.time.nowMs - since < CONVERGENCE_MS) {
    await world.advance(2_000)
    differences = await differencesOf(world, checkers)
    if (differences.length === 0) break
  }
  for (const difference of differences) checkers.fail('I3', difference)
  const convergedMs = world.time.nowMs - since
  checkers.delivery.atRest()
  await world.until(checkers.looked())
  await world.until(checkers.lossesAtRest())
  await world.until(checkers.rotAtRest())
  await world.until(checkState(world, checkers))
  await world.until(checkers.durability.everywhere(world.machines))
  await world.until(checkers.access.atRest(world.machines))
  await world.until(
    checkers.generations.atRest(
      world.machines,
      (document) => checkers.isTakenBack(document) || checkers.isContested(document),
    ),
  )
  return convergedMs
}

/** By collection: those who share it do not have one digest. */
async function differencesOf(world: Simulator, checkers: Checkers): Promise<readonly string[]> {
  const differences: string[] = []
  if (checkers.generations.enabled) differences.push(...(await keptAside(world, checkers)))
  for (const collection of collectionsOf(world)) {
    const digests = new Map<string, string[]>()
    for (const machine of sharersOf(world, collection)) {
      const { process } = machine
      const digest =
        process === undefined
          ? 'not running'
          : await digestOf(process.replica, collection, checkers)
      digests.set(digest, [...(digests.get(digest) ?? []), machine.name])
    }
    if (digests.size <= 1) continue
    const sides = [...digests].map(([digest, names]) => `${names.join('+')} ${digest}`)
    differences.push(`${collection} differs: ${sides.join(', ')}`)
  }
  return differences
}

/** Edits that wait to be written again in another generation. */
async function keptAside(world: Simulator, checkers: Checkers): Promise<readonly string[]> {
  const { durability, generations, rot } = checkers
  const waiting: (readonly [DocumentId, EventHash, string])[] = []
  await durability.lookAside(world.machines)
  for (const { name, process } of world.machines) {
    if (process === undefined) continue
    for await (const { document, hash } of process.replica.late()) {
      // What the one that means harm writes for generations that are over nobody writes again.
      if (isHarmed(document)) continue
      // Who had what it builds on cut it into a state that lost against another: nobody can write it again.
      if (generations.isSetAside(eventKey(document, hash))) continue
      // Its author keeps it where it can be seen, as the document left there: nobody writes it again.
      if (checkers.isSetAside(generations.firstKey(eventKey(document, hash)))) continue
      // Its author lost it before it had heard of the cut: it is seen here, and nobody can write it again.
      if (generations.isOrphaned(eventKey(document, hash))) continue
      const record = await process.replica.record(document)
      if (record?.deleted === true) continue
      waiting.push([document, hash, `${name} keeps ${hash} of ${document} aside`])
    }
  }
  // Nobody can write again what builds on what rotted on the last disk that had it.
  if (waiting.length > 0) await rot.look(world.machines)
  return waiting.flatMap(([document, hash, what]) => (rot.isStranded(document, hash) ? [] : what))
}

/** The digest of a collection, without documents of which two replicas may never hold the same. */
async function digestOf(
  replica: Replica,
  collection: CollectionId,
  checkers: Checkers,
): Promise<string> {
  if (!checkers.hasUncompared) return await replica.digest([collection])
  const sum = new Digest()
  for await (const { id, record } of replica.documents()) {
    if (record.collection !== collection || record.left || checkers.isUncompared(id)) continue
    sum.add(Digest.of(record.digest).sum)
  }
  return `${sum.sum.toString(16)} without what is contested`
}

async function checkState(world: Simulator, checkers: Checkers): Promise<void> {
  const state = new StateChecker(checkers)
  for (const collection of collectionsOf(world)) {
    const states = new Map<string, CollectionState>()
    for (const machine of sharersOf(world, collection))
      states.set(machine.name, await state.of(machine, collection, true))
    const agree = state.compare(collection, states)
    if (agree) continue
    for (const [name, { digest, text }] of states)
      world.note(() => `${name} has ${collection} ${digest}\n${text}`)
  }
}

function collectionsOf(world: Simulator): readonly string[] {
  const all = new Set(world.machines.flatMap(({ collections }) => collections))
  // Who writes two events for one place divides what it may write, and nothing else.
  return [...all].filter((collection) => !isHarmed(collection))
}

function sharersOf(world: Simulator, collection: string): Simulator['machines'] {
  return world.machines.filter(({ collections }) => collections.includes(collection))
}
