import { mkdtemp, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { consoleLogger, type Logger, systemClock } from 'tideway'
import type { ContainerStatus, PodRuntime, SandboxNamespaces } from 'tideway/adapters/runtime'
import { type ProcessRuntimeOptions, processRuntime } from 'tideway/adapters/runtime/process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { findIsolation, findUnshare } from '../../src/adapters/runtime/process/mount-support.ts'
import { allProcesses } from '../../src/adapters/runtime/process-table.ts'
import { eventually } from '../support/fleet.ts'

const found = await findIsolation(tmpdir(), await findUnshare(tmpdir()))
const LOOK = { command: ['sh', '-c', 'echo $$; cat /proc/[0-9]*/cmdline | tr "\\0" " "'] }
const COMMAND_LIMITS = { timeoutMs: 60_000, outputBytesMax: 1024 * 1024 }

const TERMINAL = { stdin: true, stdout: true, stderr: false, tty: true }
const WAIT_MS = 60_000

let directory = ''
let runtime: PodRuntime | undefined

async function open(options: Partial<ProcessRuntimeOptions>, logger?: Logger): Promise<PodRuntime> {
  await runtime?.close()
  runtime = await processRuntime({
    directory: join(directory, 'state'),
    clock: systemClock,
    logger: logger ?? consoleLogger('silent'),
    cgroupRoot: `tideway-isolation-${process.pid}`,
    ...options,
  })
  return runtime
}

/** Starts the one container of a pod. */
async function start(
  opened: PodRuntime,
  uid: string,
  command: readonly string[],
  pid?: SandboxNamespaces['pid'],
): Promise<ContainerStatus> {
  const about = { namespace: 'default', name: uid, uid, hostname: uid, directory }
  const sandbox = await opened.runSandbox({ ...about, namespaces: { pid } })
  return await opened.startContainer(sandbox.id, {
    ...{ name: 'main', attempt: 0, image: 'none', command, args: [], env: {}, mounts: [] },
    ...{ limits: {}, logPath: join(directory, `${uid}.log`), labels: {} },
  })
}

async function ended(opened: PodRuntime, id: string): Promise<ContainerStatus> {
  return await eventually(
    async () =>
      (await opened.list()).containers.find((each) => each.id === id && each.state === 'exited'),
    WAIT_MS,
  )
}

/** The processes of this machine with all these words in their command line. */
async function withWords(
  ...words: readonly string[]
): Promise<readonly { pid: number; parent: number }[]> {
  const rows = await allProcesses()
  const lines = await Promise.all(
    rows.map(({ pid }) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  )
  return rows.filter((_row, index) => words.every((word) => lines[index]?.includes(word)))
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tideway-isolation-'))
})

afterEach(async () => {
  const last = await open({})
  for (const { id } of (await last.list()).sandboxes) await last.removeSandbox(id)
  await last.close()
  runtime = undefined
  await rm(directory, { recursive: true, force: true })
})

describe.skipIf(found === undefined)('processes apart (needs root and pid namespaces)', () => {
  test('process 1 that does nothing about SIGTERM is killed after its grace', async () => {
    const opened = await open({ processes: 'auto' })
    expect(opened.supports.processes).toBe(true)
    const { id } = await start(opened, 'still', ['sleep', '86400'])
    const began = performance.now()
    await opened.stopContainer(id, 1_000)
    expect(performance.now() - began).toBeGreaterThanOrEqual(1_000)
    expect((await ended(opened, id)).exitCode).toBe(137)
  }, 120_000)

  test.each(['host', 'pod'] as const)(
    'a pod that shares the processes of its %s sees all',
    async (pid) => {
      const opened = await open({ processes: 'auto' })
      const word = `apart-${process.pid}-${pid}`
      await start(opened, 'other', ['sh', '-c', 'sleep 86400; :', word])
      const { id } = await start(opened, 'shared', ['sleep', '86400'], pid)
      const look = () => opened.run(id, { ...LOOK, ...COMMAND_LIMITS })
      // It has begun when its first process has, which becomes this command a moment later.
      await eventually(async () => (await look()).output.includes(word), WAIT_MS)
      const alone = await start(opened, 'alone', ['sleep', '86400'])
      const told = await opened.run(alone.id, { ...LOOK, ...COMMAND_LIMITS })
      expect(told.output).not.toContain(word)
      expect(Number(told.output.split('\n')[0])).toBeLessThan(50)
    },
    120_000,
  )

  test('a driver that has it switched off takes over, enters and ends what was apart', async () => {
    const first = await open({ processes: 'auto' })
    const script = 'trap "exit 9" TERM; echo up; while :; do sleep 0.05; done'
    const { id } = await start(first, 'kept', ['sh', '-c', script])
    const log = join(directory, 'kept.log')
    await eventually(
      async () => (await readFile(log, 'utf8').catch(() => '')).includes('up'),
      WAIT_MS,
    )
    const next = await open({ processes: 'never' })
    expect(next.supports.processes).toBe(false)
    const command = ['readlink', '/proc/1/ns/pid']
    const told = await next.run(id, { command, ...COMMAND_LIMITS })
    expect(told.output.trim()).toMatch(/^pid:/)
    expect(told.output.trim()).not.toBe(await readlink('/proc/self/ns/pid'))
    await next.stopContainer(id, 60_000)
    expect((await ended(next, id)).exitCode).toBe(9)
  }, 120_000)

  test('nothing is left when what holds the namespace is killed, daemons included', async () => {
    const opened = await open({ processes: 'auto' })
    const word = `apart-${process.pid}-daemon`
    const daemon = `setsid sh -c 'sleep 86400; :' ${word} > /dev/null 2>&1 &`
    const { id } = await start(opened, 'held', ['sh', '-c', `(${daemon}); sleep 86400; :`, word])
    await eventually(
      async () => (await withWords(`c\0sleep 86400; :\0${word}`)).length === 1,
      WAIT_MS,
    )
    const [holder] = await withWords('unshare\0', '--kill-child', word)
    if (holder === undefined) throw new Error('nothing holds the namespace')
    process.kill(holder.pid, 'SIGKILL')
    expect((await ended(opened, id)).exitCode).toBe(137)
    await eventually(async () => (await withWords(word)).length === 0, WAIT_MS)
  }, 120_000)

  test('a signal for a command on a terminal does not end what waits for it', async () => {
    const opened = await open({ processes: 'auto' })
    const { id } = await start(opened, 'terminal', ['sleep', '86400'])
    const script = 'trap "echo caught; exit 5" INT; echo ready; while :; do sleep 0.05; done'
    const command = ['sh', '-c', script]
    const session = await opened.exec(id, { command, ...TERMINAL })
    let seen = ''
    for await (const { bytes } of session.output) {
      seen += Buffer.from(bytes).toString()
      if (seen.includes('ready') && !seen.includes('^C')) await session.writeInput(Uint8Array.of(3))
    }
    expect(seen).toContain('caught')
    expect(await session.ended).toEqual({ type: 'exited', exitCode: 5 })
  }, 120_000)
})

test('a machine without what it takes says so once, and goes on', async () => {
  const told: string[] = []
  const logger: Logger = { ...consoleLogger('silent'), warn: (message) => told.push(message) }
  const opened = await open({ processes: 'auto', mounts: 'never' }, logger)
  expect(opened.supports.processes).toBe(false)
  const { id } = await start(opened, 'plain', ['sh', '-c', 'exit 4'])
  expect((await ended(opened, id)).exitCode).toBe(4)
  expect(told.filter((message) => message.startsWith('no pid namespaces here'))).toHaveLength(1)
}, 120_000)
