import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { consoleLogger, systemClock } from 'tideway'
import type { ContainerSpec, PodRuntime } from 'tideway/adapters/runtime'
import { processRuntime } from 'tideway/adapters/runtime/process'
import { afterEach, beforeEach, expect, test } from 'vitest'

const DRIVER = fileURLToPath(new URL('edged-driver.ts', import.meta.url))
const CGROUP_ROOT = `tideway-crash-${process.pid}`

let directory = ''
let runtime: PodRuntime | undefined

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tideway-crash-'))
})

afterEach(async () => {
  await runtime?.close()
  const last = await open()
  for (const sandbox of (await last.list()).sandboxes) await last.removeSandbox(sandbox.id)
  await last.close()
  runtime = undefined
  await rm(directory, { recursive: true, force: true })
})

async function open(): Promise<PodRuntime> {
  runtime = await processRuntime({
    directory: join(directory, 'state'),
    clock: systemClock,
    logger: consoleLogger('silent'),
    cgroupRoot: CGROUP_ROOT,
  })
  return runtime
}

function drive(mode: string, count: number): ChildProcess {
  const args = ['--import', 'tsx', DRIVER, directory, CGROUP_ROOT, mode, String(count)]
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit')
  child.kill('SIGKILL')
  await exited
}

async function pidOf(id: string): Promise<number> {
  const claim = await readFile(join(directory, 'state', 'containers', id, 'claim'), 'utf8')
  return Number(claim.split(' ')[0])
}

test('containers survive kill -9 of their driver and are taken up as they are', async () => {
  const child = drive('hold', 2)
  const ids: string[] = []
  for await (const line of createInterface({ input: child.stdout ?? process.stdin })) {
    if (line === 'started') break
    ids.push(line)
  }
  const [steady = '', ending = ''] = ids
  const pid = await pidOf(steady)
  await kill(child)
  await writeFile(join(directory, 'end'), '')
  const exitFile = join(directory, 'state', 'containers', ending, 'exit')
  await expect
    .poll(() => readFile(exitFile, 'utf8').catch(() => ''), { timeout: 10_000 })
    .toBe('21\n')

  const { containers } = await (await open()).list()
  expect(containers.find((each) => each.id === steady)).toMatchObject({ state: 'running' })
  expect(await pidOf(steady)).toBe(pid)
  expect(() => process.kill(pid, 0)).not.toThrow()
  expect(containers.find((each) => each.id === ending)).toMatchObject({
    state: 'exited',
    exitCode: 21,
    reason: 'Error',
  })
  const log = await readFile(join(directory, 'logs', 'c1.log'), 'utf8')
  expect(log.match(/ F (begin|end)\n/g)).toEqual([' F begin\n', ' F end\n'])
})

test('a driver that is killed at any moment starts nothing twice and loses nothing', async () => {
  const count = 12
  for (let round = 0; round < 6; round += 1) {
    const child = drive('race', count)
    // Later in each round: the kills hit the opening, the starts and the time after them.
    const finished = once(child, 'exit')
    const timer = setTimeout(() => child.kill('SIGKILL'), 450 + round * 90)
    await finished
    clearTimeout(timer)
  }
  const next = await open()
  const sandbox = await next.runSandbox({
    namespace: 'default',
    name: 'driven',
    uid: 'driven',
    hostname: 'driven',
    directory: join(directory, 'pod'),
  })
  for (let index = 0; index < count; index += 1) {
    await next.startContainer(sandbox.id, specOf(index))
  }
  const { containers } = await next.list()
  expect(containers.map((each) => each.state)).toEqual(Array(count).fill('running'))
  for (let index = 0; index < count; index += 1) {
    await expect
      .poll(() => readFile(join(directory, `runs-${index}`), 'utf8').catch(() => ''))
      .toBe('run\n')
  }
})

function specOf(index: number): ContainerSpec {
  return {
    name: `c${index}`,
    attempt: 0,
    image: 'local/shell',
    command: ['sh', '-c', `echo run >> ${directory}/runs-${index}; exec sleep 1000`],
    args: [],
    env: {},
    mounts: [],
    limits: {},
    logPath: join(directory, 'logs', `c${index}.log`),
    labels: {},
  }
}

const SCARCE_DRIVER = fileURLToPath(new URL('scarce-driver.ts', import.meta.url))

