import { expect, test } from 'vitest'

import { packEvents } from '../../../../src/core/log/entry.ts'
import { makeBeginning } from '../../../../src/core/log/generation-beginning.ts'
import { cutActor } from '../../../../src/core/log/generation-origin.ts'
import { checkEntry } from '../../../../src/core/replica/incoming.ts'
import type { WireEntry } from '../../../../src/core/sync/io.ts'
import { Author } from '../../../support/author.ts'
import { LogNode, settleAll } from '../../../support/log-node.ts'
import { sha256 } from '../../../support/memory-log.ts'

const KIND = {
  name: 'test/v1',
  shape: {
    type: 'map',
    fields: {
      items: { type: 'list', keys: ['name'] },
      tags: { type: 'set' },
      count: { type: 'counter' },
    },
  },
  skeleton: [],
} as const

type Item = { name: string; value: number }

test('a cut leaves one entry, the same value, and the digest of the base alone', async () => {
  const a = await LogNode.open('a')
  for (let i = 0; i < 5; i += 1)
    await a.edit('d', (draft) => {
      draft['n'] = i
    })
  await a.cut('d')
  expect(await a.kinds('d')).toEqual(['base'])
  expect(await a.value('d')).toEqual({ n: 4 })
  const record = await a.log.record('d')
  expect(record?.entries).toBe(1)
  const fresh = await LogNode.open('b')
  await a.give(fresh)
  expect(await fresh.value('d')).toEqual({ n: 4 })
  expect(await fresh.digest('d')).toBe(await a.digest('d'))
  await fresh.edit('d', (draft) => {
    draft['m'] = 1
  })
  await fresh.give(a)
  expect(await a.value('d')).toEqual({ n: 4, m: 1 })
})

test('what a peer wrote while the history was cut is written again on the base', async () => {
  const [a, b] = await Promise.all([LogNode.open('a'), LogNode.open('b')])
  await a.edit(
    'd',
    (draft) => {
      draft['items'] = [{ name: 'x', value: 1 }]
      draft['tags'] = ['t']
      draft['count'] = 1
      draft['note'] = 'a'
    },
    KIND,
  )
  await settleAll([a, b])
  const held = await b.hold('d', KIND)
  b.change(held, (draft) => {
    ;(draft['items'] as Item[]).push({ name: 'y', value: 2 })
    draft['tags'] = ['t', 'u']
    draft['count'] = 3
  })
  await held.durable
  b.change(held, (draft) => {
    Object.assign((draft['items'] as Item[])[0] ?? {}, { value: 7 })
    draft['mine'] = { deep: { er: true } }
  })
  await held.durable
  await a.edit('d', (draft) => {
    draft['note'] = 'b'
  })
  await a.edit(
    'd',
    (draft) => {
      draft['count'] = 11
    },
    KIND,
  )
  await a.cut('d')
  await a.give(b)
  const merged = {
    items: [
      { name: 'x', value: 7 },
      { name: 'y', value: 2 },
    ],
    tags: ['t', 'u'],
    count: 13,
    note: 'b',
    mine: { deep: { er: true } },
  }
  expect(held.document.value).toEqual(merged)
  expect(await b.kinds('d')).toEqual(['base', 'event', 'event'])
  await settleAll([a, b])
  expect(await a.value('d', KIND)).toEqual(merged)
  expect(await a.digest('d')).toBe(await b.digest('d'))
  expect(await a.late()).toEqual([])
})

test('late events are kept aside until they come written again', async () => {
  const [a, b] = await Promise.all([LogNode.open('a'), LogNode.open('b')])
  await a.edit('d', (draft) => {
    draft['x'] = 1
  })
  await settleAll([a, b])
  await b.edit('d', (draft) => {
    draft['y'] = 2
  })
  await a.cut('d')
  await b.give(a)
  expect(await a.late()).toHaveLength(1)
  expect(await a.value('d')).toEqual({ x: 1 })
  await settleAll([a, b])
  expect(await a.late()).toEqual([])
  expect(await a.value('d')).toEqual({ x: 1, y: 2 })
  expect(await b.value('d')).toEqual({ x: 1, y: 2 })
  expect(await a.digest('d')).toBe(await b.digest('d'))
})

test('a peer that comes back after many generations writes again what is not included yet', async () => {
  const [a, b, c] = await Promise.all([LogNode.open('a'), LogNode.open('b'), LogNode.open('c')])
  await a.edit(
    'd',
    (draft) => {
      draft['count'] = 0
    },
    KIND,
  )
  await settleAll([a, b, c])
  for (const step of [1, 2]) {
    await b.edit(
      'd',
      (draft) => {
        draft['count'] = Number(draft['count']) + 1
        draft[`b${step}`] = step
      },
      KIND,
    )
  }
  // The relay has them, and writes them again on the first base; the owner cuts on without them.
  await b.give(c)
  await a.edit('d', (draft) => {
    draft['a'] = 1
  })
  await a.cut('d')
  await a.give(c)
  await a.edit('d', (draft) => {
    draft['a'] = 2
  })
  await a.cut('d')
  await a.give(b)
  await settleAll([a, b, c])
  const value = { count: 2, a: 2, b1: 1, b2: 2 }
  for (const node of [a, b, c]) {
    expect(await node.value('d', KIND)).toEqual(value)
    expect(await node.digest('d')).toBe(await a.digest('d'))
    expect(await node.late()).toEqual([])
    expect(await node.kinds('d')).toEqual(['base', 'event', 'event'])
  }
})

