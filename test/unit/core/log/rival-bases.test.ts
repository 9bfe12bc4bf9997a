import { expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import type { Beginning } from '../../../../src/core/log/generation.ts'
import { makeBeginning } from '../../../../src/core/log/generation-beginning.ts'
import { cutActor } from '../../../../src/core/log/generation-origin.ts'
import { checkEntry } from '../../../../src/core/replica/incoming.ts'
import { Author } from '../../../support/author.ts'
import { copyMedium } from '../../../support/copy-medium.ts'
import { giveAll, LogNode } from '../../../support/log-node.ts'
import { sha256 } from '../../../support/memory-log.ts'

/** Until both hold the same. */
async function agree(a: LogNode, b: LogNode): Promise<void> {
  for (let round = 0; round < 4; round += 1) {
    await giveAll(a, b)
    await giveAll(b, a)
  }
  expect(await a.digest('d')).toBe(await b.digest('d'))
  expect(await a.value('d')).toEqual(await b.value('d'))
  expect((await a.log.record('d'))?.generation).toBe((await b.log.record('d'))?.generation)
}

function set(node: LogNode, key: string): Promise<void> {
  return node.edit('d', (draft) => {
    draft[key] = 1
  })
}

test.each([0, 1, 2, 3])(
  'an owner that was put back from a backup cuts again: nothing is lost (%i more)',
  async (more) => {
    const storage = memoryStorage({ medium: new MemoryMedium() })
    const lost = await LogNode.open('a', storage)
    const b = await LogNode.open('b')
    await set(lost, 'before')
    await giveAll(lost, b)
    await set(b, 'sent')
    await giveAll(b, lost)
    const backup = await copyMedium(storage)
    await lost.cut('d')
    await giveAll(lost, b)
    await set(b, 'on the first')
    const a = await LogNode.open('a', memoryStorage({ medium: backup }))
    for (let i = 0; i < more; i += 1) await set(a, `restored ${i}`)
    await a.cut('d')
    await set(a, 'on the second')
    await agree(a, b)
    const restored = Object.fromEntries(
      Array.from({ length: more }, (_, i) => [`restored ${i}`, 1]),
    )
    const value = { before: 1, sent: 1, 'on the first': 1, 'on the second': 1, ...restored }
    expect(await a.value('d')).toEqual(value)
    // And the next edit of each finds its place.
    await set(a, 'next a')
    await set(b, 'next b')
    await agree(a, b)
    expect(await a.value('d')).toEqual({ ...value, 'next a': 1, 'next b': 1 })
  },
)

async function newest(node: LogNode): Promise<string | undefined> {
  return (await node.log.readDocument('d')).at(-1)?.hash
}

/** Two bases whose hashes begin with the same 32 bits. */
function rivals(): readonly [Beginning, Beginning] {
  const state = new Author(cutActor('d', 1, sha256)).set('a', 1)
  const seen = new Map<number, Beginning>()
  for (let i = 0; ; i += 1) {
    const actor = i.toString(16).padStart(16, '0')
    const reach = new Map([[actor, { generation: 1, sequence: 1 }]])
    const beginning = makeBeginning(1, reach, state, sha256)
    const other = seen.get(beginning.generation)
    if (other !== undefined) return [other, beginning]
    seen.set(beginning.generation, beginning)
  }
}

test('of two bases of one number the same one counts everywhere, and no edit is gone', async () => {
  const [one, two] = rivals()
  expect(one.generation).toBe(two.generation)
  const [a, b] = await Promise.all([LogNode.open('a'), LogNode.open('b')])
  for (const [node, { generation, bytes }] of [
    [a, one],
    [b, two],
  ] as const) {
    const entry = checkEntry(
      { kind: 'base', document: 'd', collection: 'c', generation, bytes },
      sha256,
    )
    const delivery = { from: 'm', entries: [entry], peer: undefined, check: () => undefined }
    await node.log.commit({ type: 'remote', ...delivery })
    await set(node, `edit ${node.name}`)
  }
  const edits = [await newest(a), await newest(b)]
  await agree(a, b)
  const edit = one.hash > two.hash ? edits[1] : edits[0]
  const loser = one.hash > two.hash ? b : a
  const winner = one.hash > two.hash ? a : b
  expect(await a.value('d')).toMatchObject({ a: 1, [`edit ${winner.name}`]: 1 })
  // What builds on the other one stays: in the log, where it waits for it, or where its author sees it.
  const kept: string[] = []
  for await (const { hash } of loser.log.rejected()) kept.push(hash)
  for (const { hash } of await loser.log.readDocument('d')) kept.push(hash ?? '')
  expect(kept).toContain(edit)
  await set(a, 'next a')
  await set(b, 'next b')
  await agree(a, b)
  expect(await b.value('d')).toMatchObject({ 'next a': 1, 'next b': 1 })
})
