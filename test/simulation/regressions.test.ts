import { expect, test } from 'vitest'
import type { SessionOutput } from '../../src/core/sync/io.ts'
import { DEFAULT_LIMITS } from '../../src/core/sync/limits.ts'
import { Streams } from '../../src/core/sync/streams.ts'
import { Checkers } from './checkers.ts'
import { type RunOptions, simulate } from './run.ts'
import { type Machine, Simulator } from './simulator.ts'
import { CLOUD, edgeName, ownCollection, SHARED, topology } from './topology.ts'

/** Worlds of documents that move, as they were when these seeds failed. */
const MOVED: Omit<RunOptions, 'seed'> = { without: ['cuts', 'hostile', 'rot'] }

/** Documents move, and their histories are cut. */
const MOVED_AND_CUT: Omit<RunOptions, 'seed'> = {
  also: ['moves', 'cuts'],
  without: ['hostile', 'losses', 'rot'],
}

/** Documents move, and entries rot. */
const MOVED_AND_ROTTEN: Omit<RunOptions, 'seed'> = {
  also: ['moves', 'rot'],
  without: ['cuts', 'hostile', 'losses'],
}

/** Seeds that once failed, and why. */
const REGRESSIONS: readonly (readonly [options: RunOptions, what: string])[] = [
  [
    { seed: 142, without: ['moves', 'cuts', 'hostile', 'rot'] },
    'streams that were opened while the peer did not read were opened out of order',
  ],
  [{ seed: 25, ...MOVED }, 'edits that a peer lacked went with the document that left'],
  [
    { seed: 192, ...MOVED },
    'edits were taken back that a peer refused as the document was not there yet',
  ],
  [
    { seed: 374, ...MOVED },
    'a join lacked what the peer had refused when the document was not there',
  ],
  [{ seed: 479, ...MOVED }, 'a document that came back deleted was passed on without its end'],
  [
    { seed: 826, ...MOVED },
    'a log could not be given another epoch by a failing disk, and never was',
  ],
  [
    { seed: 1200, ...MOVED },
    'a document that was at home elsewhere at a peer did not make a difference',
  ],
  [
    { seed: 44, ...MOVED_AND_CUT },
    'a base hid a move, a join lacked its base, and edits were lost',
  ],
  [
    { seed: 216, ...MOVED_AND_CUT },
    'an edit that crossed the leave of its document did not come back',
  ],
  [
    { seed: 230, ...MOVED_AND_CUT },
    'who cut at an old home was told of the leave and not of the new home',
  ],
  [
    { seed: 372, ...MOVED_AND_CUT },
    'a base that a peer refused stayed, and the logs differed for ever',
  ],
  [{ seed: 421, ...MOVED_AND_CUT }, 'an edit of another that was written again was taken back'],
  [
    { seed: 664, ...MOVED_AND_CUT },
    'an edit that a peer had kept aside was gone when its document left its author',
  ],
  [
    { seed: 1550, ...MOVED_AND_CUT },
    'a deletion that nobody had heard of was gone when its document left, with what was deleted',
  ],
  [
    { seed: 15, also: ['moves', 'cuts', 'hostile'], without: ['losses', 'rot'] },
    'an edit that was under way when its document left and came back was at the peer only',
  ],
  [
    { seed: 1573, also: ['moves', 'hostile'], without: ['cuts', 'losses', 'rot'] },
    'documents of the machine that means harm were compared where they had moved to',
  ],
  [
    { seed: 32, also: ['losses', 'cuts'], without: ['moves', 'hostile', 'rot'] },
    'edits of a log that went back were cut into a state that lost, and were not to be seen',
  ],
  [
    { seed: 98, also: ['losses', 'cuts'], without: ['moves', 'hostile', 'rot'] },
    'what a log wrote before it went back was not its own any more once it was opened again',
  ],
  [
    { seed: 198, also: ['losses', 'cuts'], without: ['moves', 'hostile', 'rot'] },
    'edits of a log that went back past a cut were taken to be in a later state, and not to be seen',
  ],
  [
    { seed: 15, ...MOVED_AND_ROTTEN },
    'edits that a peer had refused were lost with a leave that came over the next connection',
  ],
  [
    { seed: 295, ...MOVED_AND_ROTTEN },
    'an event that had rotted was taken for there, as a join had a copy of it',
  ],
  [
    { seed: 379, ...MOVED_AND_ROTTEN },
    'a full disk and damage made an error of a refusal that was to be written down later',
  ],
  [
    { seed: 781 },
    'a cursor in a greeting counted as an acknowledgement of what had been refused unheard',
  ],
  [
    { seed: 887 },
    'a base that was under way while its document left and came back was at the peer only',
  ],
  [{ seed: 937 }, 'who was dialled answered under the name of another, and wrote as that one'],
  [
    { seed: 1157 },
    'an event that was taken back and came again was in one append, and was taken for told twice',
  ],
  [
    { seed: 1968 },
    'what an entry that had rotted at the cloud cost a guest came back before it was said to be gone',
  ],
  [
    { seed: 981, without: ['rot'] },
    'an edit that a peer had acknowledged and kept aside was missed at its author, whose disk took it back',
  ],
  [
    { seed: 1152 },
    'what a peer had given, and lost with its log, went with a document that left before it was given back',
  ],
  [
    { seed: 1900, also: ['rot', 'cuts'], without: ['moves'] },
    'an edit that was made anew after a cut, and rotted where it was alone, was missed under its old name',
  ],
  [
    { seed: 469, also: ['rot', 'cuts'], without: ['moves', 'hostile', 'losses'] },
    'an edit that was written again was not taken back by an author who had been refused four times before',
  ],
  [
    { seed: 194, also: ['losses', 'cuts', 'moves'], without: ['hostile', 'rot'] },
    'an edit of a log that went back and cut it itself was not to be seen after a later cut',
  ],
  [
    { seed: 49, also: ['cuts', 'rot', 'moves'], without: ['hostile', 'losses'] },
    'what a connection lost, and a cut took off the log, was taken for acknowledged over the next one',
  ],
  [
    { seed: 5, also: ['cuts', 'rot', 'moves'], without: ['hostile', 'losses'] },
    'an event that was taken back and came again was missed where it went out again',
  ],
]

