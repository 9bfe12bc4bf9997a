import { join } from 'node:path'
import { expect, type TestContext, test } from 'vitest'
import type {
  ContainerSpec,
  ContainerStatus,
  PodRuntime,
  SandboxSpec,
} from '../../src/adapters/runtime/index.ts'
import type { RuntimePlace } from '../../src/compliance/index.ts'
import { PAUSE_IMAGE, SHELL_IMAGE, shellImage } from '../containers/images.ts'
import type { RunningEngine } from '../containers/place.ts'
import { startRegistry } from '../containers/registry.ts'
import { eventually } from './fleet.ts'

/** What an engine may take on a busy machine. */
export const ENGINE_WAIT_MS = 60_000

/** Checks a runtime in a place that is taken away afterwards. */
async function inPlace(
  place: () => Promise<RuntimePlace>,
  check: (runtime: PodRuntime, where: RuntimePlace) => Promise<void>,
): Promise<void> {
  const where = await place()
  try {
    await check(await where.open(), where)
  } finally {
    await where.dispose()
  }
}

/** Says a test of a runtime that has its place to itself. */
export type OwnTest = (
  name: string,
  check: (runtime: PodRuntime, where: RuntimePlace) => Promise<void>,
) => void

/**
 * How tests beside a suite are said: each in a place of its own.
 *
 * @param skip skips the test where there is no such engine.
 */
export function ownTests(
  place: () => Promise<RuntimePlace>,
  skip: (context: TestContext) => void,
  timeoutMs: number,
): OwnTest {
  return (name, check) => {
    test(name, { timeout: timeoutMs }, async (context) => {
      skip(context)
      await inPlace(place, check)
    })
  }
}

/** A pod of a place. */
export async function podIn(where: RuntimePlace, name: string): Promise<SandboxSpec> {
  const directory = await where.podDirectory()
  return { namespace: 'suite', name, uid: `uid-${name}`, hostname: name, directory }
}

/** The container of a pod, of the image that has a shell. */
export function containerIn(pod: SandboxSpec, over: Partial<ContainerSpec>): ContainerSpec {
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

/** A container as it is now. */
export async function statusOf(
  runtime: PodRuntime,
  id: string,
): Promise<ContainerStatus | undefined> {
  return (await runtime.list()).containers.find((each) => each.id === id)
}

/** Images come from a registry, with the login that it wants, and go again. */
export async function pullsAndForgets(
  { images }: PodRuntime,
  { folder }: RunningEngine,
): Promise<void> {
  if (images === undefined) throw new Error('it has no images')
  const registry = await startRegistry({ username: 'reader', password: 'secret' })
  try {
    const name = registry.publish('apps/shell', '1', shellImage('apps/shell:1', { User: 'app' }))
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
    const used = await images.inUse()
    expect(used).not.toContain(pulled.id)
    expect(used).toContain((await images.image(PAUSE_IMAGE))?.id)
    expect((await images.usage()).directory).toContain(folder)
    await images.removeImage(pulled.id)
    await images.removeImage(pulled.id)
    expect(await images.image(name)).toBeUndefined()
  } finally {
    await registry.close()
  }
}

/** What runs outlives its engine, which is found again with it. */
export async function outlivesItsEngine(
  runtime: PodRuntime,
  where: RuntimePlace,
  engine: RunningEngine,
): Promise<void> {
  const pod = await podIn(where, 'outlives')
  const sandbox = await runtime.runSandbox(pod)
  const script = 'while :; do echo beat; sleep 0.1; done'
  const spec = containerIn(pod, { command: ['sh', '-c', script] })
  const { id } = await runtime.startContainer(sandbox.id, spec)
  await engine.kill()
  await expect(runtime.list()).rejects.toMatchObject({ reason: 'Unavailable' })
  await engine.start()
  const look = (): Promise<ContainerStatus | undefined> =>
    statusOf(runtime, id).catch(() => undefined)
  expect(await eventually(look, ENGINE_WAIT_MS)).toMatchObject({ id, state: 'running' })
  const length = async (): Promise<number> => (await where.readLog(spec.logPath)).length
  const before = await length()
  await eventually(async () => (await length()) > before, ENGINE_WAIT_MS)
  const command = { command: ['echo', 'back'], timeoutMs: 60_000, outputBytesMax: 100 }
  expect((await runtime.run(id, command)).output).toBe('back\n')
  const hints: string[] = []
  runtime.watch(({ podUid }) => hints.push(podUid))
  await runtime.stopContainer(id, 0)
  await eventually(() => hints.includes(pod.uid), ENGINE_WAIT_MS)
  expect(await statusOf(runtime, id)).toMatchObject({ state: 'exited', exitCode: 137 })
}
