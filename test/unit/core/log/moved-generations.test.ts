import { expect, test } from 'vitest'
import { unpackEvents } from '../../../../src/core/log/entry.ts'
import type { Committed } from '../../../../src/core/log/submission.ts'
import { checkEntry } from '../../../../src/core/replica/incoming.ts'
import { KeptEvents } from '../../../../src/core/replica/kept-events.ts'
import { DeliveryReader } from '../../../../src/core/replica/reconcile-deliveries.ts'
import type { WireEntry } from '../../../../src/core/sync/io.ts'
import { LogNode, settleAll } from '../../../support/log-node.ts'
import { sha256 } from '../../../support/memory-log.ts'

function set(node: LogNode, key: string): Promise<void> {
  return node.edit('d', (draft) => {
    draft[key] = 1
  })
}

/** Gives all that `from` has of the document as a session does: moves are named. */
async function tell(from: LogNode, to: LogNode, only?: WireEntry['kind']): Promise<Committed> {
  const { entries } = await from.log.read({ after: 0, document: 'd', bytesMax: 1 << 24 })
  const moves = (await from.log.record('d'))?.moves ?? 0
  const wires = entries
    .filter(({ kind }) => only === undefined || kind === only)
    .map(({ kind, document, collection, generation, bytes }) => {
      const wire = { kind, document, collection, generation, bytes }
      return checkEntry(kind === 'base' || kind === 'join' ? { ...wire, moves } : wire, sha256)
    })
  const delivery = { from: from.name, entries: wires, peer: undefined, check: () => undefined }
  return await to.log.commit({ type: 'remote', ...delivery })
}

/** Tells `to` that the document left, once `from` has acknowledged its log up to a position. */
async function tellLeave(from: LogNode, to: LogNode, acked = to.log.head): Promise<void> {
  const { entries } = await from.log.read({ after: 0, document: 'd', bytesMax: 1 << 24 })
  const leave = entries.findLast(({ kind, collection }) => kind === 'leave' && collection === 'c')
  if (leave === undefined) throw new Error('it did not leave')
  const { kind, document, collection, generation, bytes } = leave
  const wire = checkEntry({ kind, document, collection, generation, bytes, moves: 1 }, sha256)
  const peer = { replica: from.name, epoch: '0', cursor: 0, acked, complete: ['c'] }
  const delivery = { from: from.name, entries: [wire], peer, check: () => undefined }
  await to.log.commit({ type: 'remote', ...delivery })
}

async function rejected(node: LogNode): Promise<readonly (string | undefined)[]> {
  const kinds: (string | undefined)[] = []
  for await (const { kind } of node.log.rejected()) kinds.push(kind ?? 'event')
  return kinds
}

async function move(node: LogNode, to: string): Promise<void> {
  await node.log.commit({ type: 'move', document: 'd', to })
}

/** Two logs with one document, of which one was moved and cut and the other cut more often. */
async function apart(): Promise<{ readonly mover: LogNode; readonly cutter: LogNode }> {
  const [mover, cutter] = await Promise.all([LogNode.open('mover'), LogNode.open('cutter')])
  await set(mover, 'both')
  await settleAll([mover, cutter])
  for (const key of ['one', 'two']) {
    await set(cutter, key)
    await cutter.cut('d')
  }
  await set(mover, 'mine')
  await move(mover, 'e')
  await mover.cut('d')
  return { mover, cutter }
}

test('a base of an older generation still tells of a move', async () => {
  const { mover, cutter } = await apart()
  const before = await cutter.log.record('d')
  await tell(mover, cutter, 'base')
  const after = await cutter.log.record('d')
  expect(after).toMatchObject({ collection: 'e', moves: 1, generation: before?.generation })
  expect(await cutter.value('d')).toEqual({ both: 1, one: 1, two: 1 })
  expect((await cutter.kinds('d')).slice(-2)).toEqual(['join', 'leave'])
})

