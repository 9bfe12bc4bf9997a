import type { Checkers } from './checkers.ts'
import type { Machine, Simulator } from './simulator.ts'
import { CLOUD, SHARED } from './topology.ts'
import type { Workload } from './workload.ts'

/** After so long everybody who was cut off has dialled again. */
const REDIAL_MS = 45_000

/** HELLO with events, the answer with events, and the last acknowledgement. */
const MESSAGES_MAX = 3

/** Names, cursors and digests of a handshake, whatever there is and whatever changed. */
const HANDSHAKE_BYTES_MAX = 700

/** One changed field, with the names of its document and collection. */
const CHANGE_BYTES_MAX = 400

/**
 * I7: cuts one edge off in a world at rest, edits on both sides, and counts what their meeting costs.
 * What reaches the edge over others meanwhile only makes it cheaper.
 */
export async function measureReconnect(
  world: Simulator,
  checkers: Checkers,
  workload: Workload,
): Promise<void> {
  const { network, random } = world
  const edges = world.machines.filter(({ dials }) => dials.length === 1 && dials[0] === CLOUD)
  if (edges.length === 0 || workload.isBulky) return
  const edge = random.pick(edges)
  const cloud = world.machine(CLOUD)
  if (await mustHeal(checkers, edge, cloud)) return
  // Once without counting: whatever was under way when the faults stopped is over after it.
  await cut(world, edge)
  network.heal()
  await world.advance(REDIAL_MS)
  await cut(world, edge)
  const before = workload.edits
  for (let i = random.below(3); i > 0; i -= 1)
    for (const machine of [edge, cloud]) await edit(world, workload, machine)
  const changes = workload.edits - before
  await world.advance(3_000)
  checkers.links.reset()
  network.heal()
  await world.advance(REDIAL_MS)
  let messages = 0
  let bytes = 0
  for (const way of [`${edge.name}>${CLOUD}`, `${CLOUD}>${edge.name}`]) {
    const cost = checkers.links.costs.get(way)
    messages += cost?.messages ?? 0
    bytes += cost?.bytes ?? 0
  }
  const what = `${edge.name} met the cloud after ${changes} changes`
  if (messages === 0) checkers.fail('I7', `${what} never`)
  if (messages > MESSAGES_MAX) checkers.fail('I7', `${what} in ${messages} messages`)
  if (bytes > HANDSHAKE_BYTES_MAX + changes * CHANGE_BYTES_MAX)
    checkers.fail('I7', `${what} in ${bytes} bytes`)
}

/** Whether the two never agree, or one does not believe the other: each meeting has to find that out. */
async function mustHeal({ losses }: Checkers, edge: Machine, cloud: Machine): Promise<boolean> {
  const [one, other] = [edge.process?.replica, cloud.process?.replica]
  if (!losses.contests || one === undefined || other === undefined) return false
  if (losses.isQuarantined(one.actor) || losses.isQuarantined(other.actor)) return true
  return (await one.digest(edge.collections)) !== (await other.digest(edge.collections))
}

async function cut(world: Simulator, edge: Machine): Promise<void> {
  const { network } = world
  network.block(edge.name, CLOUD)
  network.block(CLOUD, edge.name)
  network.breakBetween(edge.name, CLOUD)
  await world.advance(100)
}

async function edit(world: Simulator, workload: Workload, machine: Machine): Promise<void> {
  const { process } = machine
  if (process === undefined) return
  const collection = machine.writes === undefined ? SHARED : (machine.writes[0] ?? SHARED)
  const document = `${collection}/met-${world.random.below(3)}`
  await world.until(workload.edit(machine, process, collection, document)).catch(() => undefined)
}
