import { afterEach, expect, test } from 'vitest'
import { memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { grants } from '../../../../src/core/access/policy.ts'
import type { Compression } from '../../../../src/core/interfaces/compression.ts'
import {
  type Connection,
  consoleLogger,
  createReplica,
  type Replica,
  streamCompression,
  type Transport,
  type Uplink,
} from '../../../../src/index.ts'
import { nodeCompression, nodeSha256 } from '../../../../src/node/index.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'
import { eventually } from '../../../support/fleet.ts'

const PACKED = 23
const ALL = { read: ['*'], write: ['*'] }
const opened: Replica[] = []
afterEach(async () => {
  for (const replica of opened.splice(0)) await replica.close()
})

type Storage = ReturnType<typeof memoryStorage>

async function open(name: string, compression?: Compression, storage?: Storage): Promise<Replica> {
  const replica = await createReplica({
    name,
    storage: storage ?? memoryStorage(),
    policy: grants({ cloud: ALL, edge: ALL }),
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    compression,
  })
  opened.push(replica)
  return replica
}

interface Seen {
  readonly up: Uint8Array[]
  readonly down: Uint8Array[]
}

/** A transport that notes what passes. */
function watched(inner: Transport, seen: Seen): Transport {
  const watch = (connection: Connection): Connection => ({
    direction: connection.direction,
    remoteAddress: connection.remoteAddress,
    principal: connection.principal,
    closed: connection.closed,
    send(message) {
      seen.up.push(message)
      return connection.send(message)
    },
    drained: (options) => connection.drained(options),
    close: () => connection.close(),
    abort: (reason) => connection.abort(reason),
    async *[Symbol.asyncIterator]() {
      for await (const message of connection) {
        seen.down.push(message)
        yield message
      }
    },
  })
  return { ...inner, dial: async (...args) => watch(await inner.dial(...args)) }
}

function dial(hub: MemoryHub, edge: Replica, seen: Seen): Uplink {
  const transport = watched(hub.transport({ principal: 'edge' }), seen)
  return edge.connect({
    transport,
    address: 'memory:cloud',
    collections: ['c'],
    principal: 'cloud',
  })
}

async function write(replica: Replica, from: number, to: number, times = 2): Promise<void> {
  for (let i = from; i < to; i += 1) {
    await using note = await replica.open<{ text: string }>(`c/${i}`, { collection: 'c' })
    note.change(() => ({ text: 'the same words over and over '.repeat(times) }))
    await note.durable()
  }
}

async function agree(a: Replica, b: Replica): Promise<void> {
  const end = Date.now() + 5000
  while ((await a.digest(['c'])) !== (await b.digest(['c']))) {
    if (Date.now() > end) throw new Error('the two do not agree')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function isPacked(message: Uint8Array | undefined): boolean {
  return message?.[1] === PACKED
}

test('messages are packed when both sides can, from the second HELLO on from the first byte', async () => {
  const hub = new MemoryHub()
  const [cloud, edge] = [
    await open('cloud', nodeCompression()),
    await open('edge', nodeCompression()),
  ]
  cloud.serve(hub.listen('memory:cloud'))
  await write(edge, 0, 40)
  const first: Seen = { up: [], down: [] }
  const uplink = dial(hub, edge, first)
  await agree(cloud, edge)
  // Nothing was known of the peer yet.
  expect(isPacked(first.up[0])).toBe(false)
  await write(cloud, 40, 90)
  await agree(cloud, edge)
  await uplink.close()
  await write(edge, 90, 120)
  const second: Seen = { up: [], down: [] }
  dial(hub, edge, second)
  await agree(cloud, edge)
  expect(isPacked(second.up[0])).toBe(true)
})

test.each([
  ['only the dialer can', undefined, nodeCompression()],
  ['only the accepter can', nodeCompression(), undefined],
])('nothing is packed when %s', async (_, atCloud, atEdge) => {
  const hub = new MemoryHub()
  const [cloud, edge] = [await open('cloud', atCloud), await open('edge', atEdge)]
  cloud.serve(hub.listen('memory:cloud'))
  await write(edge, 0, 40)
  await write(cloud, 40, 80)
  const seen: Seen = { up: [], down: [] }
  dial(hub, edge, seen)
  await agree(cloud, edge)
  expect([...seen.up, ...seen.down].some(isPacked)).toBe(false)
})

test('a peer that lost its compression says so, and is dialled again without', async () => {
  const hub = new MemoryHub()
  const storage = memoryStorage()
  const [cloud, edge] = [
    await open('cloud', nodeCompression()),
    await open('edge', nodeCompression(), storage),
  ]
  const listener = hub.listen('memory:cloud')
  cloud.serve(listener)
  await write(edge, 0, 40)
  await write(cloud, 60, 61)
  const uplink = dial(hub, edge, { up: [], down: [] })
  await agree(cloud, edge)
  await uplink.close()
  await listener.close()

  const other = await open('cloud')
  other.serve(hub.listen('memory:cloud'))
  await write(edge, 40, 50)
  const seen: Seen = { up: [], down: [] }
  const errors: unknown[] = []
  const again = dial(hub, edge, seen)
  again.onStatus((status) => {
    if (status.type === 'waiting')
      errors.push((status.error as { fields?: unknown } & Error).fields)
  })
  await eventually(() => again.status.type === 'connected')
  await agree(other, edge)
  expect(isPacked(seen.up[0])).toBe(true)
  expect(errors).toContainEqual({ code: 'PROTOCOL_COMPRESSION_UNSUPPORTED' })
})

test('a compression that answers later keeps every message in its place', async () => {
  const hub = new MemoryHub()
  const streams = streamCompression()
  if (streams === undefined) throw new Error('this platform has no compression streams')
  // The longer a message, the later it is ready: those behind it would overtake it.
  const slow: Compression = {
    ...streams,
    compress: async (bytes) => {
      await new Promise((resolve) => setTimeout(resolve, bytes.length > 4000 ? 20 : 0))
      return await streams.compress(bytes)
    },
  }
  const [cloud, edge] = [await open('cloud', nodeCompression()), await open('edge', slow)]
  cloud.serve(hub.listen('memory:cloud'))
  const seen: Seen = { up: [], down: [] }
  const uplink = dial(hub, edge, seen)
  await eventually(() => uplink.status.type === 'connected')
  // Those of odd numbers are long.
  const times = (i: number) => (i % 2) * 200 + 1
  const notes = Array.from({ length: 60 }, (_, i) => write(edge, i, i + 1, times(i)))
  await Promise.all([...notes, write(cloud, 200, 230, 20)])
  await agree(cloud, edge)
  expect(seen.up.some(isPacked)).toBe(true)
  expect(uplink.status.type).toBe('connected')
  await uplink.close()
})
