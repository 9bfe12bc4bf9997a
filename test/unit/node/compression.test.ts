import { randomBytes } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Compression } from '../../../src/core/interfaces/compression.ts'
import { streamCompression } from '../../../src/index.ts'
import { nodeCompression } from '../../../src/node/index.ts'

const KINDS: Readonly<Record<string, () => Compression | undefined>> = {
  nodeCompression,
  streamCompression,
}

for (const [name, make] of Object.entries(KINDS)) {
  describe(name, () => {
    const compression = make()
    if (compression === undefined) throw new Error('this platform has no compression streams')

    test.each([0, 1, 300, 20_000, 1 << 20])('gives %s bytes back as they were', async (size) => {
      const bytes = new Uint8Array(randomBytes(size))
      // Half of it repeats, as the events of similar documents do.
      bytes.set(bytes.subarray(0, size >> 1), size - (size >> 1))
      const packed = await compression.compress(bytes)
      const back = await compression.decompress(packed, size)
      expect(Buffer.compare(back, bytes)).toBe(0)
    })

    test('makes what repeats much shorter', async () => {
      const bytes = new TextEncoder().encode('a pod like all the others '.repeat(10_000))
      const packed = await compression.compress(bytes)
      expect(packed.length).toBeLessThan(bytes.length / 100)
    })

    test('refuses bytes that stand for one more than allowed', async () => {
      const packed = deflateRawSync(new Uint8Array(1001))
      const undo = async (bytesMax: number) =>
        (await compression.decompress(packed, bytesMax)).length
      await expect(undo(1000)).rejects.toThrow()
      expect(await undo(1001)).toBe(1001)
    })

    test('refuses a bomb without taking its memory', async () => {
      const bomb = deflateRawSync(new Uint8Array(256 << 20))
      const before = process.memoryUsage().rss
      await expect((async () => await compression.decompress(bomb, 1 << 20))()).rejects.toThrow()
      expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20)
    })

    test('refuses bytes that are cut or no DEFLATE at all', async () => {
      const packed = deflateRawSync(randomBytes(2000))
      for (const bytes of [packed.subarray(0, 900), randomBytes(2000).fill(0xff)]) {
        await expect((async () => await compression.decompress(bytes, 4000))()).rejects.toThrow()
      }
    })
  })
}

test('what one of them packs the other one undoes', async () => {
  const streams = streamCompression()
  if (streams === undefined) throw new Error('this platform has no compression streams')
  const node = nodeCompression()
  expect(streams.number).toBe(node.number)
  const bytes = new TextEncoder().encode('edge and cloud '.repeat(100))
  expect(await node.decompress(await streams.compress(bytes), bytes.length)).toEqual(bytes)
  expect(await streams.decompress(await node.compress(bytes), bytes.length)).toEqual(bytes)
})
