import { mkdir, writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { engineRuntime } from '../../src/adapters/runtime/engine/index.ts'
import type {
  ContainerSpec,
  ContainerStatus,
  PodRuntime,
  SandboxSpec,
} from '../../src/adapters/runtime/index.ts'
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
import { startRegistry } from '../containers/registry.ts'
import { eventually } from './fleet.ts'
import { runtimePlace } from './runtime-place.ts'
import { skipUnless } from './skip.ts'

/** What is tested of the suite of runtimes on one engine. */
export interface EngineSuiteOptions {
  readonly kind: EngineKind
  /** Checks of the suite that the engine cannot pass, with why. Each of them is skipped by its name. */
  readonly gaps: Readonly<Record<string, string>>
}

const PAGE = 'from inside'
const REQUEST = 'GET /page HTTP/1.0\r\n\r\n'

/** What an engine may take on a busy machine. */
const WAIT_MS = 60_000

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

  const own = (
    name: string,
    check: (runtime: PodRuntime, place: RuntimePlace) => Promise<void>,
  ): void => {
    test(name, { timeout: 300_000 }, async (context) => {
      skipUnless(context, hasEngine(kind), kind, ENGINE_REASONS[kind])
      const where = await place()
      const runtime = await where.open()
      try {
        await check(runtime, where)
      } finally {
        await where.dispose()
      }
    })
  }

  own(
    'images come from a registry, with the login that it wants, and go again',
    async ({ images }) => {
      if (images === undefined) throw new Error('it has no images')
      const registry = await startRegistry({ username: 'reader', password: 'secret' })
      try {
        const name = registry.publish(
          'apps/shell',
          '1',
          shellImage('apps/shell:1', { User: 'app' }),
        )
        const login = { username: 'reader', password: 'secret' }
        const wrong = { username: 'reader', password: 'wrong' }
        const absent = `${registry.address}/apps/none:1`
        const failed = { reason: 'PullFailed' }
        expect(await images.image(name)).toBeUndefined()
        await expect(images.pullImage(name, [])).rejects.toMatchObject(failed)
        await expect(images.pullImage(name, [wrong])).rejects.toMatchObject(failed)
        await expect(images.pullImage(absent, [login])).rejects.toMatchObject(failed)
        const pulled = await images.pullImage(name, [wrong, login])
        expect(pulled).toMatchObject({ tags: [name], userName: 'app' })
        expect(pulled.digests[0]).toMatch(/\/apps\/shell@sha256:/)
        expect((await images.images()).map(({ id }) => id)).toContain(pulled.id)
        const pause = await images.image(PAUSE_IMAGE)
        expect(await images.inUse()).toContain(pause?.id)
        expect((await images.usage()).directory).toContain(engine?.folder)
        await images.removeImage(pulled.id)
        await images.removeImage(pulled.id)
        expect(await images.image(name)).toBeUndefined()
      } finally {
        await registry.close()
      }
    },
  )

  own(
    'ports lead in: from the machine, and through the engine, also to loopback',
    async (runtime, where) => {
      const hostPort = await freePort()
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
      expect(await eventually(() => through(8080), WAIT_MS)).toMatch(page)
      expect(await eventually(() => through(8081), WAIT_MS)).toMatch(page)
      const direct = (): Promise<string | undefined> => {
        const socket = connect(hostPort, '127.0.0.1')
        socket.write(REQUEST)
        // A proxy may listen before the pod does.
        return textOf(socket).then(
          (text) => (text === '' ? undefined : text),
          () => undefined,
        )
      }
      expect(await eventually(direct, WAIT_MS)).toMatch(page)
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
    await eventually(async () => (await rotatedLogs(spec.logPath)).length > 0, WAIT_MS)
    await writeFile(stop, '')
    await eventually(async () => (await statusOf(runtime, id))?.state === 'exited', WAIT_MS)
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

  own(
    'two owners do not see each other, and what runs outlives its engine',
    async (runtime, where) => {
      const pod = await podIn(where, 'outlives')
      const sandbox = await runtime.runSandbox(pod)
      const script = 'while :; do echo beat; sleep 0.1; done'
      const spec = containerIn(pod, { command: ['sh', '-c', script] })
      const started = await runtime.startContainer(sandbox.id, spec)
      const other = await open('somebody-else')
      expect(await other.list()).toEqual({ sandboxes: [], containers: [] })
      await expect(other.portForward(sandbox.id, 1)).rejects.toMatchObject({ reason: 'NotFound' })
      await other.close()
      await running().kill()
      await expect(runtime.list()).rejects.toMatchObject({ reason: 'Unavailable' })
      await running().start()
      const found = await eventually(
        () => statusOf(runtime, started.id).catch(() => undefined),
        WAIT_MS,
      )
      expect(found).toMatchObject({ id: started.id, state: 'running' })
      const before = (await where.readLog(spec.logPath)).length
      await eventually(async () => (await where.readLog(spec.logPath)).length > before, WAIT_MS)
      const command = { command: ['echo', 'back'], timeoutMs: 60_000, outputBytesMax: 100 }
      expect((await runtime.run(started.id, command)).output).toBe('back\n')
      const hints: string[] = []
      runtime.watch(({ podUid }) => hints.push(podUid))
      await runtime.stopContainer(started.id, 0)
      await eventually(() => hints.includes(pod.uid), WAIT_MS)
      expect(await statusOf(runtime, started.id)).toMatchObject({ state: 'exited', exitCode: 137 })
    },
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
    }, WAIT_MS)
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

async function podIn(where: RuntimePlace, name: string): Promise<SandboxSpec> {
  const directory = await where.podDirectory()
  return { namespace: 'suite', name, uid: `uid-${name}`, hostname: name, directory }
}

function containerIn(pod: SandboxSpec, over: Partial<ContainerSpec>): ContainerSpec {
  return {
    name: 'main',
    attempt: 0,
    image: SHELL_IMAGE,
    command: [],
    args: [],
    env: {},
    mounts: [],
    limits: {},
    logPath: join(pod.directory, 'logs', 'main.log'),
    labels: {},
    ...over,
  }
}

async function statusOf(runtime: PodRuntime, id: string): Promise<ContainerStatus | undefined> {
  return (await runtime.list()).containers.find((each) => each.id === id)
}

async function textOf(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const bytes of stream) pieces.push(bytes)
  return Buffer.concat(pieces).toString()
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => {
    server.close(resolve)
  })
  return port
}
