import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { consoleLogger, systemClock } from 'tideway'
import { processRuntime } from 'tideway/adapters/runtime/process'
import { describe, expect, test } from 'vitest'
import { RESOURCE_LIMITS } from '../../src/adapters/runtime/process/resource-limits.ts'
import { eventually } from '../support/fleet.ts'

const WAIT_MS = 60_000
/** Soft limits of core files and open files, then the hard ones. */
const LOOK = 'echo $(ulimit -S -c) $(ulimit -S -n) $(ulimit -H -c) $(ulimit -H -n)'
const sh = async (script: string): Promise<string> =>
  (await promisify(execFile)('/bin/sh', ['-c', script])).stdout.trim()

describe('resource limits of plain processes', () => {
  test('a container and a command in it have few open files and no core dumps', async () => {
    const hard = await sh('ulimit -H -n')
    const expected = `0 ${hard === 'unlimited' ? 1024 : Math.min(1024, Number(hard))} 0 ${hard}`
    const directory = await mkdtemp(join(tmpdir(), 'tideway-limits-'))
    const runtime = await processRuntime({
      directory: join(directory, 'state'),
      clock: systemClock,
      logger: consoleLogger('silent'),
      cgroupRoot: `tideway-limits-${process.pid}`,
    })
    try {
      const about = { namespace: 'default', name: 'limited', uid: 'limited', hostname: 'limited' }
      const sandbox = await runtime.runSandbox({ ...about, directory })
      const logPath = join(directory, 'main.log')
      const command = ['sh', '-c', `${LOOK}; exec sleep 86400`]
      const { id } = await runtime.startContainer(sandbox.id, {
        ...{ name: 'main', attempt: 0, image: 'none', command, args: [], env: {}, mounts: [] },
        ...{ limits: {}, logPath, labels: {} },
      })
      const log = (): Promise<string> => readFile(logPath, 'utf8').catch(() => '')
      await eventually(async () => (await log()).includes('\n'), WAIT_MS)
      expect(await log()).toMatch(new RegExp(` F ${expected}\n$`))
      const joining = { command: ['sh', '-c', LOOK], timeoutMs: WAIT_MS, outputBytesMax: 1_000 }
      expect((await runtime.run(id, joining)).output).toBe(`${expected}\n`)
    } finally {
      await runtime.removeSandbox('limited')
      await runtime.close()
      await rm(directory, { recursive: true, force: true })
    }
  }, 120_000)

  test.each([
    ['a soft limit that is lower', 'ulimit -S -n 200', /^0 200 0 /],
    ['a hard limit that is lower', 'ulimit -n 300', /^0 300 0 300$/],
    ['no core dumps', 'ulimit -c 0; ulimit -S -n 1024', /^0 1024 0 /],
  ])('%s stays', async (_what, before, expected) => {
    expect(await sh(`${before}\n${RESOURCE_LIMITS}\n${LOOK}`)).toMatch(expected)
  })
})