test('a state that lost with edits in it that are nowhere else can be seen', async () => {
  const { mover, cutter } = await apart()
  await tell(cutter, mover)
  const record = await mover.log.record('d')
  expect(record).toMatchObject({
    collection: 'e',
    generation: (await cutter.log.record('d'))?.generation,
  })
  expect(await mover.value('d')).toEqual({ both: 1, one: 1, two: 1 })
  expect(await rejected(mover)).toEqual(['base'])
  // Where the newer state has all of the older one, nothing is to be seen.
  expect(await rejected(cutter)).toEqual([])
})

test('who brings a base to an old home gets it back with the new one', async () => {
  const { mover, cutter } = await apart()
  await tell(cutter, mover)
  const { entries } = await mover.log.read({ after: 0, document: 'd', bytesMax: 1 << 24 })
  const base = entries.find(({ kind }) => kind === 'base')
  expect(base).toMatchObject({ collection: 'e', from: undefined })
  const leaves = entries.filter(({ kind }) => kind === 'leave').map(({ collection }) => collection)
  expect(leaves).toEqual(['c'])
})

test('an event for an old home goes back to its sender, which may have dropped it with the leave', async () => {
  const [a, b] = await Promise.all([LogNode.open('a'), LogNode.open('b')])
  await set(a, 'both')
  await settleAll([a, b])
  await move(a, 'x')
  await move(a, 'e')
  await set(b, 'late')
  await b.give(a)
  expect(await a.value('d')).toEqual({ both: 1, late: 1 })
  const { entries } = await a.log.read({ after: 0, document: 'd', bytesMax: 1 << 24 })
  expect(entries.at(-1)).toMatchObject({ kind: 'event', collection: 'e', from: undefined })
})

test('the end of a document is told in the home that it is given elsewhere', async () => {
  const [a, b] = await Promise.all([LogNode.open('a'), LogNode.open('b')])
  await set(a, 'both')
  await settleAll([a, b])
  await b.log.commit({ type: 'delete', document: 'd' })
  await move(a, 'e')
  await tell(a, b, 'join')
  const { entries } = await b.log.read({ after: 0, document: 'd', bytesMax: 1 << 24 })
  const told = entries.slice(-3).map(({ kind, collection }) => `${kind} ${collection}`)
  expect(told).toEqual(['join e', 'leave c', 'tombstone e'])
  const digest = await b.log.digest(['e'])
  expect(Buffer.from(digest.bytes()).toString('hex')).toBe(await b.digest('d'))
})

test('a base that a peer refuses is taken back: the document begins anew with what the peer has', async () => {
  const [a, b] = await Promise.all([LogNode.open('a'), LogNode.open('b')])
  await set(a, 'both')
  await settleAll([a, b])
  await set(b, 'mine')
  await b.cut('d')
  await set(b, 'later')
  const { entries } = await b.log.read({ after: 0, document: 'd', bytesMax: 1 << 24 })
  const hash = entries.find(({ kind }) => kind === 'base')?.hash
  const reject = {
    document: 'd',
    kind: 'base',
    hash,
    code: 'ACCESS_DENIED',
    message: 'no',
  } as const
  await b.log.commit({ type: 'reject', peer: 'a', rejects: [reject], atMs: 1 })
  expect((await rejected(b)).toSorted()).toEqual(['base', 'event'])
  expect(await b.log.record('d')).toMatchObject({ generation: 1, entries: 0, left: false })
  expect((await b.log.digest(['c'])).sum).toBe(0n)
  await tell(a, b)
  await b.documents.reloadOnce('d')
  expect(await b.value('d')).toEqual({ both: 1 })
  expect(await b.digest('d')).toBe(await a.digest('d'))
})

