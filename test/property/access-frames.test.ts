import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryStorage } from '../../src/adapters/storage/memory/index.ts'
import { DENIED, type Policy } from '../../src/core/access/policy.ts'
import { actorOf } from '../../src/core/log/authors.ts'
import { packEvents, type StoredEntry } from '../../src/core/log/entry.ts'
import type { EntryKind, WireEntry } from '../../src/core/sync/io.ts'
import type { Frame } from '../../src/core/sync/message.ts'
import { encodeFrame } from '../../src/core/sync/message-codec.ts'
import { consoleLogger, createReplica, type Replica } from '../../src/index.ts'
import { nodeSha256 } from '../../src/node/index.ts'
import { MemoryHub } from '../../src/transports/memory/index.ts'
import { Author } from '../support/author.ts'
import { frame } from '../support/frames.ts'
import { sha256 } from '../support/memory-log.ts'
import { eventsFrame, helloFrame, RawPeer, wireEntry } from '../support/raw-peer.ts'

const COLLECTIONS = ['a', 'b', 'c'] as const
const KINDS: readonly EntryKind[] = ['event', 'join', 'snapshot', 'tombstone', 'leave']
/** Which entries of a peer can leave an entry of this kind in the log. */
const MAKES: Readonly<Record<EntryKind, readonly EntryKind[]>> = {
  event: ['event', 'join', 'snapshot'],
  join: ['join'],
  snapshot: ['snapshot'],
  tombstone: ['tombstone'],
  // Who may join a document to a second home may take it out of the first: peers of that one are told.
  leave: ['leave', 'join'],
  base: [],
}
const EPOCH = '00112233445566aa'

/** Only found in what a replica holds of this collection. */
function secretOf(collection: string): string {
  return `only-who-may-read-${collection}-sees-this`
}

/** What the policy says about `mallory`. */
interface Rules {
  readonly read: readonly string[]
  readonly write: readonly string[]
  readonly kinds: readonly EntryKind[]
  /** Only documents that are known may be written. */
  readonly existingOnly: boolean
  readonly relays: boolean
}

const rules: fc.Arbitrary<Rules> = fc.record({
  read: some(COLLECTIONS),
  write: some(COLLECTIONS),
  kinds: some(KINDS),
  existingOnly: fc.boolean(),
  relays: fc.boolean(),
})

/** Any of them, and often all: rules that allow nothing show little. */
function some<T>(items: readonly T[]): fc.Arbitrary<readonly T[]> {
  return fc.oneof(fc.constant(items), fc.subarray([...items]))
}

function policyOf({ read, write, kinds, existingOnly, relays }: Rules): Policy {
  return {
    mayConnect: (principal, replica) => (principal === replica ? undefined : DENIED),
    mayRead: (principal, collection) => principal === 'mallory' && read.includes(collection),
    mayWrite: (_principal, { kind, collection, exists }) => {
      const mayBe = write.includes(collection) && kinds.includes(kind)
      return mayBe && (exists || !existingOnly) ? undefined : DENIED
    },
    mayRelay: () => relays,
  }
}

const actor = fc.constantFrom('mallory', 'victim').map((name) => {
  return actorOf({ replica: name, epoch: EPOCH }, 0, 0, sha256)
})

const document = fc
  .tuple(fc.constantFrom(...COLLECTIONS), fc.constantFrom('held', 'new', 'other'))
  .map(([collection, name]) => `${collection}/${name}`)

/** An entry as a peer would make it: its document may be at home elsewhere than it says. */
const entry = fc
  .record({
    kind: fc.constantFrom(...KINDS),
    document,
    collection: fc.constantFrom(...COLLECTIONS),
    actor,
    n: fc.nat({ max: 3 }),
  })
  .map(({ kind, document: id, collection, actor: by, n }): WireEntry => {
    if (kind === 'tombstone' || kind === 'leave')
      return wireEntry(kind, id, collection, new Uint8Array(0))
    const { bytes } = new Author(by).set('n', n)
    return wireEntry(kind, id, collection, kind === 'event' ? bytes : packEvents([bytes]))
  })

const crafted: fc.Arbitrary<Frame> = fc.oneof(
  { weight: 20, arbitrary: fc.array(entry, { maxLength: 5 }).map((all) => eventsFrame(...all)) },
  fc
    .subarray([...COLLECTIONS, 'x'])
    .map((collections): Frame => ({ type: 'subscribe', collections })),
  fc.constantFrom(...COLLECTIONS).map((collection): Frame => {
    return { ...eventsFrame(), final: true, backfill: collection }
  }),
  fc.nat({ max: 20 }).map((at): Frame => {
    return { type: 'ack', received: at, durable: at, credit: 2 ** 40, upTo: at, filled: [] }
  }),
  frame,
)

/** What is sent next: something made, something said before, or that with a byte changed. */
const step = fc.record({
  frame: crafted,
  replayed: seldom(4, fc.nat()),
  flip: seldom(12, fc.record({ at: fc.nat(), by: fc.integer({ min: 1, max: 255 }) })),
})

/** Once in so many times, and undefined otherwise. */
function seldom<T>(times: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof(
    { weight: times - 1, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary },
  )
}

