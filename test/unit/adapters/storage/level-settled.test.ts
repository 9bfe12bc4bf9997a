import { randomFillSync } from 'node:crypto'
import { cp, mkdtemp, readdir, rm, stat, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { levelStorage } from '../../../../src/adapters/storage/level/index.ts'
import {
  decodePosition,
  positionOf,
  recordKey,
  VERIFIED_KEY,
} from '../../../../src/adapters/storage/level/keys.ts'
import { recordEnd, WRITE_BUFFER_BYTES } from '../../../../src/adapters/storage/level/open-level.ts'
import { SettledPositions } from '../../../../src/adapters/storage/level/settled.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tideway-settled-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

const batch = (bytes: number) =>
  [{ type: 'put', key: new Uint8Array(0), value: new Uint8Array(bytes) }] as const

test('a position is settled when two buffers and two of the largest batches are behind it', () => {
  const settled = new SettledPositions()
  const mebibyte = batch(WRITE_BUFFER_BYTES)
  const told: number[] = []
  for (let head = 1; head <= 12; head += 1) {
    const position = settled.wrote(head, mebibyte)
    if (position !== undefined) told.push(head, position)
  }
  // The fourth is noted, and has more than four buffers behind it at the ninth.
  expect(told).toEqual([9, 4])
  // A batch of 20 may fill each of the two.
  expect(settled.wrote(13, batch(20 * WRITE_BUFFER_BYTES))).toBeUndefined()
  expect(settled.wrote(14, batch(10 * WRITE_BUFFER_BYTES))).toBeUndefined()
  expect(settled.wrote(15, batch(9 * WRITE_BUFFER_BYTES))).toBe(8)
})

test("what is noted as settled is there without LevelDB's own log", async () => {
  const directory = join(root, 'log')
  const storage = await levelStorage({ directory })
  for (let round = 0; round < 40; round += 1) {
    const records = Array.from({ length: 256 }, (_, index) => ({
      document: `d${index}`,
      collection: 'c',
      bytes: randomFillSync(new Uint8Array(round % 8 === 0 ? 4_096 : 1_024)),
    }))
    await storage.append({ records, puts: [] })
  }
  // Copied while nothing compacts, which takes files away.
  let sizes = ''
  const isQuiet = async (): Promise<boolean> => {
    const before = sizes
    sizes = await sizesIn(directory).catch(() => '')
    return sizes !== '' && sizes === before
  }
  await expect.poll(isQuiet, { interval: 200, timeout: 10_000 }).toBe(true)
  const [whole, torn] = [join(root, 'whole'), join(root, 'torn')]
  for (const copy of [whole, torn]) await cp(directory, copy, { recursive: true })
  await storage.close()
  for (const name of await readdir(torn))
    if (name.endsWith('.log')) await truncate(join(torn, name), 0)
  const noted = await raw(whole, async (level) =>
    decodePosition((await level.get(VERIFIED_KEY)) ?? new Uint8Array(8)),
  )
  expect(noted).toBeGreaterThan(256)
  const positions = await raw(torn, async (level) => {
    const keys = await level.keys({ gte: recordKey(1), lt: recordEnd() }).all()
    return keys.map(positionOf)
  })
  expect(positions.slice(0, noted)).toEqual(Array.from({ length: noted }, (_, index) => index + 1))
})

async function sizesIn(directory: string): Promise<string> {
  const names = await readdir(directory)
  const sizes = names.map(async (name) => `${name} ${(await stat(join(directory, name))).size}`)
  return (await Promise.all(sizes)).join()
}

async function raw<Result>(
  directory: string,
  run: (level: ClassicLevel<Uint8Array, Uint8Array>) => Promise<Result>,
): Promise<Result> {
  const options = { keyEncoding: 'view', valueEncoding: 'view' } as const
  const level = new ClassicLevel<Uint8Array, Uint8Array>(directory, options)
  await level.open()
  try {
    return await run(level)
  } finally {
    await level.close()
  }
}
