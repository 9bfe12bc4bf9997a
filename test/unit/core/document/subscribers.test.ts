import {
  applyPatches,
  consoleLogger,
  createReplica,
  type DocumentKind,
  type Replica,
} from 'tideway'
import { memoryStorage } from 'tideway/adapters/storage/memory'
import { afterEach, beforeEach, expect, test } from 'vitest'

const KIND: DocumentKind = {
  name: 'subscribers/v1',
  shape: {
    type: 'map',
    fields: { items: { type: 'list', keys: ['name'] }, words: { type: 'set' } },
  },
  skeleton: ['items'],
}

type Value = {
  title?: string
  items?: { name: string; n: number }[]
  words?: string[]
  deep?: { list: number[]; map: Record<string, number> }
}

let replica: Replica

beforeEach(async () => {
  replica = await createReplica({
    storage: memoryStorage(),
    kinds: [KIND],
    logger: consoleLogger('silent'),
  })
})

afterEach(() => replica.close())

test('patches name what changed by its place in the value, item by item', async () => {
  const handle = await replica.open<Value>('d', { kind: KIND })
  handle.change(() => ({
    title: 'old',
    items: [
      { name: 'a', n: 1 },
      { name: 'b', n: 1 },
      { name: 'c', n: 1 },
    ],
    words: ['x', 'z'],
    deep: { list: [1, 2], map: { one: 1, two: 2 } },
  }))
  const before = handle.value
  const told: unknown[] = []
  handle.subscribe(
    ({ patches, value }) => {
      told.push(...patches)
      expect(applyPatches(before, patches)).toEqual(value)
    },
    { patches: true },
  )
  handle.change((draft) => {
    delete draft.title
    draft.items = [
      { name: 'c', n: 1 },
      { name: 'b', n: 2 },
      { name: 'new', n: 1 },
    ]
    draft.words = ['y', 'z']
    draft.deep = { list: [1, 3], map: { one: 1, two: 3 } }
  })
  expect(told).toEqual([
    { op: 'delete', path: ['title'], before: 'old' },
    { op: 'set', path: ['deep', 'list'], before: [1, 2], after: [1, 3] },
    { op: 'set', path: ['deep', 'map', 'two'], before: 2, after: 3 },
    { op: 'delete', path: ['items', 2], before: { name: 'c', n: 1 } },
    { op: 'delete', path: ['items', 0], before: { name: 'a', n: 1 } },
    { op: 'insert', path: ['items', 0], after: { name: 'c', n: 1 } },
    { op: 'set', path: ['items', 1, 'n'], before: 1, after: 2 },
    { op: 'insert', path: ['items', 2], after: { name: 'new', n: 1 } },
    { op: 'delete', path: ['words', 0], before: 'x' },
    { op: 'insert', path: ['words', 0], after: 'y' },
  ])
})

test('each subscriber is told the steps from what it was told last, also when another one edits', async () => {
  const handle = await replica.open<Value>('d')
  let shown = handle.value
  let edits = 0
  handle.subscribe(({ value }) => {
    if (edits > 2) return
    edits += 1
    handle.change((draft) => {
      draft.title = `${value.title ?? ''}!`
    })
  })
  handle.subscribe(
    ({ value, patches }) => {
      shown = applyPatches(shown, patches)
      expect(shown).toEqual(value)
    },
    { patches: true },
  )
  handle.change((draft) => {
    draft.title = 'start'
  })
  expect(shown).toEqual({ title: 'start!!!' })
})

test('deletion is told as steps too', async () => {
  const handle = await replica.open<Value>('d')
  handle.change(() => ({ title: 'x', words: ['y'] }))
  await handle.durable()
  const told: unknown[] = []
  handle.subscribe(({ deleted, patches }) => told.push(deleted, patches), { patches: true })
  await replica.delete('d')
  expect(told).toEqual([
    true,
    [
      { op: 'delete', path: ['title'], before: 'x' },
      { op: 'delete', path: ['words'], before: ['y'] },
    ],
  ])
})

test('patches that do not fit are refused', () => {
  const insert = { op: 'insert', path: ['items', 3], after: 1 } as const
  expect(() => applyPatches({ items: [1, 2] }, [insert])).toThrow(
    expect.objectContaining({
      code: 'USAGE_INVALID_ARGUMENT',
      fields: { op: 'insert', path: 'items.3' },
    }),
  )
  expect(() => applyPatches({ items: 'text' }, [insert])).toThrow(/does not fit/)
})
