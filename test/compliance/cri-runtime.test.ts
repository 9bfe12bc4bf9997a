import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { criRuntime } from '../../src/adapters/runtime/cri/index.ts'
import type { ContainerStatus } from '../../src/adapters/runtime/index.ts'
import { type RuntimePlace, runtimeSuite } from '../../src/compliance/index.ts'
import { consoleLogger, systemClock } from '../../src/system.ts'
import { type Containerd, startContainerd } from '../containers/containerd.ts'
import {
  CONTAINERD_REASON,
  hasContainerd,
  NEWEST_REASON,
  newestContainerd,
  SYSTEM_CONTAINERD,
} from '../containers/containerd-program.ts'
import { PAUSE_IMAGE, SHELL_IMAGE, shellImage } from '../containers/images.ts'
import { startRegistry } from '../containers/registry.ts'
import { eventually } from '../support/fleet.ts'
import { runtimePlace } from '../support/runtime-place.ts'
import { skipUnless } from '../support/skip.ts'

/** What an engine may take on a busy machine. */
const WAIT_MS = 60_000

let containerd: Containerd | undefined
let places = 0

const CONTAINERDS = [
  { which: 'containerd', programs: SYSTEM_CONTAINERD, reason: CONTAINERD_REASON },
  { which: 'the newest containerd', programs: await newestContainerd(), reason: NEWEST_REASON },
] as const

