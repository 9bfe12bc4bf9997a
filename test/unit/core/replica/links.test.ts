import { afterEach, expect, test } from 'vitest'
import { memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { grants } from '../../../../src/core/access/policy.ts'
import { consoleLogger, createReplica, type Replica, type Uplink } from '../../../../src/index.ts'
import { nodeSha256 } from '../../../../src/node/index.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'
import { eventually } from '../../../support/fleet.ts'
import { eventsFrame, helloFrame, RawPeer } from '../../../support/raw-peer.ts'

const open: Replica[] = []
afterEach(async () => {
  for (const replica of open.splice(0)) await replica.close()
})

/** A replica that listens under its name and lets `a`, `b` and `reader` in. */
async function listening(hub: MemoryHub, name: string): Promise<Replica> {
  const everything = { read: ['*'], write: ['*'] }
  const replica = await createReplica({
    storage: memoryStorage(),
    name,
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    policy: grants({ a: everything, b: everything, reader: { read: ['*'], write: [] } }),
  })
  replica.serve(hub.listen(`memory:${name}`))
  open.push(replica)
  return replica
}

function dial(hub: MemoryHub, from: Replica, to: Replica): Uplink {
  return from.connect({
    transport: hub.transport({ principal: from.name }),
    address: `memory:${to.name}`,
    collections: ['c'],
    principal: to.name,
  })
}

test.each([
  ['at once', 0],
  ['one after the other', 50],
])('two that dial each other %s keep the connection of the smaller name', async (_, afterMs) => {
  const hub = new MemoryHub()
  const [a, b] = [await listening(hub, 'a'), await listening(hub, 'b')]
  const changes: boolean[] = []
  const late = dial(hub, b, a)
  if (afterMs > 0) await eventually(() => late.status.type === 'connected')
  const kept = dial(hub, a, b)
  await eventually(() => kept.status.type === 'connected' && late.status.type === 'waiting')
  a.onPeer((_peer, connected) => changes.push(connected))
  b.onPeer((_peer, connected) => changes.push(connected))
  const { status } = late
  expect(status.type === 'waiting' && status.delayMs).toBeGreaterThanOrEqual(30_000)

  // The one that is not needed may be dialled again at any time: nothing happens to the other.
  for (let i = 0; i < 3; i += 1) {
    late.retryNow()
    await eventually(() => late.status.type === 'waiting')
  }
  expect(kept.status.type).toBe('connected')
  expect(changes).toEqual([])

  const note = await b.open<{ text?: string }>('c/1', { collection: 'c' })
  note.change(() => ({ text: 'over the one that is kept' }))
  const copy = await a.open<{ text?: string }>('c/1', { collection: 'c' })
  await eventually(() => copy.value.text !== undefined)

  // When it ends, the other takes its place.
  await kept.close()
  late.retryNow()
  await eventually(() => late.status.type === 'connected')
})

test('a newer connection of the same peer replaces the one that may be dead', async () => {
  const hub = new MemoryHub()
  await listening(hub, 'a')
  const address = 'memory:a'
  const first = await RawPeer.greet(hub, { principal: 'b', address }, { subscriptions: [] })
  const second = await RawPeer.greet(hub, { principal: 'b', address }, { subscriptions: [] })
  expect((await first.close()).code).toBe('CLOSED')
  expect(second.ended).toBe(false)
  await second.connection.close()
})

test('what a reader refuses stays, and the two logs are still found equal', async () => {
  const hub = new MemoryHub()
  const a = await listening(hub, 'a')
  const note = await a.open<{ text?: string }>('c/1', { collection: 'c' })
  note.change(() => ({ text: 'kept' }))
  await note.durable()
  const [hash = ''] = note.heads
  const hello = helloFrame('reader', { subscriptions: ['c'], head: 0 })
  const peer = await RawPeer.dial(hub, { principal: 'reader', address: 'memory:a' })
  peer.send(hello, { ...eventsFrame(), final: true })
  const welcome = await peer.next('welcome')
  const rejects = [
    { document: 'c/1', kind: 'event', hash, code: 'ACCESS_DENIED', message: 'no' } as const,
  ]
  peer.send({ type: 'rejects', rejects })
  await peer.next('check')
  // As a log without anything would say it: the accepter takes off what was refused.
  const digest = new Uint8Array(16)
  const { head } = welcome
  peer.send({ type: 'ack', received: head, durable: head, credit: 1 << 20, upTo: 0, filled: [] })
  peer.send({ type: 'check', attempt: 3, digest, ours: 0, theirs: head })
  peer.send({ type: 'ping' })
  await peer.next('pong')
  await note.durable()
  expect(peer.frames.some(({ type }) => type === 'close' || type === 'ask-ranges')).toBe(false)
  expect(note.value).toEqual({ text: 'kept' })
  await peer.connection.close()
})
