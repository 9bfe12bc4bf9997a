import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StorageCorruptError } from '../../../core/errors.ts'
import { crc32c } from './crc32c.ts'
import { unpackSnappy } from './snappy.ts'

// The layout of LevelDB's table files, as its doc/table_format.md specifies it.
const FOOTER_BYTES = 48
const MAGIC = 0xdb47_7524_8b80_fb57n
const TRAILER_BYTES = 5
const SNAPPY = 1
const MASK_DELTA = 0xa282_ead8

/** Where a block is in its file. */
interface BlockHandle {
  readonly offset: number
  readonly size: number
}

/**
 * Reads every table of a directory that is not open, and compares each block with its checksum.
 *
 * LevelDB does not: a damaged block is served as it is, and one whose keys are damaged ends the process
 * by an assertion, before anybody can say what is wrong.
 *
 * @throws StorageCorruptError that names the first file with damage.
 */
export async function checkTables(directory: string): Promise<void> {
  const names = (await readdir(directory)).filter((name) => /\.(?:ldb|sst)$/.test(name))
  for (const file of names.sort()) {
    if (isIntactTable(await readFile(join(directory, file)))) continue
    throw new StorageCorruptError('a table file of the directory is damaged', {
      fields: { directory, file },
    })
  }
}

/** Whether every block of a table matches its checksum. */
export function isIntactTable(table: Uint8Array): boolean {
  try {
    const end = table.length - FOOTER_BYTES
    const view = new DataView(table.buffer, table.byteOffset, table.byteLength)
    if (end < 0 || view.getBigUint64(table.length - 8, true) !== MAGIC) return false
    const footer = new Reader(table, end, table.length - 8)
    const [metaIndex, index] = [footer.handle(), footer.handle()]
    if (!isIntactBlock(table, view, metaIndex) || !isIntactBlock(table, view, index)) return false
    const blocks = [metaIndex, index].flatMap((block) => handlesIn(contentsOf(table, block)))
    return blocks.every((handle) => isIntactBlock(table, view, handle))
  } catch (error) {
    // A number that leads out of the file.
    if (error instanceof RangeError) return false
    throw error
  }
}

function isIntactBlock(table: Uint8Array, view: DataView, { offset, size }: BlockHandle): boolean {
  if (offset + size + TRAILER_BYTES > table.length) return false
  const stored = view.getUint32(offset + size + 1, true)
  const checksum = crc32c(table.subarray(offset, offset + size + 1))
  // LevelDB stores checksums turned and shifted, as they are themselves taken checksums of.
  const masked = (((checksum >>> 15) | (checksum << 17)) + MASK_DELTA) >>> 0
  return stored === masked
}

function contentsOf(table: Uint8Array, { offset, size }: BlockHandle): Uint8Array {
  const bytes = table.subarray(offset, offset + size)
  return table[offset + size] === SNAPPY ? unpackSnappy(bytes) : bytes
}

/** The handles that the entries of an index block hold. */
function handlesIn(block: Uint8Array): readonly BlockHandle[] {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength)
  const restarts = view.getUint32(block.length - 4, true)
  const entries = new Reader(block, 0, block.length - 4 - 4 * restarts)
  const handles: BlockHandle[] = []
  while (!entries.isEnd) {
    entries.number()
    const keyBytes = entries.number()
    entries.number()
    entries.skip(keyBytes)
    handles.push(entries.handle())
  }
  return handles
}

/** Reads the numbers of a part of a file. @throws RangeError past its end. */
class Reader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  get isEnd(): boolean {
    return this.#at >= this.#end
  }

  skip(count: number): void {
    this.#at += count
  }

  handle(): BlockHandle {
    return { offset: this.number(), size: this.number() }
  }

  /** Seven bits a byte, the lowest first. */
  number(): number {
    let value = 0
    for (let factor = 1; factor <= Number.MAX_SAFE_INTEGER; factor *= 128) {
      const byte = this.isEnd ? undefined : this.#bytes[this.#at]
      if (byte === undefined) throw new RangeError('a number ends early')
      this.#at += 1
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw new RangeError('a number is too large')
  }
}
