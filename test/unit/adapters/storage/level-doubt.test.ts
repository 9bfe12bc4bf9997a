import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { levelStorage } from '../../../../src/adapters/storage/level/index.ts'

// LevelDB may have written a batch whose sync failed: it then refuses all further writes, does not
// show the batch, and finds it in its log when it is opened again. This is played here by a batch
// that fails and is written by the close.

type Operation = { type: 'put' | 'del'; key: Uint8Array; value?: Uint8Array }
type Write = (operations: Operation[], options: object) => Promise<void>

let directory: string
const { batch, close } = ClassicLevel.prototype
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tideway-doubt-'))
})
afterEach(async () => {
  ClassicLevel.prototype.batch = batch
  ClassicLevel.prototype.close = close
  await rm(directory, { recursive: true, force: true })
})

function failNextBatch(): void {
  const held: Operation[] = []
  const write = batch as unknown as Write
  const failing = {
    put: (key: Uint8Array, value: Uint8Array) => held.push({ type: 'put', key, value }),
    del: (key: Uint8Array) => held.push({ type: 'del', key }),
    async write() {
      throw Object.assign(new Error('IO error: Input/output error'), { code: 'LEVEL_IO_ERROR' })
    },
  }
  ClassicLevel.prototype.batch = (() => failing) as unknown as typeof batch
  ClassicLevel.prototype.close = async function closeHeld(this: ClassicLevel) {
    ClassicLevel.prototype.batch = batch
    ClassicLevel.prototype.close = close
    await write.call(this, held, { sync: true })
    await close.call(this)
  }
}

const record = (text: string) => ({
  document: 'd',
  collection: 'c',
  bytes: new TextEncoder().encode(text),
})

test('takes back a batch that failed and is on disk all the same', async () => {
  const storage = await levelStorage({ directory })
  const old = [
    { key: 'a', value: Uint8Array.of(1) },
    { key: 'b', value: Uint8Array.of(1) },
  ]
  await storage.append({ records: [record('one')], puts: old })

  failNextBatch()
  const changed = [
    { key: 'a', value: Uint8Array.of(2) },
    { key: 'b', value: undefined },
    { key: 'c', value: Uint8Array.of(2) },
  ]
  const refused = storage.append({ records: [record('lost'), record('lost')], puts: changed })
  await expect(refused).rejects.toMatchObject({
    code: 'STORAGE_UNAVAILABLE',
    fields: { directory, reason: 'EIO' },
  })
  expect(await storage.head()).toBe(1)

  // The next write opens the database again, which finds the batch, and writes after taking it back.
  const appended = await storage.append({ records: [record('two')], puts: [] })
  expect(appended).toEqual({ first: 2, head: 2 })
  for (const query of [{}, { collections: ['c'] }, { document: 'd' }]) {
    const { records } = await storage.read({ after: 0, bytesMax: 1e6, ...query })
    expect(records.map(({ bytes }) => new TextDecoder().decode(bytes))).toEqual(['one', 'two'])
  }
  const values = await storage.get(['a', 'b', 'c'])
  expect(values).toEqual([Uint8Array.of(1), Uint8Array.of(1), undefined])
  await storage.close()
})

test('takes back a drop that failed and is on disk all the same', async () => {
  const storage = await levelStorage({ directory })
  await storage.append({ records: [record('one'), record('two')], puts: [] })
  failNextBatch()
  await expect(storage.drop([1])).rejects.toMatchObject({ code: 'STORAGE_UNAVAILABLE' })
  await storage.append({ records: [record('three')], puts: [] })
  const { records } = await storage.read({ after: 0, bytesMax: 1e6, collections: ['c'] })
  expect(records.map(({ position }) => position)).toEqual([1, 2, 3])
  await storage.close()
  const reopened = await levelStorage({ directory })
  expect(await reopened.head()).toBe(3)
  await reopened.close()
})
