import { randomBytes } from 'node:crypto'
import { afterEach, expect, test } from 'vitest'
import { memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { DENIED, grants, type Policy } from '../../../../src/core/access/policy.ts'
import { ConnectionClosedError } from '../../../../src/core/errors.ts'
import type { Connection, Transport } from '../../../../src/core/interfaces/transport.ts'
import { decodeMessage } from '../../../../src/core/sync/message-codec.ts'
import { consoleLogger, createReplica, type Replica } from '../../../../src/index.ts'
import { nodeSha256 } from '../../../../src/node/index.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'
import { eventually } from '../../../support/fleet.ts'

const open: Replica[] = []
afterEach(async () => {
  for (const replica of open.splice(0)) await replica.close()
})

async function start(name: string, policy: Policy): Promise<Replica> {
  const replica = await createReplica({
    storage: memoryStorage(),
    name,
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    policy,
  })
  open.push(replica)
  return replica
}

/** A transport whose dialler may hear nothing any more, and whose connections may break. */
class DeafTransport implements Transport {
  readonly name = 'deaf'
  readonly supports: Transport['supports']
  readonly #inner: Transport
  #connection: Connection | undefined
  #isDeaf = false
  /** Types of the frames that the dialler did not hear. */
  readonly unheard: string[] = []
  #mayDial: Promise<void> = Promise.resolve()
  #allow: () => void = () => undefined

  constructor(inner: Transport) {
    this.#inner = inner
    this.supports = inner.supports
  }

  async dial(...args: Parameters<Transport['dial']>): Promise<Connection> {
    await this.#mayDial
    const connection = await this.#inner.dial(...args)
    this.#connection = connection
    return new Proxy(connection, {
      get: (_, key) => {
        if (key === Symbol.asyncIterator)
          return () => filtered(connection, (message) => this.#hears(message))
        const value: unknown = Reflect.get(connection, key, connection)
        return typeof value === 'function' ? value.bind(connection) : value
      },
    })
  }

  #hears(message: Uint8Array): boolean {
    if (!this.#isDeaf) return true
    for (const { frame } of decodeMessage(message).frames ?? []) this.unheard.push(frame.type)
    return false
  }

  deafen(): void {
    this.#isDeaf = true
    this.unheard.length = 0
  }

  /** The connection breaks; the next one is as it should be, and open when {@link mend} says so. */
  break(): void {
    this.#mayDial = new Promise((resolve) => {
      this.#allow = resolve
    })
    this.#connection?.abort(new ConnectionClosedError('broken by the test'))
  }

  mend(): void {
    this.#isDeaf = false
    this.#allow()
  }

  /** Lets the next connection be opened, on which nothing is heard. */
  mendDeaf(): void {
    this.deafen()
    this.#allow()
  }
}

async function* filtered(
  connection: Connection,
  hears: (message: Uint8Array) => boolean,
): AsyncGenerator<Uint8Array> {
  for await (const message of connection) if (hears(message)) yield message
}

async function rejectedOf(replica: Replica): Promise<readonly (string | undefined)[]> {
  const all: (string | undefined)[] = []
  for await (const { hash } of replica.rejected()) all.push(hash)
  return all.sort()
}

/** A node that shares one collection with a cloud, and a document there that both have. */
async function fleet(): Promise<{
  readonly cloud: Replica
  readonly node: Replica
  readonly link: DeafTransport
  readonly refuse: () => void
}> {
  const table = grants({
    cloud: { read: ['*'], write: ['*'] },
    node: { read: ['c'], write: ['c'] },
  })
  let isRefusing = false
  const cloud = await start('cloud', {
    ...table,
    mayWrite: (principal, request) =>
      isRefusing && principal === 'node' ? DENIED : table.mayWrite(principal, request),
  })
  const node = await start('node', table)
  const hub = new MemoryHub()
  cloud.serve(hub.listen('memory:cloud'))
  const link = new DeafTransport(hub.transport({ principal: 'node' }))
  node.connect({ transport: link, address: 'memory:cloud', collections: ['c'] })
  await edit(node, 1)
  const held = await node.open('c/1')
  await held.durable('cloud')
  await held.close()
  return {
    ...{ cloud, node, link },
    refuse: () => {
      isRefusing = true
    },
  }
}

/** Resolves when the node has heard that the document is no longer where it can see it. */
async function left(replica: Replica): Promise<void> {
  await new Promise<void>((resolve) => {
    replica.onAppended((entries) => {
      if (entries.some(({ kind }) => kind === 'leave')) resolve()
    })
  })
}

async function edit(replica: Replica, n: number, bytes = 0): Promise<string> {
  const note = await replica.open<{ n?: number; text?: string }>('c/1', { collection: 'c' })
  const hash = note.change((draft) => {
    draft.n = n
    if (bytes > 0) draft.text = randomBytes(bytes).toString('base64')
  })
  await note.durable()
  await note.close()
  if (hash === undefined) throw new Error('nothing was changed')
  return hash
}

test('a peer does not have what it refused, also when its refusal was lost with the connection', async () => {
  const { node, link, refuse } = await fleet()
  refuse()
  link.deafen()
  const hash = await edit(node, 2)
  const note = await node.open('c/1')
  const told = note.durable('cloud').then(() => rejectedOf(node))
  await eventually(() => link.unheard.includes('rejects'))
  link.break()
  link.mend()
  expect(await told).toEqual([hash])
  await note.close()
})

test('edits of a document that had moved are kept, also when the answer was lost', async () => {
  const { cloud, node, link } = await fleet()
  link.break()
  // More than goes out before the first answer: what the cloud has to tell comes before what it says of them.
  const edits: string[] = []
  for (const n of [2, 3, 4]) edits.push(await edit(node, n, 30_000))
  await cloud.move('c/1', 'elsewhere')
  link.mendDeaf()
  await eventually(() => link.unheard.includes('rejects'))
  link.break()
  const leaves = left(node)
  link.mend()
  await leaves
  expect(await rejectedOf(node)).toEqual(edits.sort())
})

test('edits that went along with a move do not count as refused when their acknowledgement was lost', async () => {
  const { cloud, node, link } = await fleet()
  link.deafen()
  const hash = await edit(node, 2)
  await eventually(() => link.unheard.includes('ack'))
  link.break()
  await cloud.move('c/1', 'elsewhere')
  const leaves = left(node)
  link.mend()
  await leaves
  expect(await rejectedOf(node)).toEqual([])
  const kept: (string | undefined)[] = []
  for (const entry of (await cloud.readLog({ after: 0, bytesMax: 1 << 20 })).entries)
    if (entry.document === 'c/1') kept.push(entry.hash)
  expect(kept).toContain(hash)
})
