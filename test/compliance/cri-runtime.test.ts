import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { criRuntime } from '../../src/adapters/runtime/cri/index.ts'
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
import { SHELL_IMAGE, shellImage } from '../containers/images.ts'
import {
  containerIn,
  ENGINE_WAIT_MS,
  outlivesItsEngine,
  ownTests,
  podIn,
  pullsAndForgets,
} from '../support/engine-checks.ts'
import { eventually } from '../support/fleet.ts'
import { runtimePlace } from '../support/runtime-place.ts'
import { skipUnless } from '../support/skip.ts'

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

  const own = ownTests(place, (context) => skipUnless(context, isHere, which, reason), 60_000)

  own('images come from a registry, with the login that it wants, and go again', (runtime) =>
    pullsAndForgets(runtime, running()),
  )

  own(
    'limits of what runs are changed, and refused when they cannot be kept',
    async (runtime, where) => {
      const pod = await podIn(where, 'resized')
      const sandbox = await runtime.runSandbox(pod)
      const spec = containerIn(pod, {
        command: ['sleep', '1000'],
        limits: { memoryBytes: 64 << 20 },
        security: { uid: 1000, gid: 1000, groups: [7], noNewPrivileges: true, readOnlyRoot: true },
      })
      const { id } = await runtime.startContainer(sandbox.id, spec)
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
    },
  )

  own('what runs outlives its engine, which is found again with it', (runtime, where) =>
    outlivesItsEngine(runtime, where, running()),
  )

  own('the end of what ends at once is told when it can be seen', async (runtime, where) => {
    const pod = await podIn(where, 'short')
    const sandbox = await runtime.runSandbox(pod)
    const over = new Set<string>()
    const look = async (): Promise<void> => {
      const { containers } = await runtime.list()
      for (const { id, state } of containers) if (state === 'exited') over.add(id)
    }
    // At the end it is closed under a look that nobody waits for.
    runtime.watch(() => void look().catch(() => undefined))
    // Each that nobody is told of waits for the next look at everything: together for too long.
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const spec = containerIn(pod, { attempt, command: ['sh', '-c', 'sleep 0.3'] })
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await eventually(() => over.has(id), ENGINE_WAIT_MS)
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

function running(): Containerd {
  if (containerd === undefined) throw new Error('there is no containerd')
  return containerd
}

async function place(): Promise<RuntimePlace> {
  const { folder, socket, cgroupRoot } = running()
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