test.each(['before', 'after', 'later'])(
  'a driver that is out of descriptors (%s) tries again, and takes up what runs',
  async (when) => {
    const first = await open()
    const about = { namespace: 'default', name: 'driven', uid: 'driven', hostname: 'driven' }
    const sandbox = await first.runSandbox({ ...about, directory: join(directory, 'pod') })
    const { id } = await first.startContainer(sandbox.id, specOf(0))
    const pid = await pidOf(id)
    const { limits } = first.supports
    await first.close()
    const words = ['--import', 'tsx', SCARCE_DRIVER, directory, CGROUP_ROOT, when]
    const script = 'ulimit -n 256 && exec "$0" "$@"'
    const { stdout } = await promisify(execFile)('sh', ['-c', script, process.execPath, ...words])
    expect(JSON.parse(stdout)).toEqual({ triedAgain: 1, states: [[id, 'running']], limits })
    expect(await readdir(join(directory, 'state'))).not.toContain('damaged')
    expect(await pidOf(id)).toBe(pid)
    expect(() => process.kill(pid, 0)).not.toThrow()
    expect(await readFile(join(directory, 'runs-0'), 'utf8')).toBe('run\n')
  },
)

test('after a reboot, what ran before is exited with ContainerStatusUnknown', async () => {
  const first = await open()
  const sandbox = await first.runSandbox({
    namespace: 'default',
    name: 'driven',
    uid: 'driven',
    hostname: 'driven',
    directory: join(directory, 'pod'),
  })
  const { id } = await first.startContainer(sandbox.id, specOf(0))
  // What a reboot does: the process is gone without a trace, and the machine has another boot id.
  process.kill(-(await pidOf(id)), 'SIGKILL')
  await first.close()
  const file = join(directory, 'state', 'containers', id, 'container.json')
  const record: unknown = JSON.parse(await readFile(file, 'utf8'))
  await writeFile(file, JSON.stringify({ ...(record as object), bootId: 'another' }))
  await rm(join(directory, 'state', 'containers', id, 'exit'), { force: true })
  await rm(join(directory, 'state', 'containers', id, 'final.json'), { force: true })
  const [found] = (await (await open()).list()).containers
  expect(found).toMatchObject({
    state: 'exited',
    exitCode: 137,
    reason: 'ContainerStatusUnknown',
  })
})

test('a process that got the pid of an ended container is not taken for it', async () => {
  const first = await open()
  const sandbox = await first.runSandbox({
    namespace: 'default',
    name: 'driven',
    uid: 'driven',
    hostname: 'driven',
    directory: join(directory, 'pod'),
  })
  const { id } = await first.startContainer(sandbox.id, specOf(0))
  const pid = await pidOf(id)
  await first.close()
  const bystander = spawn('sleep', ['1000'], { stdio: 'ignore', detached: true })
  process.kill(-pid, 'SIGKILL')
  const claim = join(directory, 'state', 'containers', id, 'claim')
  // The pid of the bystander, with the start time of the container.
  const start = (await readFile(claim, 'utf8')).split(' ').slice(1).join(' ')
  await rm(claim)
  await writeFile(claim, `${bystander.pid} ${start.trim()}0\n`)
  const next = await open()
  const [found] = (await next.list()).containers
  expect(found).toMatchObject({ state: 'exited', exitCode: 137 })
  await next.removeSandbox(sandbox.id)
  expect(bystander.exitCode).toBeNull()
  expect(() => process.kill(bystander.pid ?? 0, 0)).not.toThrow()
  await kill(bystander)
})

test('a damaged record is set aside, its process ended, and everything else goes on', async () => {
  const first = await open()
  const sandbox = await first.runSandbox({
    namespace: 'default',
    name: 'driven',
    uid: 'driven',
    hostname: 'driven',
    directory: join(directory, 'pod'),
  })
  const good = await first.startContainer(sandbox.id, specOf(0))
  const bad = await first.startContainer(sandbox.id, specOf(1))
  const pid = await pidOf(bad.id)
  await first.close()
  await writeFile(join(directory, 'state', 'containers', bad.id, 'container.json'), '{"half":')
  const { containers } = await (await open()).list()
  expect(containers.map((each) => each.id)).toEqual([good.id])
  expect(() => process.kill(pid, 0)).toThrow()
  expect(await readdir(join(directory, 'state', 'damaged'))).toHaveLength(1)
})
