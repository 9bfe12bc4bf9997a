import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { levelStorage } from '../../src/adapters/storage/level/index.ts'
import { recordKey } from '../../src/adapters/storage/level/keys.ts'
import type { Storage } from '../../src/core/interfaces/storage.ts'
import { checkStorage, isTidewayError } from '../../src/index.ts'

const APPENDS = 120
const ROUNDS = Number(process.env['DAMAGE_ROUNDS'] ?? 60)

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'tideway-damage-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

function bytesAt(position: number): Uint8Array {
  return new Uint8Array((position * 37) % 700).map((_, at) => (position * 31 + at * 7) & 0xff)
}

/** A directory with appends of one to three records; all in LevelDB's log, or all in its tables. */
async function write(name: string, inTables: boolean): Promise<{ place: string; heads: number[] }> {
  const place = join(root, name)
  const storage = await levelStorage({ directory: place })
  const heads = [0]
  for (let count = 0; count < APPENDS; count++) {
    const head = heads.at(-1) ?? 0
    const records = Array.from({ length: 1 + (count % 3) }, (_, index) => ({
      document: `d${(head + index) % 5}`,
      collection: `c${count % 2}`,
      bytes: bytesAt(head + 1 + index),
    }))
    heads.push((await storage.append({ records, puts: [] })).head)
  }
  await storage.close()
  if (inTables) {
    const level = new ClassicLevel(place)
    await level.open()
    await level.compactRange('\u0000', '\uffff')
    await level.close()
  }
  return { place, heads }
}

async function copyOf(place: string, round: number): Promise<string> {
  const copy = `${place}-${round}`
  await cp(place, copy, { recursive: true })
  return copy
}

async function filesOf(directory: string, extension: string): Promise<readonly string[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(extension))
  return names.sort().map((name) => join(directory, name))
}

/** What a directory opens to; undefined when that is refused as damage. */
async function opened(directory: string, acceptDamage = false): Promise<Storage | undefined> {
  try {
    return await levelStorage({ directory, acceptDamage })
  } catch (error) {
    expect(isTidewayError(error) && error.code, String(error)).toBe('STORAGE_CORRUPT')
    return undefined
  }
}

test('whatever is cut off the end of the log, whole appends are left', async () => {
  const { place, heads } = await write('torn', false)
  const [log = ''] = await filesOf(place, '.log')
  const bytes = await readFile(log)
  expect(bytes.length).toBeGreaterThan(50_000)
  for (let round = 0; round < ROUNDS; round++) {
    const directory = await copyOf(place, round)
    const kept = Math.floor(Math.random() * bytes.length)
    const [torn = ''] = await filesOf(directory, '.log')
    await writeFile(torn, bytes.subarray(0, kept))
    const storage = await opened(directory)
    // The first bytes hold the format: without them the directory is as good as empty.
    if (storage === undefined) continue
    const head = await storage.head()
    expect(heads, `${kept} bytes kept`).toContain(head)
    const found = await checkStorage(storage)
    expect(found, `${kept} bytes kept`).toMatchObject({
      records: head,
      positions: [],
      unindexed: [],
    })
    const record = { document: 'd', collection: 'c', bytes: Uint8Array.of(1) }
    expect((await storage.append({ records: [record], puts: [] })).first).toBe(head + 1)
    await storage.close()
    await rm(directory, { recursive: true })
  }
})

test.each([
  ['tables', true],
  ['the log', false],
])('a flipped byte in %s never shows as a wrong record', async (where, inTables) => {
  const { place, heads } = await write(`rot-${inTables}`, inTables)
  const extension = inTables ? '.ldb' : '.log'
  const outcomes = { refused: 0, found: 0, shorter: 0, harmless: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const directory = await copyOf(place, round)
    const files = await filesOf(directory, extension)
    const file = files[round % files.length] ?? ''
    const bytes = await readFile(file)
    const at = Math.floor(Math.random() * bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (round % 8))
    await writeFile(file, bytes)
    outcomes[await outcomeOf(directory, heads)] += 1
    await rm(directory, { recursive: true })
  }
  // Most bytes are those of records: hardly ever is there nothing to find.
  expect(outcomes.harmless, `${String(where)}: ${JSON.stringify(outcomes)}`).toBeLessThan(
    ROUNDS / 2,
  )
})

async function outcomeOf(directory: string, heads: readonly number[]) {
  // Not before its tables are checked: what LevelDB makes of damage may be the end of the process.
  const storage = await opened(directory, true)
  if (storage === undefined) return 'refused'
  try {
    const head = await storage.head()
    const { positions, unindexed } = await checkStorage(storage)
    const damaged = new Set(positions)
    for (let position = 1; position <= head; position++) {
      if (damaged.has(position)) continue
      const page = await storage.read({ after: position - 1, upTo: position, bytesMax: 1 })
      expect(page.records[0]?.bytes).toEqual(bytesAt(position))
    }
    const all = [...positions, ...unindexed]
    if (all.length > 0) {
      await storage.drop(all)
      const healed = await checkStorage(storage)
      expect(healed).toMatchObject({ records: head - all.length, positions: [], unindexed: [] })
      return 'found'
    }
    // LevelDB takes damage at the very end for a write that was never finished.
    if (head < (heads.at(-1) ?? 0)) {
      expect(heads).toContain(head)
      return 'shorter'
    }
    return 'harmless'
  } catch (error) {
    // Damage that has no place, such as that of a table's own index.
    expect(isTidewayError(error) && error.code, String(error)).toBe('STORAGE_CORRUPT')
    return 'refused'
  } finally {
    await storage.close()
  }
}

test('damage that ends the process is found by the one after the next', async () => {
  const { place } = await write('dying', true)
  const [table = ''] = await filesOf(place, '.ldb')
  const bytes = await readFile(table)
  for (let at = 0; at < bytes.length / 2; at += 40) bytes[at] = (bytes[at] ?? 0) ^ 0x55
  await writeFile(table, bytes)
  // As two openers in a row leave it that died of what they read.
  await writeFile(join(place, 'opened'), '2\n')
  await expect(levelStorage({ directory: place })).rejects.toMatchObject({
    code: 'STORAGE_CORRUPT',
    fields: { directory: place, file: expect.stringMatching(/\.ldb$/) },
  })
  // And it goes on being found.
  await expect(levelStorage({ directory: place })).rejects.toMatchObject({
    code: 'STORAGE_CORRUPT',
  })
})

test('a log with missing records opens for repair, and is whole once they are dropped', async () => {
  const { place, heads } = await write('missing', false)
  const head = heads.at(-1) ?? 0
  const level = new ClassicLevel<Uint8Array, Uint8Array>(place, {
    keyEncoding: 'view',
    valueEncoding: 'view',
  })
  for (const position of [30, 31, 32, 77]) await level.del(recordKey(position))
  // As if nobody had looked at it since it was written.
  await level.del(new TextEncoder().encode('mverified'))
  await level.close()
  expect(await opened(place)).toBe(undefined)
  const storage = await levelStorage({ directory: place, acceptDamage: true })
  const { positions } = await checkStorage(storage)
  expect(positions).toEqual([30, 31, 32, 77])
  await storage.drop(positions)
  expect(await checkStorage(storage)).toMatchObject({ records: head - 4, positions: [] })
  await storage.close()
  const repaired = await levelStorage({ directory: place })
  expect(await repaired.head()).toBe(head)
  await repaired.close()
})
