import { describe, expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { LogNode, settleAll } from '../../../support/log-node.ts'

/** A disk that stops answering, or refuses, at one of its writes. */
class Disk {
  readonly medium: MemoryMedium = new MemoryMedium()
  /** How many writes still succeed. */
  left: number = Number.POSITIVE_INFINITY
  refuses = false
  #stopped: () => void = () => undefined
  /** Resolves when it has stopped. */
  stopped: Promise<void> = Promise.resolve()

  async open(name: string): Promise<LogNode> {
    return await LogNode.open(
      name,
      memoryStorage({ medium: this.medium, sync: () => this.#sync() }),
    )
  }

  stopAfter(writes: number): void {
    this.left = writes
    this.stopped = new Promise((resolve) => {
      this.#stopped = resolve
    })
  }

  /** Loses power; of the writes under way so many have reached it all the same. */
  crash(reached: number): void {
    this.medium.unlock(Math.min(reached, this.medium.pendingCount))
    this.left = Number.POSITIVE_INFINITY
  }

  #sync(): Promise<void> {
    this.left -= 1
    if (this.left >= 0) return Promise.resolve()
    this.#stopped()
    if (this.refuses) return Promise.reject(new Error('no space left'))
    return new Promise(() => undefined)
  }
}

const set = (key: string, value: number) => (draft: Record<string, unknown>) => {
  draft[key] = value
}

describe('a crash while the history of a document is cut', () => {
  for (const writes of [0, 1, 2]) {
    for (const reached of [0, 1, 2]) {
      test(`after ${writes} writes, of which ${reached} more reach the disk, loses nothing`, async () => {
        const disk = new Disk()
        const before = await disk.open('a')
        for (let i = 0; i < 3; i += 1) await before.edit('d', set('n', i))
        disk.stopAfter(writes)
        const cut = before.cut('d')
        await Promise.race([disk.stopped, cut])
        disk.crash(reached)
        const after = await disk.open('a')
        expect(await after.value('d')).toEqual({ n: 2 })
        await after.edit('d', set('m', 1))
        await after.cut('d')
        expect(await after.kinds('d')).toEqual(['base'])
        const peer = await LogNode.open('b')
        await settleAll([after, peer])
        expect(await peer.value('d')).toEqual({ n: 2, m: 1 })
        expect(await peer.digest('d')).toBe(await after.digest('d'))
      })

      test(`at a peer that takes it over, after ${writes} writes and ${reached} more`, async () => {
        const disk = new Disk()
        const owner = await LogNode.open('a')
        const before = await disk.open('b')
        await owner.edit('d', set('n', 1))
        await settleAll([owner, before])
        await before.edit('d', set('mine', 2))
        await owner.cut('d')
        disk.stopAfter(writes)
        await Promise.race([disk.stopped, owner.give(before)])
        disk.crash(reached)
        const after = await disk.open('b')
        await settleAll([owner, after])
        for (const node of [owner, after]) {
          expect(await node.value('d')).toEqual({ n: 1, mine: 2 })
          expect(await node.digest('d')).toBe(await owner.digest('d'))
          expect(await node.late()).toEqual([])
        }
      })
    }
  }

  test('a write that is refused leaves the generation as it was, and handles in order', async () => {
    const disk = new Disk()
    const node = await disk.open('a')
    await node.edit('d', set('n', 1))
    const held = await node.hold('d')
    disk.refuses = true
    disk.stopAfter(0)
    await expect(node.cut('d')).rejects.toThrow()
    expect((await node.log.record('d'))?.generation).toBe(1)
    disk.left = Number.POSITIVE_INFINITY
    await node.cut('d')
    node.change(held, set('m', 2))
    await held.durable
    expect(held.document.value).toEqual({ n: 1, m: 2 })
    expect(await node.kinds('d')).toEqual(['base', 'event'])
  })
})