describe.each(CONTAINERDS)('$which through the Container Runtime Interface', (each) => {
  const { which, programs, reason } = each
  const isHere = hasContainerd(programs)

  beforeAll(async () => {
    if (isHere) containerd = await startContainerd([shellImage()], programs)
  })

  afterAll(async () => {
    await containerd?.close()
    containerd = undefined
  })

  runtimeSuite({
    test: (name, check) =>
      test(name, async (context) => {
        skipUnless(context, isHere, which, reason)
        await check()
      }),
    factory: place,
    image: SHELL_IMAGE,
  })

  test('images come from a registry, with the login that it wants, and go again', async (context) => {
    skipUnless(context, isHere, which, reason)
    const registry = await startRegistry({ username: 'reader', password: 'secret' })
    const where = await place()
    const runtime = await where.open()
    try {
      const name = registry.publish('apps/shell', '1', shellImage('apps/shell:1', { User: 'app' }))
      const { images } = runtime
      if (images === undefined) throw new Error('it has no images')
      expect(await images.image(name)).toBeUndefined()
      await expect(images.pullImage(name, [])).rejects.toMatchObject({ reason: 'PullFailed' })
      const wrong = { username: 'reader', password: 'wrong' }
      await expect(images.pullImage(name, [wrong])).rejects.toMatchObject({ reason: 'PullFailed' })
      const login = { username: 'reader', password: 'secret' }
      const pulled = await images.pullImage(name, [wrong, login])
      expect(pulled).toMatchObject({ tags: [name], userName: 'app' })
      expect((await images.images()).map(({ id }) => id)).toContain(pulled.id)
      // The engine measures what they take once in a while.
      expect((await images.usage()).directory).toContain(containerd?.folder)
      const used = await images.inUse()
      expect(used).not.toContain(pulled.id)
      expect(used).toContain((await images.image(PAUSE_IMAGE))?.id)
      await images.removeImage(pulled.id)
      await images.removeImage(pulled.id)
      expect(await images.image(name)).toBeUndefined()
      const absent = `${registry.address}/apps/none:1`
      await expect(images.pullImage(absent, [login])).rejects.toMatchObject({
        reason: 'PullFailed',
      })
    } finally {
      await runtime.close()
      await where.dispose()
      await registry.close()
    }
  })

  test('limits of what runs are changed, and refused when they cannot be kept', async (context) => {
    skipUnless(context, isHere, which, reason)
    const where = await place()
    const runtime = await where.open()
    try {
      const directory = await where.podDirectory()
      const pod = { namespace: 'suite', name: 'pod', uid: 'resized', hostname: 'pod', directory }
      const sandbox = await runtime.runSandbox(pod)
      const { id } = await runtime.startContainer(sandbox.id, {
        name: 'main',
        attempt: 0,
        image: SHELL_IMAGE,
        command: ['sleep', '1000'],
        args: [],
        env: {},
        mounts: [],
        limits: { memoryBytes: 64 << 20 },
        logPath: join(directory, 'logs', 'main.log'),
        labels: {},
        security: { uid: 1000, gid: 1000, groups: [7], noNewPrivileges: true, readOnlyRoot: true },
      })
      const inside = async (...command: readonly string[]): Promise<string> => {
        const result = await runtime.run(id, { command, timeoutMs: 30_000, outputBytesMax: 4_096 })
        return result.output.trim()
      }
      expect(
        await inside(
          'sh',
          '-c',
          'id -u; id -g; id -G; touch /x; grep NoNewPrivs /proc/self/status',
        ),
      ).toBe('1000\n1000\n1000 7\nNoNewPrivs:\t1\ntouch: /x: Read-only file system')
      const limit = (): Promise<string> =>
        inside('cat', '/sys/fs/cgroup/memory/memory.limit_in_bytes')
      const before = await limit()
      await runtime.updateLimits(id, { memoryBytes: 128 << 20 })
      if (before !== '') expect([before, await limit()]).toEqual([`${64 << 20}`, `${128 << 20}`])
      await expect(runtime.updateLimits('none', {})).rejects.toMatchObject({ reason: 'NotFound' })
    } finally {
      await runtime.close()
      await where.dispose()
    }
  })

  test('what runs outlives its engine, which is found again with it', async (context) => {
    skipUnless(context, isHere, which, reason)
    const where = await place()
    const runtime = await where.open()
    try {
      const directory = await where.podDirectory()
      const uid = 'outlives'
      const pod = { namespace: 'suite', name: 'outlives', uid, hostname: 'pod', directory }
      const sandbox = await runtime.runSandbox(pod)
      const started = await runtime.startContainer(sandbox.id, {
        name: 'main',
        attempt: 0,
        image: SHELL_IMAGE,
        command: ['sh', '-c', 'while :; do echo beat; sleep 0.1; done'],
        args: [],
        env: {},
        mounts: [],
        limits: {},
        logPath: join(directory, 'logs', 'main.log'),
        labels: {},
      })
      await containerd?.kill()
      await expect(runtime.list()).rejects.toMatchObject({ reason: 'Unavailable' })
      await containerd?.start()
      const listed = async (): Promise<readonly ContainerStatus[]> =>
        (await runtime.list().catch(() => undefined))?.containers ?? []
      const found = await eventually(async () => (await listed())[0], WAIT_MS)
      expect(found).toMatchObject({ id: started.id, state: 'running' })
      const before = (await where.readLog(started.logPath)).length
      await eventually(async () => (await where.readLog(started.logPath)).length > before, WAIT_MS)
      const command = { command: ['echo', 'back'], timeoutMs: 30_000, outputBytesMax: 100 }
      expect((await runtime.run(started.id, command)).output).toBe('back\n')
      const hints: string[] = []
      runtime.watch(({ podUid }) => hints.push(podUid))
      await runtime.stopContainer(started.id, 0)
      await eventually(() => hints.includes(uid), WAIT_MS)
      expect((await listed())[0]).toMatchObject({ state: 'exited', exitCode: 137 })
    } finally {
      await runtime.close()
      await where.dispose()
    }
  })

  test('the end of what ends at once is told when it can be seen', async (context) => {
    skipUnless(context, isHere, which, reason)
    const where = await place()
    const runtime = await where.open()
    try {
      const directory = await where.podDirectory()
      const pod = { namespace: 'suite', name: 'short', uid: 'short', hostname: 'pod', directory }
      const sandbox = await runtime.runSandbox(pod)
      const over = new Set<string>()
      const look = async (): Promise<void> => {
        const { containers } = await runtime.list()
        for (const { id, state } of containers) if (state === 'exited') over.add(id)
      }
      runtime.watch(() => void look())
      // Each that nobody is told of waits for the next look at everything: together for too long.
      for (let attempt = 0; attempt < 8; attempt += 1) {
        const { id } = await runtime.startContainer(sandbox.id, {
          name: 'main',
          attempt,
          image: SHELL_IMAGE,
          command: ['sh', '-c', 'sleep 0.3'],
          args: [],
          env: {},
          mounts: [],
          limits: {},
          logPath: join(directory, 'main.log'),
          labels: {},
        })
        await eventually(() => over.has(id), WAIT_MS)
      }
    } finally {
      await runtime.close()
      await where.dispose()
    }
  })

  test('nothing is left of the pods that were removed', async (context) => {
    skipUnless(context, isHere, which, reason)
    const left = await containerd?.leftovers()
    expect(left?.namespaces).toEqual([])
    expect(left?.chains).toEqual([])
    expect(left?.processes.filter((line) => line.includes('containerd-shim'))).toEqual([])
  })
})

async function place(): Promise<RuntimePlace> {
  if (containerd === undefined) throw new Error('there is no containerd')
  const { folder, socket, cgroupRoot } = containerd
  places += 1
  const owner = `suite-${places}`
  const directory = join(folder, owner)
  await mkdir(directory)
  return runtimePlace(directory, () =>
    criRuntime({
      socketPath: socket,
      clock: systemClock,
      logger: consoleLogger('silent'),
      owner,
      cgroupRoot,
    }),
  )
}
