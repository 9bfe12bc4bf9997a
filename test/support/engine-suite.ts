import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, type TestContext, test } from 'vitest'
import { engineRuntime } from '../../src/adapters/runtime/engine/index.ts'
import type { PodRuntime } from '../../src/adapters/runtime/index.ts'
import { rotatedLogs } from '../../src/adapters/runtime/log-rotation.ts'
import { type RuntimePlace, runtimeSuite } from '../../src/compliance/index.ts'
import { consoleLogger, systemClock } from '../../src/system.ts'
import {
  ENGINE_REASONS,
  type Engine,
  type EngineKind,
  hasEngine,
  startEngine,
} from '../containers/engine.ts'
import { PAUSE_IMAGE, pauseImage, SHELL_IMAGE, shellImage } from '../containers/images.ts'
import {
  containerIn,
  ENGINE_WAIT_MS,
  outlivesItsEngine,
  ownTests,
  podIn,
  pullsAndForgets,
  statusOf,
} from './engine-checks.ts'
import { eventually } from './fleet.ts'
import { runtimePlace } from './runtime-place.ts'
import { skipUnless } from './skip.ts'
import { steadyPort } from './steady-port.ts'

/** What is tested of the suite of runtimes on one engine. */
export interface EngineSuiteOptions {
  readonly kind: EngineKind
  /** Checks of the suite that the engine cannot pass, with why. Each of them is skipped by its name. */
  readonly gaps: Readonly<Record<string, string>>
}

const PAGE = 'from inside'
const REQUEST = 'GET /page HTTP/1.0\r\n\r\n'

