import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { crc32c } from '../../../../src/adapters/storage/level/crc32c.ts'
import { levelStorage } from '../../../../src/adapters/storage/level/index.ts'
import { unpackSnappy } from '../../../../src/adapters/storage/level/snappy.ts'
import { isIntactTable } from '../../../../src/adapters/storage/level/table-check.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tideway-tables-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const text = (value: string) => new TextEncoder().encode(value)

test('checksums are those of the standard', () => {
  // From RFC 3720, appendix B.4.
  expect(crc32c(new Uint8Array(32))).toBe(0x8a91_36aa)
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8_ab43)
  expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd_794e)
  expect(crc32c(text('123456789'))).toBe(0xe306_9283)
})

test('packed bytes are unpacked, and broken ones refused', () => {
  // Five bytes as they are, then ten that repeat them.
  const packed = Uint8Array.of(15, 4 << 2, ...text('abcde'), (9 << 2) | 2, 5, 0)
  expect(new TextDecoder().decode(unpackSnappy(packed))).toBe('abcdeabcdeabcde')
  const broken: readonly number[][] = [
    [],
    [15],
    [3, 4 << 2, 97],
    [15, 4 << 2, 97, 98, 99, 100, 101, (9 << 2) | 2, 6, 0],
    [15, 4 << 2, 97, 98, 99, 100, 101, (9 << 2) | 2, 0, 0],
    [255, 255, 255, 255, 255, 255],
  ]
  for (const bytes of broken) expect(() => unpackSnappy(Uint8Array.from(bytes))).toThrow(RangeError)
})

test.each([true, false])(
  'every flipped byte of a table is found, packed: %s',
  async (compression) => {
    const level = new ClassicLevel(directory, { compression })
    await level.open()
    for (let n = 0; n < 600; n++) await level.put(`key ${n}`, `value ${n} `.repeat(1 + (n % 30)))
    await level.compactRange('', '~')
    await level.close()
    const tables = (await readdir(directory)).filter((name) => name.endsWith('.ldb'))
    expect(tables.length).toBeGreaterThan(0)
    const table = await readFile(join(directory, tables[0] ?? ''))
    expect(isIntactTable(table)).toBe(true)
    expect(isIntactTable(table.subarray(0, -1))).toBe(false)
    expect(isIntactTable(new Uint8Array(10))).toBe(false)
    // All of it is covered but the zeros that fill the footer.
    const footer = table.length - 48
    for (let at = 0; at < footer; at += 53) {
      const damaged = Uint8Array.from(table)
      damaged[at] = (damaged[at] ?? 0) ^ (1 << (at % 8))
      expect(isIntactTable(damaged), `byte ${at}`).toBe(false)
    }
  },
)

test('a directory notes who has it open, and forgets it at the close', async () => {
  const note = join(directory, 'opened')
  const storage = await levelStorage({ directory })
  expect(await readFile(note, 'utf8')).toBe('1\n')
  await expect(levelStorage({ directory })).rejects.toMatchObject({ code: 'STORAGE_LOCKED' })
  expect(await readFile(note, 'utf8')).toBe('1\n')
  await storage.close()
  expect(await readdir(directory)).not.toContain('opened')
  await writeFile(note, '2\n')
  const checked = await levelStorage({ directory })
  expect(await readFile(note, 'utf8')).toBe('1\n')
  await checked.close()
})
