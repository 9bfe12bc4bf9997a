import { afterEach, expect, test } from 'vitest'
import { memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { grants } from '../../../../src/core/access/policy.ts'
import type { Storage } from '../../../../src/core/interfaces/storage.ts'
import { Intake } from '../../../../src/core/replica/intake.ts'
import { encodeFrame } from '../../../../src/core/sync/message-codec.ts'
import { consoleLogger, createReplica, type Replica } from '../../../../src/index.ts'
import { nodeSha256 } from '../../../../src/node/index.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'
import { craftChange } from '../../../support/crafted-events.ts'
import { RawPeer } from '../../../support/raw-peer.ts'

const opened: Replica[] = []
afterEach(async () => {
  for (const replica of opened.splice(0)) await replica.close()
})

test('nobody waits while little is held', () => {
  const intake = new Intake(100)
  intake.add(99)
  expect(intake.turn()).toBeUndefined()
  intake.add(1)
  expect(intake.turn()).toBeInstanceOf(Promise)
})

test('those who wait read one message each, in the order in which they asked', async () => {
  const intake = new Intake(100)
  const read: string[] = []
  const link = async (name: string, messages: number): Promise<void> => {
    for (let i = 0; i < messages; i += 1) {
      const turn = intake.turn()
      if (turn !== undefined) await turn
      read.push(name)
      intake.add(40)
    }
  }
  intake.add(100)
  const all = Promise.all([link('busy', 6), link('small', 1), link('other', 2)])
  const freed = async (): Promise<void> => {
    intake.add(-40)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await freed()
  expect(read).toEqual(['busy'])
  await freed()
  expect(read).toEqual(['busy', 'small'])
  for (let i = 0; i < 7; i += 1) await freed()
  await all
  expect(read.slice(0, 6)).toEqual(['busy', 'small', 'other', 'busy', 'other', 'busy'])
  expect(intake.bytes).toBe(100)
})

/** A disk that takes a while, in turns of the event loop. */
function slowStorage(): { readonly storage: Storage; readonly appends: () => number } {
  const inner = memoryStorage()
  let appends = 0
  const storage: Storage = {
    name: inner.name,
    supports: inner.supports,
    append: async (batch) => {
      for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve))
      appends += 1
      return await inner.append(batch)
    },
    head: () => inner.head(),
    read: (query) => inner.read(query),
    get: (keys) => inner.get(keys),
    scan: (prefix, range) => inner.scan(prefix, range),
    drop: (positions) => inner.drop(positions),
    close: () => inner.close(),
  }
  return { storage, appends: () => appends }
}

/** One message with one event of a document of its own. */
function eventMessage(peer: string, index: number, bytes: number): Uint8Array {
  const event = craftChange({ columns: [[0x57, new Array<number>(bytes).fill(index & 0xff)]] })
  const document = `c/${peer}/${index}`
  return encodeFrame({
    type: 'events',
    after: index,
    upTo: index + 1,
    final: true,
    backfill: undefined,
    entries: [{ kind: 'event', document, collection: 'c', generation: 0, bytes: event }],
  })
}

function lastAck(peer: RawPeer): { durable: number; credit: number } {
  const ack = peer.frames.findLast((frame) => frame.type === 'ack')
  return ack?.type === 'ack' ? ack : { durable: 0, credit: 1 << 20 }
}

// It polls for credit, which a loaded machine does slowly.
test('peers that fill their windows hold nobody else up, and all of them are served', {
  timeout: 60_000,
}, async () => {
  const hub = new MemoryHub()
  const { storage, appends } = slowStorage()
  const everything = { read: ['*'], write: ['*'] }
  const names = ['busy-1', 'busy-2', 'busy-3', 'busy-4', 'small']
  const replica = await createReplica({
    storage,
    name: 'cloud',
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    policy: grants(Object.fromEntries(names.map((name) => [name, everything]))),
  })
  opened.push(replica)
  replica.serve(hub.listen('memory:cloud'))
  const greet = (principal: string): Promise<RawPeer> =>
    RawPeer.greet(hub, { principal }, { subscriptions: ['c'], credit: 0 })

  let stopped = false
  const push = async (name: string, peer: RawPeer): Promise<void> => {
    let sent = 0
    for (let index = 0; !stopped; index += 1) {
      const message = eventMessage(name, index, 20_000)
      while (!stopped && sent + message.length > lastAck(peer).credit) {
        await new Promise((resolve) => setImmediate(resolve))
      }
      sent += message.length
      if (!stopped) peer.sendBytes(message)
    }
  }
  const busy = await Promise.all(names.slice(0, 4).map(greet))
  const pushing = busy.map((peer, i) => push(names[i] ?? '', peer))
  const small = await greet('small')
  const waits: number[] = []
  for (let index = 0; index < 10; index += 1) {
    const before = appends()
    small.sendBytes(eventMessage('small', index, 100))
    await small.until(() => (lastAck(small).durable > index ? true : undefined), 'ACK')
    waits.push(appends() - before)
  }
  stopped = true
  await Promise.all(pushing)
  expect(Math.max(...waits)).toBeLessThanOrEqual(8)
  const served = busy.map((peer) => lastAck(peer).durable)
  expect(Math.min(...served)).toBeGreaterThan(0)
  expect(Math.max(...served)).toBeLessThan(Math.min(...served) * 3 + 60)
})