/** Runs the suite of runtimes, and what engines have beyond it, on a Docker or a Podman of its own. */
export function engineSuite({ kind, gaps }: EngineSuiteOptions): void {
  let engine: Engine | undefined
  let places = 0
  const unchecked: string[] = []

  beforeAll(async () => {
    if (hasEngine(kind)) engine = await startEngine(kind, [pauseImage(), shellImage()])
  })

  afterAll(async () => {
    await engine?.close()
  })

  const running = (): Engine => {
    if (engine === undefined) throw new Error(`there is no ${kind}`)
    return engine
  }
  const open = (owner: string): Promise<PodRuntime> =>
    engineRuntime({
      socketPath: running().socket,
      clock: systemClock,
      logger: consoleLogger('silent'),
      owner,
      cgroupRoot: running().cgroupRoot,
      pauseImage: PAUSE_IMAGE,
      logFileBytesMax: 4 << 20,
    })
  const place = async (): Promise<RuntimePlace> => {
    places += 1
    const owner = `suite-${places}`
    const directory = join(running().folder, owner)
    await mkdir(directory)
    return runtimePlace(directory, () => open(owner))
  }

  const checks: { readonly name: string; readonly check: () => Promise<void> }[] = []
  runtimeSuite({
    test: (name, check) => checks.push({ name, check }),
    factory: place,
    image: SHELL_IMAGE,
    unchecked: (name) => unchecked.push(name),
    // Some run at once, as engines wait for most of a check, on machines that do other things, too.
    deadlineMs: 120_000,
  })
  describe('the suite of runtimes', { concurrent: true }, () => {
    for (const { name, check } of checks) {
      test(name, { timeout: 600_000 }, async (context) => {
        skipUnless(context, hasEngine(kind), kind, ENGINE_REASONS[kind])
        if (gaps[name] !== undefined) context.skip(gaps[name])
        await check()
      })
    }
  })

  const skip = (context: TestContext): void =>
    skipUnless(context, hasEngine(kind), kind, ENGINE_REASONS[kind])
  const own = ownTests(place, skip, 300_000)

  own('images come from a registry, with the login that it wants, and go again', (runtime) =>
    pullsAndForgets(runtime, running()),
  )

  own(
    'ports lead in: from the machine, and through the engine, also to loopback',
    async (runtime, where) => {
      const hostPort = await steadyPort()
      const ports = [{ protocol: 'TCP', containerPort: 8080, hostPort }] as const
      const pod = { ...(await podIn(where, 'ported')), ports }
      const sandbox = await runtime.runSandbox(pod)
      expect(sandbox.ip).toMatch(new RegExp(`^${running().network.replaceAll('.', '\\.')}\\.`))
      const serve = (address: string): string => `httpd -p ${address} -h /www`
      const write = `mkdir /www; printf '${PAGE}' > /www/page`
      const script = `${write}; ${serve('8080')}; ${serve('127.0.0.1:8081')}; exec sleep 1000`
      await runtime.startContainer(sandbox.id, containerIn(pod, { command: ['sh', '-c', script] }))
      const page = new RegExp(`^HTTP/1.[01] 200 OK\r\n[^]*${PAGE}$`)
      const through = async (port: number): Promise<string | undefined> => {
        const stream = await runtime.portForward(sandbox.id, port).catch(() => undefined)
        await stream?.write(Buffer.from(REQUEST))
        return stream === undefined ? undefined : await textOf(stream)
      }
      expect(await eventually(() => through(8080), ENGINE_WAIT_MS)).toMatch(page)
      expect(await eventually(() => through(8081), ENGINE_WAIT_MS)).toMatch(page)
      const direct = (): Promise<string | undefined> => {
        const socket = connect(hostPort, '127.0.0.1')
        socket.write(REQUEST)
        // A proxy may listen before the pod does.
        return textOf(socket).then(
          (text) => (text === '' ? undefined : text),
          () => undefined,
        )
      }
      expect(await eventually(direct, ENGINE_WAIT_MS)).toMatch(page)
    },
  )

  own('a log is rotated, and loses no line', async (runtime, where) => {
    const pod = await podIn(where, 'talks')
    const sandbox = await runtime.runSandbox(pod)
    const stop = join(pod.directory, 'stop')
    const padding = 'x'.repeat(60)
    const lines = `n=0; while [ $n -lt 1000 ]; do echo "${padding} $i"; i=$((i+1)); n=$((n+1)); done`
    const script = `i=0; until [ -e ${stop} ]; do ${lines}; sleep 0.02; done; echo "all $i"`
    const mounts = [{ volume: 'a', source: pod.directory, path: pod.directory, readOnly: false }]
    const spec = containerIn(pod, { command: ['sh', '-c', script], mounts })
    const { id } = await runtime.startContainer(sandbox.id, spec)
    await eventually(async () => (await rotatedLogs(spec.logPath)).length > 0, ENGINE_WAIT_MS)
    await writeFile(stop, '')
    await eventually(async () => (await statusOf(runtime, id))?.state === 'exited', ENGINE_WAIT_MS)
    const names = [...(await rotatedLogs(spec.logPath)), spec.logPath]
    const texts = await Promise.all(names.map((name) => where.readLog(name)))
    // An engine may write a line in parts, which it marks.
    const output = texts
      .join('')
      .replaceAll(/^\S+ stdout ([PF]) (.*)\n/gm, (_, tag, text) =>
        tag === 'P' ? text : `${text}\n`,
      )
    const numbers = [...output.matchAll(/x (\d+)$/gm)].map(([, number]) => Number(number))
    const gaps = numbers.filter((number, at) => at > 0 && number !== (numbers[at - 1] ?? 0) + 1)
    expect(gaps).toEqual([])
    expect(output.endsWith(`\nall ${(numbers.at(-1) ?? 0) + 1}\n`)).toBe(true)
  })

  own('two owners do not see each other', async (runtime, where) => {
    const pod = await podIn(where, 'owned')
    const sandbox = await runtime.runSandbox(pod)
    await runtime.startContainer(sandbox.id, containerIn(pod, { command: ['sleep', '1000'] }))
    const other = await open('somebody-else')
    expect(await other.list()).toEqual({ sandboxes: [], containers: [] })
    await expect(other.portForward(sandbox.id, 1)).rejects.toMatchObject({ reason: 'NotFound' })
    await other.close()
  })

  own('what runs outlives its engine, which is found again with it', (runtime, where) =>
    outlivesItsEngine(runtime, where, running()),
  )

  test('nothing is left of the pods that were removed', async (context) => {
    skipUnless(context, hasEngine(kind), kind, ENGINE_REASONS[kind])
    // What keeps a container ends a moment after it.
    const left = await eventually(async () => {
      const seen = await running().leftovers()
      const isOfPod = (line: string): boolean => /shim|conmon|docker-proxy/.test(line)
      const rest = seen.processes.filter(isOfPod)
      const all = [...seen.namespaces, ...seen.chains, ...rest, ...podGroups(seen.cgroups)]
      return all.length === 0 ? seen : undefined
    }, ENGINE_WAIT_MS)
    expect(left.links.filter((line) => line.includes('master'))).toEqual([])
  })

  test('what the engine does not promise on this machine is known', async (context) => {
    skipUnless(context, hasEngine(kind), kind, ENGINE_REASONS[kind])
    const withoutImages =
      'a container without a command is CommandRequired where images are not run'
    const privileged = 'one capability that is dropped is gone, and privileged has them all'
    const others = unchecked.filter((name) => name !== withoutImages)
    expect(kind === 'docker' ? [[], [privileged]] : [[]]).toContainEqual(others)
    console.info(`${kind}: unchecked ${others.length}, skipped ${Object.keys(gaps).length}`)
  })
}

function podGroups(groups: readonly string[]): readonly string[] {
  return groups.filter((path) => path.includes('/pod'))
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const bytes of stream) pieces.push(bytes)
  return Buffer.concat(pieces).toString()
}