test.each(REGRESSIONS)('%o: %s', async (options) => {
  const { failures } = await simulate(options)
  expect(failures).toEqual([])
})

test('streams that wait together are opened in the order of their numbers', () => {
  const outputs: SessionOutput[] = []
  const streams = new Streams('dialer', DEFAULT_LIMITS, (output) => outputs.push(output))
  const first = streams.openStream('count', new Uint8Array(0))
  expect(streams.next()).toMatchObject({ type: 'stream-open', stream: first })
  streams.write(first, Uint8Array.of(1))
  expect(streams.next()).toMatchObject({ type: 'stream-bytes', stream: first })
  // The next turn is another's now, and all of these are new to the peer.
  const more = [1, 2, 3].map(() => streams.openStream('count', new Uint8Array(0)))
  streams.reset(first, 'CANCELLED', 'not needed')
  const said = Array.from({ length: 4 }, () => streams.next())
  expect(said.flatMap((frame) => (frame?.type === 'stream-open' ? [frame.stream] : []))).toEqual(
    more,
  )
})

/** Edits a document of its own on each machine, and waits for its disk. */
async function edit(world: Simulator, machine: Machine): Promise<void> {
  const id = `${SHARED}/by ${machine.name}`
  const handle = await machine.process?.replica.open<Record<string, unknown>>(id, {
    collection: SHARED,
  })
  handle?.change((draft) => {
    draft['atMs'] = world.time.nowMs
  })
  await handle?.durable()
  await handle?.close()
}

test('an edit made at any moment of a handshake is sent', async () => {
  const late: number[] = []
  for (let offsetMs = 0; offsetMs < 3_000; offsetMs += 40) {
    const world = new Simulator(5, new Checkers())
    world.build(topology('star', 1, world.random))
    const [cloud, edge] = [world.machine(CLOUD), world.machine(edgeName(1))]
    world.network.faults = { delayMsMin: 150, delayMsMax: 160, loss: 0 }
    for (const machine of world.machines) world.start(machine)
    await world.advance(3_000)
    world.network.breakBetween(edge.name, CLOUD)
    await world.advance(offsetMs)
    await world.until(Promise.all([edit(world, cloud), edit(world, edge)]))
    // Sooner than anything that is said for another reason, such as a sign of life.
    await world.advance(7_000)
    const digests = world.machines.map(
      async ({ process }) => await process?.replica.digest([SHARED]),
    )
    const [one, other] = await Promise.all(digests)
    if (one === undefined || one !== other) late.push(offsetMs)
    await world.close()
  }
  expect(late).toEqual([])
})

test('a subscription made at any moment of a handshake counts', async () => {
  const late: number[] = []
  for (let offsetMs = 0; offsetMs < 3_000; offsetMs += 40) {
    const world = new Simulator(5, new Checkers())
    world.build(topology('star', 1, world.random))
    const [cloud, edge] = [world.machine(CLOUD), world.machine(edgeName(1))]
    world.network.faults = { delayMsMin: 150, delayMsMax: 160, loss: 0 }
    edge.late.add(SHARED)
    for (const machine of world.machines) world.start(machine)
    await world.advance(200)
    await world.until(edit(world, cloud))
    await world.advance(2_800)
    world.network.breakBetween(edge.name, CLOUD)
    await world.advance(offsetMs)
    world.subscribe(edge, SHARED)
    await world.advance(7_000)
    const digests = world.machines.map(
      async ({ process }) => await process?.replica.digest([SHARED]),
    )
    const [one, other] = await Promise.all(digests)
    if (one === undefined || one !== other) late.push(offsetMs)
    await world.close()
  }
  expect(late).toEqual([])
})

