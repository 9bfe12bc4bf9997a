import { expect, test } from 'vitest'
import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { compareUtf8 } from '../../../../src/core/bytes.ts'

const batch = (text: string) => ({
  records: [{ document: 'd', collection: 'c', bytes: new TextEncoder().encode(text) }],
  puts: [],
})

/** A sync that waits until the test lets it go. */
function heldSync() {
  const held: { resolve: () => void; reject: (error: Error) => void }[] = []
  const sync = () =>
    new Promise<void>((resolve, reject) => {
      held.push({ resolve, reject })
    })
  return { held, sync }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('a crash loses what was pending, and the crashed opener can write no more', async () => {
  const medium = new MemoryMedium()
  const { held, sync } = heldSync()
  const crashed = memoryStorage({ medium, sync })
  const first = crashed.append(batch('one'))
  await turn()
  held.shift()?.resolve()
  await first
  const second = crashed.append(batch('two'))
  await turn()
  expect(medium.pendingCount).toBe(1)
  medium.unlock()

  const next = memoryStorage({ medium })
  expect(await next.head()).toBe(1)
  held.shift()?.resolve()
  await expect(second).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE', retryable: false })
  await expect(crashed.append(batch('three'))).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
  })
  await expect(crashed.head()).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  await crashed.close()
  expect(() => memoryStorage({ medium })).toThrow(
    expect.objectContaining({ code: 'STORAGE_LOCKED' }),
  )
  expect(await next.append(batch('two again'))).toEqual({ first: 2, head: 2 })
})

test('a crash may come between the write and its acknowledgement', async () => {
  const medium = new MemoryMedium()
  const { sync } = heldSync()
  const crashed = memoryStorage({ medium, sync })
  crashed.append(batch('one')).catch(() => undefined)
  await turn()
  medium.unlock(1)
  const next = memoryStorage({ medium })
  expect(await next.head()).toBe(1)
})

test('a sync that fails rejects its append alone', async () => {
  const { held, sync } = heldSync()
  const storage = memoryStorage({ sync })
  const cause = new Error('the simulated disk is full')
  const appends = [storage.append(batch('one')), storage.append(batch('two'))]
  const settled = Promise.allSettled(appends)
  await turn()
  held.shift()?.reject(cause)
  await turn()
  held.shift()?.resolve()
  const [first, second] = await settled
  expect(first).toMatchObject({
    status: 'rejected',
    reason: { code: 'STORAGE_UNAVAILABLE', cause },
  })
  expect(second).toMatchObject({ status: 'fulfilled', value: { first: 1, head: 1 } })
})

test('it claims to be durable only with a medium that outlives it', () => {
  expect(memoryStorage().supports).toEqual({ durable: false, shared: false })
  expect(memoryStorage({ medium: new MemoryMedium() }).supports.durable).toBe(true)
})

test('texts are ordered as their UTF-8 bytes are', () => {
  const texts = [
    '',
    'a',
    'aa',
    'b',
    '\u007f',
    'é',
    '\ud7ff',
    '\ue000',
    '\uffff',
    '🚢',
    '🚢a',
    '\u{10ffff}',
  ]
  for (const a of texts) {
    for (const b of texts) {
      const expected = Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b)))
      expect(Math.sign(compareUtf8(a, b)), JSON.stringify([a, b])).toBe(expected)
    }
  }
})