test('a join that a comparison sends begins with the base', async () => {
  const { cutter } = await apart()
  await set(cutter, 'since')
  const view = {
    ...{ log: cutter.log, sha256, granted: ['c'], peer: 'mover', kept: new KeptEvents() },
  }
  const delivery = { document: 'd', collection: 'c', whole: true, names: undefined }
  const start = { index: 0, entries: 0 }
  const { entries } = await new DeliveryReader().read(view, [delivery], start, 1 << 20)
  expect(entries.map(({ kind }) => kind)).toEqual(['join'])
  const [join] = entries
  if (join === undefined) throw new Error('nothing was sent')
  expect(unpackEvents(join.bytes)).toHaveLength(2)
  expect(checkEntry(join, sha256).base?.generation).toBe((await cutter.log.record('d'))?.generation)
})

test('an own edit that a peer has aside stays to be seen when its document leaves', async () => {
  const nodes = await Promise.all(['author', 'owner', 'behind'].map((name) => LogNode.open(name)))
  const [author, owner, behind] = nodes as [LogNode, LogNode, LogNode]
  await set(author, 'both')
  await settleAll(nodes)
  await owner.cut('d')
  await set(author, 'mine')
  await set(behind, 'theirs')
  await settleAll([author, behind])
  await author.give(owner)
  expect(await owner.value('d')).toEqual({ both: 1 })
  await move(owner, 'e')
  await tellLeave(owner, author)
  // Both edits of its own, as it cannot tell which of them are in the state of the owner.
  expect(await rejected(author)).toEqual(['event', 'event'])
  expect(await author.log.record('d')).toMatchObject({ left: true, fork: 1 })
  await tellLeave(author, behind)
  expect(await rejected(behind)).toEqual(['event'])
})

test('nothing goes aside with a document that leaves in the generation that is here', async () => {
  const [author, owner] = await Promise.all([LogNode.open('author'), LogNode.open('owner')])
  await set(author, 'both')
  await settleAll([author, owner])
  await move(owner, 'e')
  await tellLeave(owner, author)
  expect(await author.log.record('d')).toMatchObject({ left: true, fork: 0 })
  expect(await rejected(author)).toEqual([])
})

test('the end of a document that nobody heard of stays to be seen when it leaves', async () => {
  const [author, owner] = await Promise.all([LogNode.open('author'), LogNode.open('owner')])
  await Promise.all([set(author, 'mine'), set(owner, 'theirs')])
  await author.log.commit({ type: 'delete', document: 'd' })
  await author.cut('d')
  await move(owner, 'e')
  await tellLeave(owner, author, 0)
  const aside: string[] = []
  for await (const { hash } of author.log.rejected()) aside.push(hash)
  expect(aside).toEqual(['tombstone'])
  // It counts again once the document is back.
  await tell(owner, author, 'join')
  expect(await author.log.record('d')).toMatchObject({ left: false, deleted: true })
  expect(await rejected(author)).toEqual([])
})

test('who gets a document back after something of it went aside is to compare', async () => {
  const [author, owner] = await Promise.all([LogNode.open('author'), LogNode.open('owner')])
  await set(author, 'both')
  await settleAll([author, owner])
  const acked = author.log.head
  await set(author, 'under way')
  await move(owner, 'e')
  await tellLeave(owner, author, acked)
  expect(await rejected(author)).toEqual(['event'])
  await move(owner, 'f')
  expect((await tell(owner, author, 'join')).returned).toEqual(['f'])
  // Nothing is to be compared when it is told again.
  expect((await tell(owner, author, 'join')).returned).toEqual([])
})

test('who gets a document back in an older generation than it left in is to compare', async () => {
  const [owner, mover] = await Promise.all([LogNode.open('owner'), LogNode.open('mover')])
  await set(owner, 'both')
  await settleAll([owner, mover])
  await move(mover, 'e')
  await owner.cut('d')
  // The base is on its way while the document leaves and comes back.
  await tellLeave(mover, owner)
  await move(mover, 'f')
  expect((await tell(mover, owner, 'join')).returned).toEqual(['f'])
  expect(await owner.log.record('d')).toMatchObject({ left: false, fork: 0, generation: 1 })
})
