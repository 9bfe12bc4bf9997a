import { afterEach, expect, test } from 'vitest'
import { memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { DENIED, grants } from '../../../../src/core/access/policy.ts'
import { actorOf } from '../../../../src/core/log/authors.ts'
import { encodeFrame } from '../../../../src/core/sync/message-codec.ts'
import { consoleLogger, createReplica, type Replica, type Uplink } from '../../../../src/index.ts'
import { nodeSha256 } from '../../../../src/node/index.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'
import { Author } from '../../../support/author.ts'
import { eventually } from '../../../support/fleet.ts'
import { sha256 } from '../../../support/memory-log.ts'
import { eventsFrame, wireEntry } from '../../../support/raw-peer.ts'

const EPOCH = '00112233445566aa'
const open: Replica[] = []
afterEach(async () => {
  for (const replica of open.splice(0)) await replica.close()
})

/** Answers who dials as this replica, and delivers with the same message what that one is said to have written. */
async function answer(hub: MemoryHub, replica: string): Promise<void> {
  const actor = actorOf({ replica, epoch: EPOCH }, 0, 0, sha256)
  const event = new Author(actor).set('by', replica).bytes
  const granted = { refused: [], backfill: [], version: 1, credit: 1 << 20, cursor: 0 }
  for await (const connection of hub.listen('memory:mallory')) {
    const welcome = { type: 'welcome', replica, epoch: EPOCH, head: 1, ...granted } as const
    const events = { ...eventsFrame(wireEntry('event', 'c/1', 'c', event)), upTo: 1, final: true }
    const signal = { type: 'signal', key: 'k', value: Uint8Array.of(1) } as const
    // Not before HELLO.
    await connection[Symbol.asyncIterator]().next()
    connection.send(Buffer.concat([welcome, events, signal].map((frame) => encodeFrame(frame))))
  }
}

/** A replica by whose policy everybody connects as itself, and speaks for nobody else. */
async function dialling(hub: MemoryHub): Promise<{ cloud: Replica; uplink: Uplink }> {
  const all = { read: ['c'], write: ['c'] }
  const cloud = await createReplica({
    storage: memoryStorage(),
    name: 'cloud',
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    policy: {
      ...grants({ mallory: all, edge: all }),
      mayConnect: (principal, replica) => (principal === replica ? undefined : DENIED),
      mayRelay: () => false,
    },
  })
  open.push(cloud)
  const uplink = cloud.connect({
    transport: hub.transport({ principal: 'cloud' }),
    address: 'memory:mallory',
    collections: ['c'],
    principal: 'mallory',
  })
  return { cloud, uplink }
}

test('who answers as itself is believed about what it wrote', async () => {
  const hub = new MemoryHub()
  void answer(hub, 'mallory')
  const { cloud, uplink } = await dialling(hub)
  await eventually(() => uplink.status.type === 'connected' && cloud.head === 1)
  expect(await cloud.record('c/1')).toMatchObject({ entries: 1 })
})

test('who answers under a name that it may not have is not believed, and nothing is remembered', async () => {
  const hub = new MemoryHub()
  void answer(hub, 'edge')
  const { cloud, uplink } = await dialling(hub)
  const told: unknown[] = []
  cloud.onPeer((peer) => told.push(peer))
  cloud.onSignal('', (signal) => told.push(signal))
  await eventually(() => uplink.status.type === 'waiting')
  // It may be another that answers there later.
  expect(uplink.status).toMatchObject({ error: { fields: { code: 'ACCESS_DENIED' } } })
  expect(uplink.status.type === 'waiting' && uplink.status.delayMs).toBeGreaterThanOrEqual(30_000)
  expect(cloud.head).toBe(0)
  expect((await cloud.status()).peers).toEqual([])
  expect(told).toEqual([])
})
