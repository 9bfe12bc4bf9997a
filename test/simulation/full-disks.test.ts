import { expect, test } from 'vitest'
import { Checkers } from './checkers.ts'
import { type Machine, Simulator } from './simulator.ts'
import { CLOUD, edgeName, SHARED, topology } from './topology.ts'

const DOCUMENT = `${SHARED}/doc-0`

/** A cloud and an edge that have exchanged some edits of one document. */
async function acquainted(): Promise<{
  readonly world: Simulator
  readonly checkers: Checkers
  readonly cloud: Machine
  readonly edge: Machine
}> {
  const checkers = new Checkers()
  const world = new Simulator(11, checkers)
  checkers.attach(world)
  world.build(topology('star', 1, world.random))
  for (const machine of world.machines) world.start(machine)
  await world.advance(2_000)
  const [cloud, edge] = [world.machine(CLOUD), world.machine(edgeName(1))]
  for (let i = 0; i < 3; i += 1) await world.until(edit(edge, i))
  await world.advance(2_000)
  return { world, checkers, cloud, edge }
}

async function edit({ process }: Machine, number: number): Promise<void> {
  const handle = await process?.replica.open<Record<string, unknown>>(DOCUMENT, {
    collection: SHARED,
  })
  handle?.change((draft) => {
    draft['number'] = number
  })
  await handle?.durable()
  await handle?.close()
}

async function digests(world: Simulator): Promise<ReadonlySet<string | undefined>> {
  const all = world.machines.map(async ({ process }) => await process?.replica.digest([SHARED]))
  return new Set(await Promise.all(all))
}

test('a damaged entry that a full disk keeps from being taken out is taken out later', async () => {
  const { world, checkers, edge } = await acquainted()
  world.crash(edge)
  world.start(edge)
  await world.advance(100)
  edge.disk.full = true
  checkers.damaged(edge, 2)
  edge.disk.corrupt(2)
  const opened = edge.process?.replica.open(DOCUMENT, { collection: SHARED })
  // One clear error, which says that it may be tried again.
  await expect(world.until(Promise.resolve(opened))).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    retryable: true,
  })
  await world.advance(30_000)
  edge.disk.full = false
  // Nobody looks: it is tried again all the same.
  await world.advance(30_000)
  const again = await world.until(
    edge.process?.replica.readLog({ after: 0, bytesMax: 1 << 20 }) ??
      Promise.reject(new Error('not running')),
  )
  expect(again.entries.map(({ position }) => position)).not.toContain(2)
  expect((await edge.process?.replica.status())?.damaged).toEqual([])
  expect((await digests(world)).size).toBe(1)
  expect(world.problems).toEqual([])
  await world.close()
})

test('a log that lost its end while its disk is full gets another epoch later', async () => {
  const { world, checkers, edge } = await acquainted()
  const before = edge.process?.replica.epoch
  world.crash(edge)
  await edge.disk.restore(edge.disk.writes - 3)
  checkers.restored(edge)
  edge.disk.full = true
  world.start(edge)
  await world.advance(20_000)
  expect(edge.process?.replica.epoch).toBe(before)
  edge.disk.full = false
  await world.advance(60_000)
  expect(edge.process?.replica.epoch).not.toBe(before)
  expect((await digests(world)).size).toBe(1)
  expect(world.problems).toEqual([])
  await world.close()
})
