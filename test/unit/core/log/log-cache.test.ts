import { expect, test } from 'vitest'

import { memoryStorage } from '../../../../src/adapters/storage/memory/index.ts'
import { toRecord } from '../../../../src/core/log/entry.ts'
import { LogCache } from '../../../../src/core/log/log-cache.ts'
import { Plan } from '../../../../src/core/log/plan.ts'
import type { Submission } from '../../../../src/core/log/submission.ts'
import { carryOut } from '../../../../src/core/log/work.ts'
import { nodeSha256 } from '../../../../src/node/index.ts'
import { Author, incoming } from '../../../support/author.ts'

const author = new Author()
let count = 0

function next(document: string): Submission {
  count += 1
  const entries = [incoming(document, author.set('a', count))]
  return { type: 'remote', from: 'peer', entries, peer: undefined, check: () => undefined }
}

/** A cache that plans and writes what it is given, and says whether it had to wait to do so. */
function planning() {
  const cache = new LogCache({
    sha256: nodeSha256(),
    genesisActor: 'genesis',
    isGenesis: () => false,
  })
  const storage = memoryStorage()
  return async (...submissions: readonly Submission[]): Promise<boolean> => {
    const preparing = cache.prepare(storage, submissions, async () => [])
    await preparing
    const plan = new Plan(cache)
    for (const submission of submissions) carryOut(plan, submission)
    const first = (await storage.head()) + 1
    await storage.append({ records: plan.entries.map(toRecord), puts: plan.puts(first) })
    cache.adopt(plan)
    return preparing !== undefined
  }
}

test('what is edited now is planned in the same turn, anything else after a look', async () => {
  const waits = planning()
  expect(await waits(next('d'))).toBe(true)
  expect(await waits(next('d'))).toBe(false)
  expect(await waits(next('d'), next('d'))).toBe(false)
  expect(await waits(next('e'), next('d'))).toBe(true)
  expect(await waits(next('e'), next('d'))).toBe(false)
  expect(await waits({ type: 'cut', document: 'd', generation: 7 })).toBe(true)
})

test('what comes to stand where a writer has been long ago is looked up', async () => {
  const waits = planning()
  const first = next('d')
  await waits(first)
  await waits(next('d'))
  await waits(next('d'))
  expect(await waits(first)).toBe(true)
})
