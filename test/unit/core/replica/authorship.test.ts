import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { cloudPolicy, nodeCollection, nodePrincipal } from '../../../../src/core/access/fleet.ts'
import { grants, type Policy } from '../../../../src/core/access/policy.ts'
import { actorOf } from '../../../../src/core/log/authors.ts'
import { packEvents } from '../../../../src/core/log/entry.ts'
import { makeBeginning } from '../../../../src/core/log/generation-beginning.ts'
import { cutActor } from '../../../../src/core/log/generation-origin.ts'
import type { CheckedEvent } from '../../../../src/core/log/submission.ts'
import { consoleLogger, createReplica, type Replica } from '../../../../src/index.ts'
import { nodeSha256 } from '../../../../src/node/index.ts'
import { MemoryHub } from '../../../../src/transports/memory/index.ts'
import { Author } from '../../../support/author.ts'
import { eventually } from '../../../support/fleet.ts'
import { sha256 } from '../../../support/memory-log.ts'
import { eventsFrame, RawPeer, wireEntry } from '../../../support/raw-peer.ts'

const EPOCH = '00112233445566aa'
const all = { read: ['*'], write: ['*'] }
const open: Replica[] = []
let hub = new MemoryHub()
let medium = new MemoryMedium()

beforeEach(() => {
  hub = new MemoryHub()
  medium = new MemoryMedium()
})
afterEach(async () => {
  for (const replica of open.splice(0)) await replica.close()
})

async function start(policy: Policy = grants({ writer: all, forger: all })): Promise<Replica> {
  const replica = await createReplica({
    storage: memoryStorage({ medium }),
    name: 'cloud',
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    policy,
  })
  replica.serve(hub.listen('memory:cloud'))
  open.push(replica)
  return replica
}

/** The actor under which the replica of a raw peer writes. */
function actor(replica: string): string {
  return actorOf({ replica, epoch: EPOCH }, 0, 0, sha256)
}

function greet(principal: string, replica = principal): Promise<RawPeer> {
  return RawPeer.greet(hub, { principal }, { replica, subscriptions: ['c', nodeCollection('n')] })
}

