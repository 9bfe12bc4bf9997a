import { expect, test } from 'vitest'
import { memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import type { Connection } from '../../../../src/core/interfaces/transport.ts'
import { Admission } from '../../../../src/core/replica/admission.ts'
import { decodeMessage } from '../../../../src/core/sync/message-codec.ts'
import { consoleLogger, createReplica, grants } from '../../../../src/index.ts'
import { nodeSha256 } from '../../../../src/node/index.ts'
import { systemRandom } from '../../../../src/system.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'
import { eventually } from '../../../support/fleet.ts'
import { helloFrame, RawPeer } from '../../../support/raw-peer.ts'

/** The accepter's end of a fresh connection, and the dialer's. */
async function connected(): Promise<{ readonly here: Connection; readonly there: Connection }> {
  const hub = new MemoryHub()
  const accepted = hub.listen('memory:x')[Symbol.asyncIterator]().next()
  const there = await hub.transport({ principal: 'p' }).dial('memory:x')
  const { value } = (await accepted) as { value: Connection }
  return { here: value, there }
}

/** The wait that a connection that was sent away was asked for. */
async function waitOf(there: Connection): Promise<number> {
  for await (const message of there) {
    const frame = decodeMessage(message).frames?.[0]?.frame
    if (frame?.type === 'close') {
      expect(frame).toMatchObject({ code: 'ACCESS_BUSY', retryable: true })
      return frame.retryAfterMs ?? -1
    }
  }
  throw new Error('nothing was said')
}

test('past the handshakes under way, connections are sent away until one is through', async () => {
  const admission = new Admission(systemRandom, { handshakesMax: 2, retryAfterMs: 100 })
  const all = await Promise.all([connected(), connected(), connected(), connected()])
  const [first, second, third] = all.map(({ here }) => admission.enter(here))
  expect(first).toBeDefined()
  expect(second).toBeDefined()
  expect(third).toBeUndefined()
  const wait = await waitOf(all[2]?.there as Connection)
  expect(wait).toBeGreaterThanOrEqual(100)
  expect(wait).toBeLessThanOrEqual(200)
  first?.admitted()
  first?.admitted()
  expect(admission.enter(all[3]?.here as Connection)).toBeDefined()
  expect(admission.enter((await connected()).here)).toBeUndefined()
  second?.left()
  expect(admission.enter((await connected()).here)).toBeDefined()
})

test('the more are sent away, the wider the times to come back are spread, up to a bound', async () => {
  const admission = new Admission(systemRandom, { handshakesMax: 1, retryAfterMs: 1_000 })
  admission.enter((await connected()).here)
  const waits: number[] = []
  for (let i = 0; i < 400; i += 1) {
    const { here, there } = await connected()
    admission.enter(here)
    waits.push(await waitOf(there))
  }
  expect(Math.max(...waits.slice(0, 3))).toBeLessThanOrEqual(4_000)
  expect(Math.max(...waits.slice(200))).toBeGreaterThan(20_000)
  expect(Math.max(...waits)).toBeLessThanOrEqual(60_000)
  expect(new Set(waits.slice(200)).size).toBeGreaterThan(100)
})

test('a bound on connections counts those that are through as well', async () => {
  const admission = new Admission(systemRandom, { connectionsMax: 1 })
  const place = admission.enter((await connected()).here)
  place?.admitted()
  expect(admission.enter((await connected()).here)).toBeUndefined()
  place?.left()
  expect(admission.enter((await connected()).here)).toBeDefined()
})

test('a replica lets its peers in one after the other when many come at once', async () => {
  const hub = new MemoryHub()
  const everything = { read: ['*'], write: ['*'] }
  const cloud = await createReplica({
    storage: memoryStorage(),
    name: 'cloud',
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    policy: grants({ p: everything }),
    admission: { handshakesMax: 2, retryAfterMs: 5 },
  })
  cloud.serve(hub.listen('memory:cloud'))
  // Two that say nothing hold the places.
  const silent = [1, 2].map(() => RawPeer.dial(hub, { principal: 'p' }))
  const [one] = await Promise.all(silent)
  await eventually(() => cloud.peers().length === 0)
  const away = await RawPeer.dial(hub, { principal: 'p' })
  expect((await away.next('close')).code).toBe('ACCESS_BUSY')
  // One of them goes on: there is room again.
  one?.send(helloFrame('first', { subscriptions: [] }))
  await one?.next('welcome')
  const next = await RawPeer.greet(hub, { principal: 'p' }, { replica: 'second' })
  expect(cloud.peers().map(({ replica }) => replica)).toEqual(['first', 'second'])
  await next.connection.close()
  await cloud.close()
})