async function open(
  policy: Policy,
): Promise<{ readonly replica: Replica; readonly hub: MemoryHub }> {
  const hub = new MemoryHub()
  const replica = await createReplica({
    storage: memoryStorage(),
    name: 'cloud',
    sha256: nodeSha256(),
    logger: consoleLogger('silent'),
    policy,
  })
  for (const collection of COLLECTIONS) {
    const handle = await replica.open(`${collection}/held`, { collection })
    handle.change(() => ({ text: secretOf(collection) }))
    await handle.durable()
    await handle.close()
  }
  replica.serve(hub.listen('memory:cloud'))
  return { replica, hub }
}

/** Everything that the replica holds of a collection, and where its documents are at home. */
async function heldIn(replica: Replica, collection: string): Promise<unknown> {
  const documents: unknown[] = []
  for await (const { id, record } of replica.documents()) {
    if (record.collection !== collection) continue
    documents.push([id, record.entries, record.deleted, record.left])
  }
  return [await replica.digest([collection]), documents]
}

/** Waits until all that was sent is stored or refused: the log takes writes in order. */
async function settled(replica: Replica, peer: RawPeer): Promise<void> {
  for (const round of [1, 2]) {
    peer.send({ type: 'ping' })
    const done = (): boolean =>
      peer.ended || peer.frames.filter(({ type }) => type === 'pong').length >= round
    await peer.until(() => done() || undefined, 'an answer')
    const tick = await replica.open<{ n?: number }>('tick/1', { collection: 'tick' })
    tick.change(() => ({ n: round + Math.random() }))
    await tick.durable()
    await tick.close()
  }
}

test('nothing that the policy forbids is read or written, whatever a peer sends', async () => {
  const plan = fc.record({
    rules,
    asks: some([...COLLECTIONS, 'x']),
    cursor: fc.nat({ max: 9 }),
    hasty: fc.boolean(),
    steps: fc.array(step, { maxLength: 14 }),
  })
  let reads = 0
  let writes = 0
  await fc.assert(
    fc.asyncProperty(plan, async ({ rules: allowed, asks, cursor, hasty, steps }) => {
      const { replica, hub } = await open(policyOf(allowed))
      // So that its actors are known to be another's.
      await (
        await RawPeer.greet(hub, { principal: 'victim' }, { subscriptions: [] })
      ).connection.close()
      const guarded = COLLECTIONS.filter(
        (name) => !(allowed.read.includes(name) && allowed.write.includes(name)),
      )
      const before = await Promise.all(guarded.map((name) => heldIn(replica, name)))
      const peer = await RawPeer.dial(hub, { principal: 'mallory' })
      const peerEpoch = cursor % 2 === 0 ? replica.epoch : undefined
      peer.send(helloFrame('mallory', { subscriptions: asks, cursor, peerEpoch, credit: 2 ** 40 }))
      if (!hasty) await peer.next('welcome')
      const said: Uint8Array[] = []
      for (const { frame: made, replayed, flip } of steps) {
        const known = replayed === undefined ? undefined : said[replayed % (said.length || 1)]
        const bytes = Uint8Array.from(known ?? encodeFrame(made))
        if (flip !== undefined) {
          const at = flip.at % bytes.length
          bytes[at] = (bytes[at] ?? 0) ^ flip.by
        }
        said.push(bytes.slice())
        peer.sendBytes(bytes)
      }
      await settled(replica, peer)
      await peer.connection.close()

      for (const name of COLLECTIONS) {
        if (!allowed.read.includes(name)) expect(peer.heardText(secretOf(name))).toBe(false)
      }
      // Without both rights a collection is as it was: what may not be read cannot be shared, so not written.
      expect(await Promise.all(guarded.map((name) => heldIn(replica, name)))).toEqual(before)
      const stored = await storedOf(replica, 'mallory')
      for (const { kind, document: id } of stored) {
        expect(MAKES[kind].some((made) => allowed.kinds.includes(made))).toBe(true)
        if (allowed.existingOnly) expect(id).toMatch(/\/held$/)
      }
      if (!allowed.relays) expectNothingBy('victim', stored)
      writes += stored.length
      if (COLLECTIONS.some((name) => peer.heardText(secretOf(name)))) reads += 1
      await replica.close()
    }),
    { numRuns: 250 },
  )
  // What is allowed does happen: the frames are not all refused for another reason.
  expect([reads > 20, writes > 20], `${reads} reads, ${writes} writes`).toEqual([true, true])
})

/** What a peer delivered and the log took. */
async function storedOf(replica: Replica, peer: string): Promise<readonly StoredEntry[]> {
  const { entries } = await replica.readLog({ after: 0, bytesMax: 1 << 24 })
  return entries.filter(({ from }) => from === peer)
}

/** Nothing is in the name of another replica. */
function expectNothingBy(name: string, entries: readonly StoredEntry[]): void {
  const forged = Buffer.from(actorOf({ replica: name, epoch: EPOCH }, 0, 0, sha256), 'hex')
  for (const { bytes } of entries) expect(Buffer.from(bytes).includes(forged)).toBe(false)
}
