import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { consoleLogger, systemClock } from 'tideway'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { ContainerStatus } from '../../../../src/adapters/runtime/index.ts'
import { RunningLogs } from '../../../../src/adapters/runtime/running-logs.ts'

let directory = ''
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tideway-running-logs-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const LARGE = 'x'.repeat(200)

/** The logs of containers, all of them too large; the engine says to `reopen` what it does. */
async function logsOf(
  names: readonly string[],
  reopen: (containerId: string) => Promise<void>,
): Promise<RunningLogs> {
  const pathOf = (name: string): string => join(directory, `${name}.log`)
  for (const name of names) await writeFile(pathOf(name), LARGE)
  const running = names.map((id) => ({ id, logPath: pathOf(id), state: 'running' }))
  return new RunningLogs({
    ...{ clock: systemClock, logger: consoleLogger('silent') },
    ...{ fileBytesMax: 100, filesMax: 3, reopen },
    running: () => Promise.resolve(running as unknown as readonly ContainerStatus[]),
  })
}

test('a log that the engine does not begin anew stays where it is, and is tried again', async () => {
  let isBack = false
  const logs = await logsOf(['a'], async (id) => {
    if (!isBack) throw new Error('the engine is restarting')
    await writeFile(join(directory, `${id}.log`), 'new')
  })
  await logs.lookNow()
  expect(await readdir(directory)).toEqual(['a.log'])
  expect(await readFile(join(directory, 'a.log'), 'utf8')).toBe(LARGE)
  isBack = true
  await logs.lookNow()
  expect(await readFile(join(directory, 'a.log'), 'utf8')).toBe('new')
  expect(await readdir(directory)).toHaveLength(2)
})

test('one that cannot be rotated keeps no other from it', async () => {
  const logs = await logsOf(['a', 'b'], async (id) => {
    if (id === 'a') throw new Error('the container is not running')
    await writeFile(join(directory, `${id}.log`), 'new')
  })
  await logs.lookNow()
  expect(await readFile(join(directory, 'b.log'), 'utf8')).toBe('new')
})
