import { describe, expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { DocumentError } from '../../../../src/core/errors.ts'
import { consoleLogger, createReplica, type Replica } from '../../../../src/index.ts'
import { eventually } from '../../../support/fleet.ts'

type Note = { title?: string; tags?: Record<string, boolean>; n?: number }

function open(
  options: { medium?: MemoryMedium; sync?: () => Promise<void>; cacheBytesMax?: number } = {},
): Promise<Replica> {
  const { medium = new MemoryMedium(), sync, cacheBytesMax } = options
  return createReplica({
    storage: memoryStorage({ medium, ...(sync === undefined ? {} : { sync }) }),
    logger: consoleLogger('silent'),
    cacheBytesMax,
  })
}

describe('a handle', () => {
  test('shows an edit at once, and keeps its value while nothing changes', async () => {
    const replica = await open()
    const note = await replica.open<Note>('notes/1')
    expect([note.value, note.heads]).toEqual([{}, []])
    const hash = note.change((draft) => {
      draft.title = 'hello'
    })
    expect(note.value).toEqual({ title: 'hello' })
    expect(note.heads).toEqual([hash])
    expect(note.value).toBe(note.value)
    expect(Object.isFrozen(note.value)).toBe(true)
    expect(note.change(() => undefined)).toBeUndefined()
    await note.durable()
    expect(replica.head).toBe(1)
    await replica.close()
  })

  test('the same document opened twice is one document, and subscribers of both are told', async () => {
    const replica = await open()
    const [a, b] = await Promise.all([replica.open<Note>('notes/1'), replica.open<Note>('notes/1')])
    const told: unknown[] = []
    b.subscribe((change) => told.push([change.origin, change.value]))
    a.change(() => ({ title: 'one' }))
    expect(told).toEqual([['local', { title: 'one' }]])
    await a.close()
    b.change(() => ({ title: 'two' }))
    expect(b.value).toEqual({ title: 'two' })
    expect(() => a.change(() => ({ title: 'no' }))).toThrow(/closed/)
    await replica.close()
  })

  test.each([
    ['NaN', { n: Number.NaN }, 'n'],
    ['a number past 2^53', { n: 2 ** 53 }, 'n'],
    ['a function', { tags: { f: () => 1 } }, 'tags.f'],
    ['a bigint', { list: [1n] }, 'list.0'],
    ['a date', { at: new Date(0) }, 'at'],
    ['a reserved key', { '#list': {} }, '#list'],
    ['undefined in a list', { list: [undefined] }, 'list.0'],
  ])('refuses %s and names the field', async (_, value, path) => {
    const replica = await open()
    const note = await replica.open('notes/1')
    expect(() => note.change(() => value as never)).toThrow(DocumentError)
    try {
      note.change(() => value as never)
    } catch (error) {
      expect(error).toMatchObject({ code: 'VALUE_UNSUPPORTED', fields: { path } })
    }
    expect(note.value).toEqual({})
    await replica.close()
    expect(replica.head).toBe(0)
  })

  test('refuses a document past its size and keeps the old value', async () => {
    const replica = await open()
    const note = await replica.open<Note>('notes/1')
    note.change(() => ({ title: 'small' }))
    expect(() => note.change(() => ({ title: 'x'.repeat(1_600_000) }))).toThrow(
      /larger than allowed/,
    )
    const many = Array.from({ length: 50_000 }, () => 0)
    expect(() => note.change(() => ({ many }) as never)).toThrow(
      expect.objectContaining({ fields: expect.objectContaining({ values: 50_002 }) }),
    )
    expect(note.value).toEqual({ title: 'small' })
    await replica.close()
  })

  test('a deleted document is empty, says so, and takes no edit', async () => {
    const replica = await open()
    const note = await replica.open<Note>('notes/1')
    note.change(() => ({ title: 'x' }))
    await note.durable()
    const told: boolean[] = []
    note.subscribe((change) => told.push(change.deleted))
    await replica.delete('notes/1')
    expect([note.value, note.deleted, told]).toEqual([{}, true, [true]])
    expect(() => note.change(() => ({ title: 'y' }))).toThrow(
      expect.objectContaining({ code: 'DOCUMENT_DELETED' }),
    )
    await expect(replica.delete('notes/1')).rejects.toMatchObject({ code: 'DOCUMENT_DELETED' })
    await replica.close()
  })
})

describe('durability', () => {
  test('what durable() promised is there after a crash; what was only shown may be gone', async () => {
    const medium = new MemoryMedium()
    const replica = await open({ medium })
    const note = await replica.open<Note>('notes/1')
    note.change(() => ({ title: 'kept' }))
    await note.durable()
    await replica.close()
    const again = await open({ medium })
    expect((await again.open<Note>('notes/1')).value).toEqual({ title: 'kept' })
    await again.close()
  })

  test('a failed append takes the edit back, tells who waits, and the next edit works', async () => {
    let fail = false
    const sync = () => (fail ? Promise.reject(new Error('disk full')) : Promise.resolve())
    const replica = await open({ sync })
    const note = await replica.open<Note>('notes/1')
    note.change(() => ({ title: 'first' }))
    await note.durable()
    fail = true
    note.change((draft) => ({ ...draft, n: 1 }))
    note.change((draft) => ({ ...draft, n: 2 }))
    await expect(note.durable()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
    fail = false
    await eventually(() => note.value.n === undefined)
    expect(note.value).toEqual({ title: 'first' })
    note.change((draft) => ({ ...draft, n: 3 }))
    await note.durable()
    expect(note.value).toEqual({ title: 'first', n: 3 })
    expect(replica.head).toBe(2)
    await replica.close()
  })
})

test('documents that nobody holds are dropped from memory, and read again when somebody looks', async () => {
  const replica = await open({ cacheBytesMax: 60_000 })
  for (let index = 0; index < 40; index += 1) {
    const note = await replica.open<Note>(`notes/${index}`)
    note.change(() => ({ n: index }))
    await note.durable()
    await note.close()
  }
  expect(replica.usage.documents).toBeLessThan(20)
  expect(replica.usage.bytes).toBeLessThanOrEqual(60_000)
  for (const index of [0, 39, 20]) {
    const note = await replica.open<Note>(`notes/${index}`)
    expect(note.value).toEqual({ n: index })
    await note.close()
  }
  const held = await replica.open<Note>('notes/1')
  for (let index = 2; index < 20; index += 1) await (await replica.open(`notes/${index}`)).close()
  held.change((draft) => ({ ...draft, title: 'still held' }))
  expect(held.value).toEqual({ n: 1, title: 'still held' })
  await replica.close()
})

test('names are checked', async () => {
  const replica = await open()
  await expect(replica.open('')).rejects.toMatchObject({
    code: 'USAGE_INVALID_ARGUMENT',
    fields: { field: 'id' },
  })
  await expect(replica.open('x'.repeat(513))).rejects.toMatchObject({
    fields: { field: 'id', bytes: 513 },
  })
  await expect(replica.open('x', { collection: 'a\u0000' })).rejects.toMatchObject({
    fields: { field: 'collection' },
  })
  await replica.close()
  await expect(replica.open('x')).rejects.toMatchObject({ code: 'USAGE_CLOSED' })
})