/** Waits until it is so: each look takes its time, and so does the next. */
async function soon(check: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 5_000
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`not so in time: ${String(check)}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** Delivers one event and gives the code with which it was refused; undefined when it was taken. */
async function deliver(
  peer: RawPeer,
  document: string,
  event: CheckedEvent,
  collection = 'c',
): Promise<string | undefined> {
  peer.send(eventsFrame(wireEntry('event', document, collection, event.bytes)))
  const { hash } = event.header
  const refusal = () =>
    peer.frames
      .flatMap((frame) => (frame.type === 'rejects' ? frame.rejects : []))
      .find((reject) => reject.hash === hash)
  const [cloud] = open.slice(-1)
  await soon(async () => {
    if (refusal() !== undefined) return true
    const page = await cloud?.readLog({ after: 0, document, bytesMax: 1 << 20 })
    return page?.entries.some((entry) => entry.hash === hash) === true
  })
  return refusal()?.code
}

describe('events of a generation that is not here', () => {
  const strict: Policy = { ...grants({ writer: all, forger: all }), mayRelay: () => false }

  test('are not believed from who may not speak for their writer, alone or with a base', async () => {
    await start(strict)
    const id = 'c/late'
    await greet('writer')
    const forger = await greet('forger')
    const state = new Author(cutActor(id, 1, sha256)).set('a', 1)
    const { generation, bytes } = makeBeginning(1, new Map(), state, sha256)
    const forged = new Author(actor('writer')).set('b', 2)
    const join = packEvents([bytes, forged.bytes])
    for (const entry of [
      { ...wireEntry('event', id, 'c', forged.bytes), generation },
      { ...wireEntry('join', id, 'c', join), generation },
    ]) {
      forger.frames.splice(0)
      forger.send(eventsFrame(entry))
      const { rejects } = await forger.next('rejects')
      expect(rejects).toMatchObject([{ document: id, code: 'ACCESS_AUTHOR' }])
    }
    forger.send(eventsFrame({ ...wireEntry('base', id, 'c', bytes), generation }))
    const [cloud] = open.slice(-1)
    await soon(async () => (await cloud?.record(id))?.generation === generation)
    const handle = await cloud?.open(id)
    expect(handle?.value).toEqual({ a: 1 })
    await handle?.close()
  })
})

describe('a writer that gives two events for one place', () => {
  test('is refused from then on, also after a restart, until it is pardoned', async () => {
    const cloud = await start()
    const peer = await greet('writer')
    const [first, second] = [new Author(actor('writer')), new Author(actor('writer'))]
    expect(await deliver(peer, 'c/1', first.set('a', 1))).toBeUndefined()
    expect(await deliver(peer, 'c/1', second.set('a', 2))).toBe('ACCESS_EQUIVOCATION')
    const [record] = await eventually(() => {
      const found = cloud.quarantined()
      return found.length > 0 && found
    })
    expect(record).toMatchObject({ actor: actor('writer'), replica: 'writer', document: 'c/1' })
    const other = new Author(actor('writer'))
    const next = other.set('a', 1)
    expect(await deliver(peer, 'c/2', next)).toBe('ACCESS_QUARANTINED')
    // What it wrote before stays, and may be sent again.
    peer.send(eventsFrame(wireEntry('event', 'c/1', 'c', first.set('b', 1).bytes)))
    await peer.connection.close()
    await cloud.close()

    const again = await start()
    expect(again.quarantined()).toEqual([record])
    const back = await greet('writer')
    expect(await deliver(back, 'c/2', next)).toBe('ACCESS_QUARANTINED')
    expect((await again.status()).quarantined).toHaveLength(1)
    expect(await again.pardon(actor('writer'))).toBe(true)
    expect(await again.pardon(actor('writer'))).toBe(false)
    const free = await greet('writer', 'writer')
    expect(await deliver(free, 'c/3', next)).toBeUndefined()
    await free.connection.close()
  })

  test('is another when events of the same place came through others: nobody is blamed', async () => {
    const cloud = await start()
    const writer = await greet('writer')
    const [real, forged] = [new Author(actor('writer')), new Author(actor('writer'))]
    const forger = await greet('forger')
    // In its name after it: refused, and that is all.
    expect(await deliver(writer, 'c/1', real.set('a', 1))).toBeUndefined()
    expect(await deliver(forger, 'c/1', forged.set('a', 2))).toBe('ACCESS_EQUIVOCATION')
    // In its name before it: the writer is refused here and nowhere else.
    const [early, late] = [new Author(actor('writer')), new Author(actor('writer'))]
    expect(await deliver(forger, 'c/2', early.set('a', 3))).toBeUndefined()
    expect(await deliver(writer, 'c/2', late.set('a', 4))).toBe('ACCESS_EQUIVOCATION')
    expect(await deliver(writer, 'c/3', new Author(actor('writer')).set('a', 5))).toBeUndefined()
    expect(cloud.quarantined()).toEqual([])
  })

  test('under the name of a replica that another principal had first: nobody is blamed', async () => {
    const cloud = await start()
    await (await greet('writer')).connection.close()
    await eventually(() => cloud.peers().length === 0)
    const forger = await greet('forger', 'writer')
    const [one, two] = [new Author(actor('writer')), new Author(actor('writer'))]
    expect(await deliver(forger, 'c/1', one.set('a', 1))).toBeUndefined()
    expect(await deliver(forger, 'c/1', two.set('a', 2))).toBe('ACCESS_EQUIVOCATION')
    expect(await deliver(forger, 'c/2', new Author(actor('writer')).set('a', 3))).toBeUndefined()
    expect(cloud.quarantined()).toEqual([])
  })
})

describe('what others wrote', () => {
  const rules = { mayNodeRead: () => true, mayNodeWrite: () => true }

  test('is not taken from a node in the name of another replica', async () => {
    const cloud = await start(cloudPolicy(rules))
    const victim = await greet(nodePrincipal('v'), 'v')
    const node = await greet(nodePrincipal('n'), 'n')
    const forged = new Author(actor('v')).set('a', 1)
    expect(await deliver(node, 'c/1', forged)).toBe('ACCESS_AUTHOR')
    expect(await deliver(victim, 'c/1', forged)).toBeUndefined()
    expect(await deliver(node, 'c/2', new Author(actor('n')).set('a', 1))).toBeUndefined()
    // Nobody knows whose this is.
    expect(await deliver(node, 'c/3', new Author('ef'.repeat(8)).set('a', 1))).toBeUndefined()
    // Ours that come back from a peer, after a log was put back from a backup.
    expect(await deliver(node, 'c/4', new Author(cloud.actor).set('a', 1))).toBeUndefined()
  })

  test('is taken where the rules allow it', async () => {
    await start(
      cloudPolicy({ ...rules, mayNodeRelay: (node, author) => node === 'n' && author === 'v' }),
    )
    await greet(nodePrincipal('v'), 'v')
    const node = await greet(nodePrincipal('n'), 'n')
    const other = await greet(nodePrincipal('o'), 'o')
    expect(await deliver(node, 'c/1', new Author(actor('v')).set('a', 1))).toBeUndefined()
    expect(await deliver(other, 'c/2', new Author(actor('v')).set('a', 1))).toBe('ACCESS_AUTHOR')
  })

  test('stays with the relay that was refused, until the author brings it', async () => {
    // The relay has it from the author; the cloud does not take it from the relay.
    const policy: Policy = {
      ...grants({ relay: all, author: all }),
      mayRelay: (_, by) => by !== 'author',
    }
    const cloud = await start(policy)
    const names = ['relay', 'author'] as const
    const [relay, author] = await Promise.all(
      names.map((name) =>
        createReplica({
          storage: memoryStorage(),
          name,
          sha256: nodeSha256(),
          logger: consoleLogger('silent'),
          policy: grants({ relay: all, author: all, cloud: all }),
        }),
      ),
    )
    if (relay === undefined || author === undefined) throw new Error('two were opened')
    open.unshift(relay, author)
    relay.serve(hub.listen('memory:relay'))
    const dial = (from: Replica, to: string) =>
      from.connect({
        transport: hub.transport({ principal: from.name }),
        address: `memory:${to}`,
        collections: ['c'],
        principal: to,
      })
    // The cloud has to have met the author to know what it may not take from others.
    const first = dial(author, 'cloud')
    await eventually(() => first.status.type === 'connected')
    await first.close()
    const note = await author.open<{ text?: string }>('c/1', { collection: 'c' })
    note.change(() => ({ text: 'mine' }))
    dial(author, 'relay')
    await note.durable('relay')
    const up = dial(relay, 'cloud')
    await eventually(() => up.status.type === 'connected')
    const copy = await relay.open<{ text?: string }>('c/1', { collection: 'c' })
    // Refused there, it counts here all the same, and nothing is said to be rejected.
    const own = await relay.open<{ text?: string }>('c/2', { collection: 'c' })
    own.change(() => ({ text: 'after it' }))
    await own.durable('cloud')
    expect(copy.value).toEqual({ text: 'mine' })
    for await (const rejected of relay.rejected()) throw new Error(rejected.code)
    expect((await cloud.record('c/1'))?.entries).toBeUndefined()
    dial(author, 'cloud')
    await note.durable('cloud')
    await soon(async () => (await cloud.digest(['c'])) === (await relay.digest(['c'])))
    expect(up.status.type).toBe('connected')
  })
})
