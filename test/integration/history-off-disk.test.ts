import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { levelStorage } from '../../src/adapters/storage/level/index.ts'
import { consoleLogger, createReplica } from '../../src/index.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tideway-history-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

/** Which of these texts stand in some file of the directory. */
async function found(...texts: readonly string[]): Promise<readonly string[]> {
  const present = new Set<string>()
  for (const name of await readdir(directory)) {
    const bytes = await readFile(join(directory, name)).catch(() => Buffer.alloc(0))
    for (const text of texts) if (bytes.includes(text)) present.add(text)
  }
  return [...present].sort()
}

/** Text that no compression makes shorter, so that it stands in a file as it is. */
const words = ['q8Zk3vXw1pLr7TmN', 'b5Hs9yQd2fJc6UgE', 'x4Wn8aRt0kVz3MiO', 'e7Lp1uYh5sGj9BfC']

test('what a secret once was is in no file of the log', { timeout: 60_000 }, async () => {
  const replica = await createReplica({
    storage: await levelStorage({ directory }),
    name: 'cloud',
    logger: consoleLogger('warn'),
    compaction: { owns: () => true, withoutHistory: (name) => name.startsWith('secret/') },
  })
  const secret = await replica.open<{ password?: string }>('s', { collection: 'secret/a/b' })
  const other = await replica.open<{ n?: number }>('o', { collection: 'notes' })
  for (const [index, password] of words.entries()) {
    other.change(() => ({ n: index }))
    secret.change(() => ({ password }))
    await secret.durable()
    await other.durable()
  }
  const newest = words.at(-1) ?? ''
  await expect.poll(() => found(...words), { timeout: 20_000, interval: 200 }).toEqual([newest])
  expect(secret.value).toEqual({ password: newest })
  await replica.close()
  const again = await createReplica({ storage: await levelStorage({ directory }), name: 'cloud' })
  expect((await again.open('s')).value).toEqual({ password: newest })
  await again.close()
})