test('a replica that lost its log never writes again as who it was', async () => {
  const world = new Simulator(3, new Checkers())
  world.build(topology('star', 1, world.random))
  const edge = world.machine(edgeName(1))
  world.start(edge)
  await world.advance(100)
  const before = edge.process?.replica.actor
  world.crash(edge)
  await edge.disk.restore(0)
  world.start(edge)
  await world.advance(100)
  expect(before).toMatch(/^[0-9a-f]{16}$/)
  expect(edge.process?.replica.actor).toMatch(/^[0-9a-f]{16}$/)
  expect(edge.process?.replica.actor).not.toBe(before)
  await world.close()
})

test('a relay that holds both homes of a document tells those behind it that it left', async () => {
  const world = new Simulator(7, new Checkers())
  world.build(topology('chain', 2, world.random))
  const [cloud, relay, edge] = [CLOUD, edgeName(1), edgeName(2)].map((name) => world.machine(name))
  if (cloud === undefined || relay === undefined || edge === undefined) throw new Error('no chain')
  for (const machine of world.machines) world.start(machine)
  await world.advance(2_000)
  await world.until(edit(world, cloud))
  await world.advance(2_000)
  const id = `${SHARED}/by ${CLOUD}`
  expect(await edge.process?.replica.record(id)).toMatchObject({ collection: SHARED, left: false })
  const moved = cloud.process?.replica.move(id, ownCollection(relay.name))
  await world.until(moved ?? Promise.resolve())
  await world.advance(5_000)
  const records = world.machines.map(async ({ process }) => await process?.replica.record(id))
  expect((await Promise.all(records)).map((record) => record?.left)).toEqual([false, false, true])
  await world.close()
})

/** What a machine keeps visibly of edits of a document that do not count. */
async function setAside(world: Simulator, machine: Machine, id: string): Promise<number> {
  let count = 0
  const look = async (): Promise<void> => {
    for await (const { document } of machine.process?.replica.rejected() ?? [])
      if (document === id) count += 1
  }
  await world.until(look())
  return count
}

test('an edit that a peer refused is seen although the document left before that was written down', async () => {
  const missing: number[] = []
  for (let seed = 1; seed <= 12; seed += 1) {
    const world = new Simulator(seed, new Checkers())
    world.build(topology('star', 2, world.random))
    const [cloud, edge] = [world.machine(CLOUD), world.machine(edgeName(2))]
    for (const machine of world.machines) world.start(machine)
    await world.advance(2_000)
    await world.until(edit(world, edge))
    await world.advance(2_000)
    const id = `${SHARED}/by ${edge.name}`
    network(world, edge.name, 'block')
    await world.until(edit(world, edge))
    const moved = cloud.process?.replica.move(id, ownCollection(edgeName(1)))
    await world.until(moved ?? Promise.resolve())
    edge.disk.syncMsMax = 200
    network(world, edge.name, 'unblock')
    await world.advance(30_000)
    expect(await edge.process?.replica.record(id)).toMatchObject({ left: true })
    if ((await setAside(world, edge, id)) !== 1) missing.push(seed)
    await world.close()
  }
  expect(missing).toEqual([])
})

/** Blocks or unblocks both ways between a machine and the cloud. */
function network(world: Simulator, name: string, how: 'block' | 'unblock'): void {
  world.network[how](name, CLOUD)
  world.network[how](CLOUD, name)
}

test('a deleted document whose history is cut stays deleted with who only reads', async () => {
  const world = new Simulator(11, new Checkers())
  const guest = { name: 'guest', dials: [CLOUD], collections: [SHARED], writes: [] }
  world.build([...topology('star', 1, world.random), guest])
  const [cloud, reader] = [world.machine(CLOUD), world.machine('guest')]
  for (const machine of world.machines) world.start(machine)
  await world.advance(2_000)
  await world.until(edit(world, cloud))
  const id = `${SHARED}/by ${CLOUD}`
  await world.until(cloud.process?.replica.delete(id) ?? Promise.resolve())
  await world.advance(2_000)
  expect(await reader.process?.replica.record(id)).toMatchObject({ deleted: true })
  await world.until(Promise.resolve(cloud.process?.replica.compact(id)))
  await world.advance(5_000)
  const record = await reader.process?.replica.record(id)
  expect(record).toMatchObject({ deleted: true })
  expect(record?.generation).toBeGreaterThan(1)
  const digests = await Promise.all(
    world.machines.map(async ({ process }) => await process?.replica.digest([SHARED])),
  )
  expect(digests).not.toContain(undefined)
  expect(new Set(digests).size).toBe(1)
  await world.close()
})