test('edits under way are made again: the handle goes on', async () => {
  const a = await LogNode.open('a')
  await a.edit('d', (draft) => {
    draft['x'] = 1
  })
  const held = await a.hold('d')
  const seen: unknown[] = []
  held.listeners.add(() => seen.push(held.document.value))
  const cut = a.log.commit({ type: 'cut', document: 'd', generation: 1 })
  for (let i = 0; i < 3; i += 1)
    a.change(held, (draft) => {
      draft[`k${i}`] = i
    })
  await Promise.all([cut, held.durable])
  const value = { x: 1, k0: 0, k1: 1, k2: 2 }
  expect(held.document.value).toEqual(value)
  expect(held.document.durableValue).toEqual(value)
  expect(seen.every((one, i) => i === 0 || Object.keys(one as object).length >= 2)).toBe(true)
  expect(await a.kinds('d')).toEqual(['base', 'event', 'event', 'event'])
})

test('of two bases of one generation the one that reaches further counts everywhere', async () => {
  const [a, b] = await Promise.all([LogNode.open('a'), LogNode.open('b')])
  await a.edit('d', (draft) => {
    draft['x'] = 1
  })
  await settleAll([a, b])
  await b.edit('d', (draft) => {
    draft['y'] = 2
  })
  await a.cut('d')
  await b.cut('d')
  await a.edit('d', (draft) => {
    draft['z'] = 3
  })
  await b.edit('d', (draft) => {
    draft['w'] = 4
  })
  await settleAll([a, b])
  for (const node of [a, b]) {
    expect(await node.value('d')).toEqual({ x: 1, y: 2, z: 3, w: 4 })
    expect(await node.digest('d')).toBe(await a.digest('d'))
    expect(await node.late()).toEqual([])
  }
})

test('of a deleted document nothing stays but that it is deleted', async () => {
  const [a, b] = await Promise.all([LogNode.open('a'), LogNode.open('b')])
  await a.edit('d', (draft) => {
    draft['x'] = 'secret'
  })
  await settleAll([a, b])
  await b.edit('d', (draft) => {
    draft['late'] = 1
  })
  await a.log.commit({ type: 'delete', document: 'd' })
  await a.cut('d')
  await settleAll([a, b])
  for (const node of [a, b]) {
    expect(await node.kinds('d')).toEqual(['base', 'tombstone'])
    expect((await node.log.record('d'))?.deleted).toBe(true)
    expect(await node.digest('d')).toBe(await a.digest('d'))
    expect(await node.late()).toEqual([])
  }
})

test('a document that moved and was cut is whole for old and new subscribers', async () => {
  const [a, b, c] = await Promise.all([LogNode.open('a'), LogNode.open('b'), LogNode.open('c')])
  await a.edit('d', (draft) => {
    draft['x'] = 1
  })
  await a.give(b)
  await b.edit('d', (draft) => {
    draft['mine'] = 1
  })
  await a.log.commit({ type: 'move', document: 'd', to: 'new' })
  await a.cut('d')
  expect(await a.kinds('d')).toEqual(['base', 'leave'])
  await settleAll([a, b, c])
  for (const node of [a, b, c]) {
    expect(await node.value('d')).toEqual({ x: 1, mine: 1 })
    expect((await node.log.record('d'))?.collection).toBe('new')
    expect(await node.digest('d')).toBe(await a.digest('d'))
  }
})

test('a join of an older generation is put aside, also where its writer has the same places again', async () => {
  const { log } = await LogNode.open('a')
  const give = async (fields: Pick<WireEntry, 'kind' | 'generation' | 'bytes'>) => {
    const entry = checkEntry({ document: 'd', collection: 'c', ...fields }, sha256)
    const entries = [entry]
    const check = () => undefined
    return await log.commit({ type: 'remote', from: 'b', entries, peer: undefined, check })
  }
  const state = new Author(cutActor('d', 1, sha256)).set('a', 1)
  const { generation, bytes } = makeBeginning(1, new Map(), state, sha256)
  await give({ kind: 'base', generation, bytes })
  await give({ kind: 'event', generation, bytes: new Author().set('b', 1).bytes })
  const old = new Author().set('c', 1)
  const join = { kind: 'join', generation: 1, bytes: packEvents([old.bytes]) } as const
  expect((await give(join)).rejects).toEqual([])
  const late: string[] = []
  for await (const { hash } of log.late()) late.push(hash)
  expect(late).toEqual([old.header.hash])
})
