import { expect, test } from 'vitest'
import { Checkers } from './checkers.ts'
import { type Machine, Simulator } from './simulator.ts'
import { CLOUD, ownCollection, topology } from './topology.ts'

const EDGE = 'edge-1'
const COLLECTION = ownCollection(EDGE)

async function edit(
  world: Simulator,
  machine: Machine,
  index: number,
  text: string,
): Promise<void> {
  const replica = machine.process?.replica
  if (replica === undefined) throw new Error('the machine is not running')
  const id = `${COLLECTION}/doc-${index}`
  const handle = await world.until(
    replica.open<Record<string, unknown>>(id, { collection: COLLECTION }),
  )
  handle.change((draft) => {
    draft['text'] = text
  })
  const durable = handle.durable()
  await world.until(durable)
  await handle.close()
}

/** Two replicas with `documents` documents in common, cut off, each with some edits; then they meet. */
async function reconnect(
  documents: number,
  changes: number,
): Promise<{ messages: number; bytes: number }> {
  const world = new Simulator(1, new Checkers())
  world.build(topology('star', 1, world.random))
  for (const machine of world.machines) world.start(machine)
  await world.advance(2_000)
  const edge = world.machine(EDGE)
  const cloud = world.machine(CLOUD)
  for (let i = 0; i < documents; i += 1) await edit(world, edge, i, `document ${i}`)
  await world.advance(5_000)
  world.network.block(EDGE, CLOUD)
  world.network.block(CLOUD, EDGE)
  world.network.breakBetween(EDGE, CLOUD)
  await world.advance(1_000)
  for (let i = 0; i < changes; i += 1) {
    await edit(world, edge, i, `changed at the edge ${i}`)
    await edit(world, cloud, documents - 1 - i, `changed in the cloud ${i}`)
  }
  world.network.sent.length = 0
  world.network.heal()
  await world.advance(40_000)
  const digests = [
    await edge.process?.replica.digest([COLLECTION]),
    await cloud.process?.replica.digest([COLLECTION]),
  ]
  expect(digests[0]).toBe(digests[1])
  const sent = world.network.sent.filter(({ bytes }) => bytes > 1 + KEEP_ALIVE_BYTES)
  await world.close()
  return { messages: sent.length, bytes: sent.reduce((sum, { bytes }) => sum + bytes, 0) }
}

/** PING and PONG are two bytes. */
const KEEP_ALIVE_BYTES = 2

test('a reconnect is one round trip, and costs bytes by what changed and not by what there is', async () => {
  const few = await reconnect(20, 3)
  const many = await reconnect(200, 3)
  // HELLO with events, the answer with events, and the last acknowledgement.
  expect(few.messages).toBe(3)
  expect(many.messages).toBe(3)
  expect(Math.abs(many.bytes - few.bytes)).toBeLessThan(60)
  const nothing = await reconnect(20, 0)
  expect(nothing.messages).toBe(2)
  expect(nothing.bytes).toBeLessThan(220)
  const more = await reconnect(20, 9)
  expect(more.messages).toBe(3)
  const each = (few.bytes - nothing.bytes) / 6
  expect((more.bytes - nothing.bytes) / 18).toBeLessThan(each * 1.2)
  expect(each).toBeLessThan(250)
})
