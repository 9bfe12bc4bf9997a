import { afterEach, describe, expect, test } from 'vitest'
import { openMetrics } from '../../../../src/adapters/metrics/openmetrics/index.ts'
import { memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { grants, type Policy } from '../../../../src/core/access/policy.ts'
import {
  consoleLogger,
  createReplica,
  type Replica,
  type ReplicaOptions,
  type Uplink,
} from '../../../../src/index.ts'
import { nodeSha256 } from '../../../../src/node/index.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'
import { Author } from '../../../support/author.ts'
import { eventually } from '../../../support/fleet.ts'
import { eventsFrame, RawPeer, wireEntry } from '../../../support/raw-peer.ts'

const all = { read: ['*'], write: ['*'] }
const open: Replica[] = []
afterEach(async () => {
  for (const replica of open.splice(0)) await replica.close()
})

async function start(name: string, options: Partial<ReplicaOptions> = {}): Promise<Replica> {
  const replica = await createReplica({
    storage: memoryStorage(),
    name,
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    policy: grants({ a: all, b: all }),
    ...options,
  })
  open.push(replica)
  return replica
}

function dial(hub: MemoryHub, from: Replica, to: string, collections = ['c']): Uplink {
  const transport = hub.transport({ principal: from.name })
  return from.connect({ transport, address: `memory:${to}`, collections, principal: to })
}

async function write(replica: Replica, id: string, collection = 'c'): Promise<void> {
  const note = await replica.open<{ n?: number }>(id, { collection })
  note.change((draft) => {
    draft.n = (draft.n ?? 0) + 1
  })
  await note.durable()
  await note.close()
}

describe('the status of a replica', () => {
  test('is plain data: who it is, whom it talks to, and how far they are', async () => {
    const hub = new MemoryHub()
    const [a, b] = [await start('a'), await start('b')]
    b.serve(hub.listen('memory:b'))
    const uplink = dial(hub, a, 'b')
    dial(hub, a, 'nobody')
    await write(a, 'c/1')
    const note = await a.open('c/1')
    await note.durable('b')
    await eventually(() => uplink.status.type === 'connected')
    const status = await a.status()
    expect(JSON.parse(JSON.stringify(status))).toEqual(status)
    expect(status).toMatchObject({
      name: 'a',
      epoch: a.epoch,
      head: a.head,
      queued: 0,
      rejected: 0,
    })
    expect(status.uplinks).toMatchObject([
      { address: 'memory:b', state: 'connected', peer: 'b' },
      { address: 'memory:nobody', state: 'waiting', attempt: 1, error: expect.any(String) },
    ])
    expect(status.peers).toMatchObject([
      {
        replica: 'b',
        principal: 'b',
        role: 'dialer',
        collections: ['c'],
        lagEvents: 0,
        caughtUp: true,
      },
    ])
    expect(status.peers[0]?.durable).toBe(a.head)
    expect(status.peers[0]?.sentBytes).toBeGreaterThan(100)
    expect(status.peers[0]?.roundTripMs).toBeGreaterThanOrEqual(0)
    expect(status.documents.loaded).toBe(1)
    expect(status.waiting).toEqual({ events: 0, documents: [] })
  })

  test('says how far behind a peer is that is away', async () => {
    const hub = new MemoryHub()
    const [a, b] = [await start('a'), await start('b')]
    b.serve(hub.listen('memory:b'))
    const uplink = dial(hub, a, 'b')
    await write(a, 'c/1')
    await (await a.open('c/1')).durable('b')
    await uplink.close()
    for (let i = 0; i < 3; i += 1) await write(a, 'c/1')
    await write(a, 'other/1', 'other')
    await eventually(() => a.peers().length === 0)
    const { away } = await a.status()
    expect(away.count).toBe(1)
    expect(away.peers).toMatchObject([{ replica: 'b', lagEvents: 3 }])
    expect(away.peers[0]?.lagBytes).toBeGreaterThan(100)
  })

  test.each([true, false])('shows events that wait for others, loaded: %s', async (isLoaded) => {
    const hub = new MemoryHub()
    const b = await start('b')
    b.serve(hub.listen('memory:b'))
    const peer = await RawPeer.greet(
      hub,
      { principal: 'a', address: 'memory:b' },
      { subscriptions: ['c'] },
    )
    const author = new Author()
    const [first, second, third] = [author.set('x', 1), author.set('x', 2), author.set('x', 3)]
    const entries = [second, third].map(({ bytes }) => wireEntry('event', 'c/1', 'c', bytes))
    peer.send(eventsFrame(...entries))
    await eventually(() => b.head >= 2)
    const handle = isLoaded ? await b.open('c/1') : undefined
    expect((await b.status()).waiting).toEqual({
      events: 2,
      documents: [{ document: 'c/1', events: 2 }],
    })
    peer.send(eventsFrame(wireEntry('event', 'c/1', 'c', first.bytes)))
    await eventually(() => b.head >= 3)
    expect((await b.status()).waiting).toEqual({ events: 0, documents: [] })
    await handle?.close()
    await peer.connection.close()
  })
})

describe('the policy asked again', () => {
  test('ends what it no longer allows, and the peer comes back with the rest', async () => {
    const hub = new MemoryHub()
    const open: { readonly read: string[]; readonly write: string[] } = {
      read: ['c', 's'],
      write: ['c'],
    }
    const policy: Policy = grants({ a: open })
    const [a, b] = [await start('a', { policy: grants({ b: all }) }), await start('b', { policy })]
    b.serve(hub.listen('memory:b'))
    const uplink = dial(hub, a, 'b', ['c', 's'])
    await eventually(() => b.peers()[0]?.collections.length === 2)
    b.recheck()
    b.recheck('a')
    await write(b, 's/1', 's')
    await (await b.open('s/1')).durable('a')
    expect(uplink.status.type).toBe('connected')

    open.read.splice(1)
    b.recheck('somebody else')
    expect(b.peers()).toHaveLength(1)
    b.recheck()
    await write(b, 's/1', 's')
    await eventually(() => uplink.status.type === 'waiting')
    await eventually(() => b.peers()[0]?.collections.join() === 'c')
    await write(b, 'c/1')
    await (await b.open('c/1')).durable('a')
    const copy = await a.open<{ n?: number }>('s/1')
    expect(copy.value).toEqual({ n: 1 })
  })

  test('ends a connection for good whose peer may not connect any more', async () => {
    const hub = new MemoryHub()
    let denied = false
    const denial = { code: 'ACCESS_DENIED', message: 'out' } as const
    const policy: Policy = {
      ...grants({ a: all }),
      mayConnect: () => (denied ? denial : undefined),
    }
    const [a, b] = [await start('a', { policy: grants({ b: all }) }), await start('b', { policy })]
    b.serve(hub.listen('memory:b'))
    const uplink = dial(hub, a, 'b')
    await eventually(() => uplink.status.type === 'connected')
    denied = true
    b.recheck()
    await eventually(() => uplink.status.type === 'stopped')
  })
})

describe('measures', () => {
  test('count what happens, and say how things are when somebody looks', async () => {
    const hub = new MemoryHub()
    const metrics = openMetrics()
    const policy: Policy = grants({ a: all, reader: { read: ['*'], write: [] } })
    const [a, b] = [
      await start('a', { policy: grants({ b: all }) }),
      await start('b', { metrics, policy }),
    ]
    b.serve(hub.listen('memory:b'))
    dial(hub, a, 'b')
    const held = await b.open<{ n?: number }>('c/1', { collection: 'c' })
    for (let i = 0; i < 3; i += 1) await write(a, 'c/1')
    await (await a.open('c/1')).durable('b')
    await write(b, 'c/2')
    await (await b.open('c/2')).durable('a')
    const reader = await RawPeer.greet(
      hub,
      { principal: 'reader', address: 'memory:b' },
      { subscriptions: ['c'] },
    )
    reader.send(eventsFrame(wireEntry('event', 'c/9', 'c', new Author().set('a', 1).bytes)))
    await reader.next('rejects')
    const text = await metrics.text()
    const value = (series: string): number => {
      const line = text.split('\n').find((one) => one.startsWith(`${series} `))
      return line === undefined ? Number.NaN : Number(line.slice(series.length + 1))
    }
    expect(value('tideway_appended_events_total{origin="remote"}')).toBe(3)
    expect(value('tideway_appended_events_total{origin="local"}')).toBe(1)
    expect(value('tideway_appended_bytes_total{origin="remote"}')).toBeGreaterThan(200)
    expect(value('tideway_merged_events_total')).toBe(3)
    expect(value('tideway_conflicts_total')).toBe(0)
    expect(value('tideway_rejected_events_total{by="here",code="ACCESS_DENIED"}')).toBe(1)
    expect(value('tideway_append_seconds_count')).toBeGreaterThan(1)
    expect(value('tideway_catch_up_seconds_count')).toBeGreaterThanOrEqual(1)
    expect(value('tideway_log_head')).toBe(4)
    expect(value('tideway_connected_peers')).toBe(2)
    expect(value('tideway_loaded_documents')).toBe(2)
    expect(value('tideway_peer_lag_events{peer="a"}')).toBe(0)
    expect(value('tideway_peer_received_bytes_total{peer="a"}')).toBeGreaterThan(300)
    expect(value('tideway_peer_received_messages_total{peer="reader"}')).toBe(2)
    await reader.connection.close()
    await held.close()
  })

  test('of peers are bounded: those that are gone make room, the rest is counted together', async () => {
    const hub = new MemoryHub()
    const metrics = openMetrics()
    const policy: Policy = { ...grants({}), mayRead: () => true }
    const b = await start('b', { metrics, policy, peerSeriesMax: 2 })
    b.serve(hub.listen('memory:b'))
    const greet = (replica: string): Promise<RawPeer> =>
      RawPeer.greet(
        hub,
        { principal: replica, address: 'memory:b' },
        { replica, subscriptions: ['c'] },
      )
    const first = await greet('p1')
    await metrics.text()
    await first.connection.close()
    await eventually(() => b.peers().length === 0)
    for (const name of ['p2', 'p3', 'p4']) await greet(name)
    const text = await metrics.text()
    const peers = new Set([...text.matchAll(/peer="([^"]*)"/g)].map(([, name]) => name))
    expect(peers).toEqual(new Set(['p2', 'p3', 'other']))
  })
})
