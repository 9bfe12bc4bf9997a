import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { consoleLogger, systemClock } from 'tideway'
import type { PodRuntime } from 'tideway/adapters/runtime'
import { processRuntime, rotatedLogs } from 'tideway/adapters/runtime/process'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/fleet.ts'
import { type EdgedPlace, mainOf, openPlace, shellPod } from './edged-place.ts'

let directory = ''
let runtime: PodRuntime

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tideway-logs-'))
})

describe.each(['auto', 'never'] as const)('the log of a busy container, cgroups %s', (cgroups) => {
  afterEach(async () => {
    for (const sandbox of (await runtime.list()).sandboxes) await runtime.removeSandbox(sandbox.id)
    await runtime.close()
    await rm(directory, { recursive: true, force: true })
  })

  const open = async (): Promise<PodRuntime> => {
    runtime = await processRuntime({
      directory: join(directory, 'state'),
      clock: systemClock,
      logger: consoleLogger('silent'),
      cgroupRoot: `tideway-logs-${process.pid}`,
      cgroups,
      logFileBytesMax: 300_000,
      logFilesMax: 1_000,
      rawBytesMax: 200_000,
    })
    return runtime
  }

  test('holds every line once, in order, through rotations, emptied files and restarts', async () => {
    const logPath = join(directory, 'log')
    await open()
    const sandbox = await runtime.runSandbox({
      namespace: 'default',
      name: 'busy',
      uid: 'busy',
      hostname: 'busy',
      directory: join(directory, 'pod'),
    })
    const count = 40_000
    const script = `i=0; while [ $i -lt ${count} ]; do echo "number $i of the lines"; i=$((i+1)); done`
    const { id } = await runtime.startContainer(sandbox.id, {
      name: 'main',
      attempt: 0,
      image: 'x',
      command: ['sh', '-c', script],
      args: [],
      env: {},
      mounts: [],
      limits: {},
      logPath,
      labels: {},
    })
    // The driver goes away and comes back while the container writes.
    for (let round = 0; round < 3; round += 1) {
      await eventually(async () => (await linesOf(logPath)).length > round * 2_000, 60_000)
      await runtime.close()
      await open()
    }
    await eventually(async () => {
      const [found] = (await runtime.list()).containers
      return found?.state === 'exited'
    }, 60_000)
    const lines = await linesOf(logPath)
    expect(lines.length).toBe(count)
    expect(lines.findIndex((line, index) => line !== `number ${index} of the lines`)).toBe(-1)
    expect((await rotatedLogs(logPath)).length).toBeGreaterThan(3)
    const raw = await stat(join(directory, 'state', 'containers', id, 'stdout'))
    expect(raw.size).toBeLessThan(count * 20)
  })
})

test('logs can be followed through rotations, from a tail, with timestamps and to a limit', async () => {
  const place = await openPlace({}, { logFileBytesMax: 4_000, logFilesMax: 3 })
  try {
    const script =
      'i=0; while [ $i -lt 300 ]; do echo "number $i"; i=$((i+1)); sleep 0.002; done; sleep 100'
    await place.create(shellPod('talk', script))
    await place.podWhere('talk', (each) => mainOf(each)?.state.running !== undefined)
    const followed = await follow(place, (text) => text.includes('number 299\n'))
    const numbers = [...followed.matchAll(/number (\d+)\n/g)].map((match) => Number(match[1]))
    expect(numbers).toEqual(numbers.map((_, index) => (numbers[0] ?? 0) + index))
    expect(numbers.at(-1)).toBe(299)

    const read = async (over: object): Promise<string> => {
      const pieces = await place.edged.logs.open({ ...request(), ...over })
      let text = ''
      for await (const piece of pieces) text += Buffer.from(piece).toString('utf8')
      return text
    }
    expect(await read({ tailLines: 2 })).toBe('number 298\nnumber 299\n')
    expect(await read({ tailLines: 0 })).toBe('')
    expect(await read({ tailLines: 150 })).toMatch(/^number 150\n/)
    expect(await read({ tailLines: 1, timestamps: true })).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z number 299\n$/,
    )
    expect(await read({ tailLines: 2, limitBytes: 13 })).toBe('number 298\nnu')
    expect(await read({ sinceTime: '2999-01-01T00:00:00Z' })).toBe('')
    await expect(place.edged.logs.open({ ...request(), container: 'other' })).rejects.toThrow(
      'container other is not valid for pod talk',
    )
    await expect(place.edged.logs.open({ ...request(), previous: true })).rejects.toThrow(
      'previous terminated container "main" in pod "talk" not found',
    )
    await expect(place.edged.logs.open({ ...request(), pod: 'none' })).rejects.toThrow(
      'pods "none" not found',
    )
  } finally {
    await place.dispose()
    await rm(directory, { recursive: true, force: true })
  }
})

test('following ends when the container has ended, after its last words', async () => {
  const place = await openPlace()
  try {
    await place.create(shellPod('brief', 'echo a; sleep 0.5; echo b', { restartPolicy: 'Never' }))
    await place.podWhere('brief', (each) => mainOf(each)?.state.running !== undefined)
    const pieces = await place.edged.logs.open({ ...request(), pod: 'brief', follow: true })
    let text = ''
    for await (const piece of pieces) text += Buffer.from(piece).toString('utf8')
    expect(text).toBe('a\nb\n')
  } finally {
    await place.dispose()
    await rm(directory, { recursive: true, force: true })
  }
})

function request() {
  return {
    namespace: 'default',
    pod: 'talk',
    container: 'main',
    follow: false,
    previous: false,
    timestamps: false,
    signal: new AbortController().signal,
  }
}

async function follow(place: EdgedPlace, isEnough: (text: string) => boolean): Promise<string> {
  const abort = new AbortController()
  const pieces = await place.edged.logs.open({
    ...request(),
    follow: true,
    signal: abort.signal,
  })
  let text = ''
  for await (const piece of pieces) {
    text += Buffer.from(piece).toString('utf8')
    if (isEnough(text)) abort.abort()
  }
  return text
}

async function linesOf(logPath: string): Promise<readonly string[]> {
  const files = [...(await rotatedLogs(logPath)), logPath]
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')))
  const lines = texts.join('').split('\n').slice(0, -1)
  return lines.map((line) => line.split(' ').slice(3).join(' '))
}
