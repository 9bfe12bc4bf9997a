import { expect, test } from 'vitest'

import { MemoryMedium, memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { copyMedium } from '../../../support/copy-medium.ts'
import { giveAll, LogNode } from '../../../support/log-node.ts'

function set(node: LogNode, key: string): Promise<void> {
  return node.edit('d', (draft) => {
    draft[key] = 1
  })
}

/** A log that went back before two cuts of another, and has been edited since; the other one. */
async function wentBack(): Promise<{ a: LogNode; b: LogNode }> {
  const storage = memoryStorage({ medium: new MemoryMedium() })
  const lost = await LogNode.open('a', storage)
  const b = await LogNode.open('b')
  await set(b, 'first')
  await giveAll(b, lost)
  const backup = await copyMedium(storage)
  await b.cut('d')
  await giveAll(b, lost)
  await set(lost, 'on the cut')
  await giveAll(lost, b)
  await b.cut('d')
  const a = await LogNode.open('a', memoryStorage({ medium: backup }))
  await set(a, 'restored')
  return { a, b }
}

test('what a log wrote after it went back is to be seen when a cut reaches past its generation', async () => {
  const { a, b } = await wentBack()
  const edit = (await a.log.readDocument('d')).at(-1)?.hash
  await giveAll(b, a)
  expect(await a.value('d')).toEqual({ first: 1, 'on the cut': 1 })
  expect(await a.digest('d')).toBe(await b.digest('d'))
  const seen: string[] = []
  for await (const { hash } of a.log.rejected()) seen.push(hash)
  expect(seen).toEqual([edit])
})

test('what a log wrote after it went back and cut itself is to be seen when a later cut reaches past it', async () => {
  const { a, b } = await wentBack()
  await a.cut('d')
  const state = (await a.log.readDocument('d')).find(({ kind }) => kind === 'base')?.hash
  await giveAll(b, a)
  expect(await a.value('d')).toEqual({ first: 1, 'on the cut': 1 })
  const seen: string[] = []
  for await (const { hash, kind } of a.log.rejected()) seen.push(`${kind} ${hash}`)
  expect(seen).toEqual([`base ${state}`])
})

test('a state that others cut is not to be seen when a later one has all that is in it', async () => {
  const [a, b] = await Promise.all([LogNode.open('a'), LogNode.open('b')])
  for (const key of ['first', 'second']) {
    await set(a, key)
    await giveAll(a, b)
    await b.cut('d')
    await giveAll(b, a)
  }
  expect(await a.value('d')).toEqual({ first: 1, second: 1 })
  const seen: string[] = []
  for await (const { hash } of a.log.rejected()) seen.push(hash)
  expect(seen).toEqual([])
})

test('a document that is deleted and cut here and cut more often there ends in one generation', async () => {
  const [a, b] = await Promise.all([LogNode.open('a'), LogNode.open('b')])
  await set(a, 'first')
  await giveAll(a, b)
  await b.cut('d')
  await set(b, 'second')
  for (const node of [a, b]) {
    await node.log.commit({ type: 'delete', document: 'd' })
    await node.cut('d')
  }
  const generations = [a, b].map(async ({ log }) => (await log.record('d'))?.generation)
  const [one, other] = await Promise.all(generations)
  expect(one).toBeLessThan(other ?? 0)
  await giveAll(b, a)
  expect((await a.log.record('d'))?.generation).toBe(other)
  expect(await a.digest('d')).toBe(await b.digest('d'))
})
