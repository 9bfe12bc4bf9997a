import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONTAINERD_REASON, hasContainerd } from '../containers/containerd.ts'
import { SHELL_IMAGE } from '../containers/images.ts'
import { KUBECTL_HINT, newestKubectl } from '../support/kubectl.ts'
import { LiveCommand } from '../support/live-command.ts'
import { skipUnless } from '../support/skip.ts'
import { FaultPlace, isReady, livingPod, type SeenPod } from './fault-place.ts'
import { until } from './fleet-programs.ts'

const WAIT_MS = 90_000

let place: FaultPlace | undefined

beforeAll(async () => {
  if (hasContainerd()) place = await FaultPlace.open({ runtime: 'cri' })
})

afterAll(async () => {
  await place?.close()
})

function given(context: Parameters<typeof skipUnless>[0]): FaultPlace {
  skipUnless(context, place !== undefined, 'containerd', CONTAINERD_REASON)
  return place as FaultPlace
}

/** The processes whose words fit, by pid. */
async function processes(fits: (words: string) => boolean): Promise<readonly number[]> {
  const found: number[] = []
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (fits(words.replaceAll('\0', ' '))) found.push(Number(pid))
  }
  return found
}

const restarts = (pod: SeenPod): number => pod.status?.containerStatuses?.[0]?.restartCount ?? 0

test('the end of a sandbox restarts everything in it, in another one', async (context) => {
  const here = given(context)
  const init = {
    name: 'init',
    image: 'localhost/shell:1',
    command: ['sh', '-c', 'echo begin >>/lives/paused-init'],
    volumeMounts: [{ name: 'lives', mountPath: '/lives' }],
  }
  await here.create(livingPod(here, 'paused', { spec: { initContainers: [init] } }))
  const before = await here.podWhere('paused', isReady)
  process.kill(await here.sandboxPid(before), 'SIGKILL')
  const after = await here.podWhere('paused', (pod) => isReady(pod) && restarts(pod) === 1)
  expect(await here.lives('paused')).toEqual({ begun: 2, overlaps: 0 })
  expect(await here.lives('paused', 'init')).toEqual({ begun: 2, overlaps: 0 })
  expect(after.status?.podIP).toBeDefined()
  const told = await until('the event', async () =>
    (await here.events('paused')).find(({ reason }) => reason === 'SandboxChanged'),
  )
  expect(told.message).toBe('Pod sandbox changed, it will be killed and re-created.')
  expect(told.count ?? 1).toBe(1)
  const { namespaces, addresses } = await here.traces()
  expect({ namespaces: namespaces.length, addresses: addresses.length }).toEqual({
    namespaces: 1,
    addresses: 1,
  })
  await here.gone('paused')
})

const POLICIES = [
  { policy: 'Always', count: 1, phase: 'Running' },
  { policy: 'Never', count: 0, phase: 'Failed' },
]

test.for(POLICIES)(
  'a shim that is killed takes its pod with it, policy $policy',
  async (way, context) => {
    const { policy, count, phase } = way
    const here = given(context)
    const name = `shim-${policy.toLowerCase()}`
    await here.create(livingPod(here, name, { spec: { restartPolicy: policy } }))
    const before = await here.podWhere(name, isReady)
    const sandbox = await here.sandboxPid(before)
    const status = await readFile(`/proc/${sandbox}/status`, 'utf8')
    process.kill(Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]), 'SIGKILL')
    await here.podWhere(
      name,
      (pod) =>
        pod.status?.phase === phase &&
        restarts(pod) === count &&
        (phase !== 'Running' || isReady(pod)),
    )
    expect(await here.lives(name)).toEqual({ begun: count + 1, overlaps: 0 })
    await here.gone(name)
  },
)

/** Kills the shim of a pod, and with it everything that it keeps. */
async function killShim(here: FaultPlace, name: string): Promise<void> {
  const inside = await here.sandboxPid(await here.podWhere(name, () => true))
  const status = await readFile(`/proc/${inside}/status`, 'utf8')
  process.kill(Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]), 'SIGKILL')
}

const LIVES = { name: 'lives', mountPath: '/lives' }

test('a shim that is killed while an init container runs: it runs once more', async (context) => {
  const here = given(context)
  const wait = 'until [ -e /lives/early-go ]; do sleep 0.2; done'
  const command = ['sh', '-c', `echo begin >>/lives/early-init; ${wait}`]
  const init = { name: 'init', image: SHELL_IMAGE, command, volumeMounts: [LIVES] }
  await here.create(livingPod(here, 'early', { spec: { initContainers: [init] } }))
  const begun = async (): Promise<number> => (await here.lives('early', 'init')).begun
  await until('the init container', async () => (await begun()) === 1, WAIT_MS)
  await killShim(here, 'early')
  await until('the init container again', async () => (await begun()) === 2, WAIT_MS)
  expect((await here.lives('early')).begun).toBe(0)
  await writeFile(join(here.livesFolder, 'early-go'), '')
  await here.podWhere('early', isReady)
  expect([await begun(), await here.lives('early')]).toEqual([2, { begun: 1, overlaps: 0 }])
  await here.gone('early')
})

test('a shim that is killed with a sidecar: both run once more', async (context) => {
  const here = given(context)
  const command = ['sh', '-c', 'echo begin >>/lives/served-side; exec sleep 100000']
  const own = { name: 'side', image: SHELL_IMAGE, command, volumeMounts: [LIVES] }
  const initContainers = [{ ...own, restartPolicy: 'Always' }]
  await here.create(livingPod(here, 'served', { spec: { initContainers } }))
  await here.podWhere('served', isReady)
  await killShim(here, 'served')
  await here.podWhere('served', (pod) => isReady(pod) && restarts(pod) === 1)
  expect(await here.lives('served')).toEqual({ begun: 2, overlaps: 0 })
  expect((await here.lives('served', 'side')).begun).toBe(2)
  await here.gone('served')
})

test('a shim that is killed during a preStop hook: the pod goes', async (context) => {
  const here = given(context)
  const hook = ['sh', '-c', 'echo begin >>/lives/leaving-hook; sleep 100000']
  const lifecycle = { preStop: { exec: { command: hook } } }
  const spec = { terminationGracePeriodSeconds: 600 }
  await here.create(livingPod(here, 'leaving', { spec, main: { lifecycle } }))
  await here.podWhere('leaving', isReady)
  await here.delete('leaving')
  const isHooked = async (): Promise<boolean> => (await here.lives('leaving', 'hook')).begun === 1
  await until('the hook', isHooked, WAIT_MS)
  await killShim(here, 'leaving')
  const isGone = async (): Promise<boolean> => (await here.pod('leaving')) === undefined
  await until('the pod being gone', isGone, WAIT_MS)
  expect(await here.lives('leaving')).toEqual({ begun: 1, overlaps: 0 })
  await here.noTraces()
})

test('containerd that has lost how a container is: it is killed and runs once more', async (context) => {
  const here = given(context)
  await here.create(livingPod(here, 'forgotten'))
  const before = await here.podWhere('forgotten', isReady)
  const id = before.status?.containerStatuses?.[0]?.containerID?.replace('containerd://', '') ?? ''
  await here.containerd?.kill()
  const state = join(here.containerd?.folder ?? '', 'root', 'io.containerd.grpc.v1.cri')
  // As a power cut leaves what was being written.
  await writeFile(join(state, 'containers', id, 'status'), '')
  await here.containerd?.start()
  const after = await here.podWhere('forgotten', (pod) => isReady(pod) && restarts(pod) === 1)
  expect(after.status?.containerStatuses?.[0]?.lastState.terminated?.reason).toBe(
    'ContainerStatusUnknown',
  )
  expect(await here.lives('forgotten')).toEqual({ begun: 2, overlaps: 0 })
  const told = await until('the event', async () =>
    (await here.events('forgotten')).find(({ reason }) => reason === 'Killing'),
  )
  expect(told.message).toBe('Container is in "unknown" state, try killing it before restart')
  await here.gone('forgotten')
})

test('memory runs short in a container while containerd is away: that is told', async (context) => {
  const here = given(context)
  const eat = join(here.livesFolder, 'eat')
  const script = `until [ -e /lives/eat ]; do sleep 0.1; done; exec tail /dev/zero`
  const resources = { limits: { memory: '16Mi' } }
  const over = { main: { resources }, spec: { restartPolicy: 'Never' }, script }
  await here.create(livingPod(here, 'hungry', over))
  const before = await here.podWhere('hungry', isReady)
  const isIts = (words: string): boolean => /lives\/eat|^tail \/dev\/zero/.test(words)
  expect(await processes(isIts)).not.toEqual([])
  await here.containerd?.kill()
  await writeFile(eat, '')
  await until('its end', async () => (await processes(isIts)).length === 0, WAIT_MS)
  await here.containerd?.start()
  const after = await here.podWhere('hungry', ({ status }) => status?.phase === 'Failed')
  expect(after.metadata.uid).toBe(before.metadata.uid)
  expect(after.status?.containerStatuses?.[0]?.state.terminated).toMatchObject({
    exitCode: 137,
    reason: 'OOMKilled',
  })
  await here.gone('hungry')
})

test('the power is cut: all pods come back once, from what the node knows', async (context) => {
  const here = given(context)
  const command = ['sh', '-c', 'echo begin >>/lives/always-init']
  const init = { name: 'init', image: SHELL_IMAGE, command, volumeMounts: [LIVES] }
  await here.create(livingPod(here, 'always', { spec: { initContainers: [init] } }))
  await here.create(livingPod(here, 'never', { spec: { restartPolicy: 'Never' } }))
  await here.create(livingPod(here, 'unwanted'))
  const over = { spec: { restartPolicy: 'OnFailure' }, script: 'exit 0' }
  await here.create(livingPod(here, 'over', over))
  for (const name of ['always', 'never', 'unwanted']) await here.podWhere(name, isReady)
  await here.podWhere('over', ({ status }) => status?.phase === 'Succeeded')
  await here.cutPower()
  here.link.cut()
  await here.containerd?.start()
  const edge = here.restart()
  await edge.line('ready')
  const again = async (): Promise<boolean> => (await here.lives('always')).begun === 2
  await until('the pod, without a cloud', again, WAIT_MS)
  await here.delete('unwanted')
  here.link.restore()
  await here.podWhere('always', (pod) => isReady(pod) && restarts(pod) === 1)
  const failed = await here.podWhere('never', ({ status }) => status?.phase === 'Failed')
  expect(failed.status?.containerStatuses?.[0]).toMatchObject({
    restartCount: 0,
    state: { terminated: { reason: 'ContainerStatusUnknown' } },
  })
  const isGone = async (): Promise<boolean> => (await here.pod('unwanted')) === undefined
  await until('the pod that was deleted meanwhile being gone', isGone, WAIT_MS)
  expect(await here.lives('always', 'init')).toEqual({ begun: 2, overlaps: 0 })
  for (const name of ['never', 'over'])
    expect(await here.lives(name)).toEqual({ begun: 1, overlaps: 0 })
  for (const name of ['always', 'unwanted'])
    expect(await here.lives(name)).toEqual({ begun: 2, overlaps: 0 })
  // What networks were of those that ended is given back, and nothing is there twice.
  await until('one network', async () => {
    const { namespaces, addresses, shims } = await here.traces()
    return [namespaces, addresses, shims].every((each) => each.length === 1)
  })
  for (const name of ['always', 'never']) await here.delete(name)
  await here.gone('over')
})

test('a container that ignores SIGTERM is killed once its grace is over', async (context) => {
  const here = given(context)
  const deaf = { script: "trap '' TERM; while :; do sleep 1000 & wait $!; done" }
  await here.create(
    livingPod(here, 'deaf', {
      ...deaf,
      spec: { terminationGracePeriodSeconds: 3 },
      main: { name: 'main' },
    }),
  )
  await here.podWhere('deaf', isReady)
  const ends: (number | undefined)[] = []
  const startMs = performance.now()
  await here.delete('deaf')
  await until('the pod being gone', async () => {
    const pod = await here.pod('deaf')
    const ended = pod?.status?.containerStatuses?.[0]?.state.terminated
    if (ended !== undefined && ends.length === 0) ends.push(ended.exitCode)
    return pod === undefined
  })
  expect(performance.now() - startMs).toBeGreaterThan(2_900)
  for (const code of ends) expect(code).toBe(137)
  const killing = (await here.events('deaf')).filter(({ reason }) => reason === 'Killing')
  expect(killing.map(({ count = 1 }) => count)).toEqual([1])
  expect(await here.lives('deaf')).toEqual({ begun: 1, overlaps: 0 })
  await here.noTraces()
})

test('a probe that hangs counts as failed each time, and its processes do not pile up', async (context) => {
  const here = given(context)
  const marker = `77${process.pid}`
  const probe = {
    exec: { command: ['sh', '-c', `trap '' TERM; sleep ${marker}`] },
    periodSeconds: 1,
    timeoutSeconds: 1,
  }
  await here.create(livingPod(here, 'stuck', { main: { readinessProbe: probe } }))
  const told = await until(
    'three looks that took too long',
    async () => {
      const events = await here.events('stuck')
      return events.find(({ reason, count = 1 }) => reason === 'Unhealthy' && count >= 3)
    },
    90_000,
  )
  expect(told.message).toMatch(/^Readiness probe failed: command .* timed out after 1s$/)
  const hanging = await processes((words) => words === `sleep ${marker} `)
  expect(hanging.length).toBeLessThanOrEqual(2)
  expect(await here.lives('stuck')).toEqual({ begun: 1, overlaps: 0 })
  await here.gone('stuck')
  expect(await processes((words) => words.includes(`sleep ${marker}`))).toEqual([])
})

test('a pod is deleted while its postStart hook hangs', async (context) => {
  const here = given(context)
  const lifecycle = { postStart: { exec: { command: ['sleep', '100000'] } } }
  await here.create(livingPod(here, 'hooked', { main: { lifecycle } }))
  await until('the hook running', async () => (await here.lives('hooked')).begun === 1)
  await here.gone('hooked')
})

test('edgecore stops at once although an exec never ends, and the pod lives on', async (context) => {
  const here = given(context)
  skipUnless(context, (await newestKubectl()) !== undefined, 'kubectl', KUBECTL_HINT)
  await here.create(livingPod(here, 'entered'))
  await here.podWhere('entered', isReady)
  const flags = ['--kubeconfig', here.fleet.kubeconfig('cloud'), 'exec', 'entered', '--']
  const kubectl = (await newestKubectl()) ?? { path: '' }
  const session = new LiveCommand(kubectl.path, [...flags, 'sh', '-c', 'echo in; sleep 1e5'], {
    HOME: here.fleet.directory,
  })
  await session.says(/in/)
  const startMs = performance.now()
  await here.stop()
  expect(performance.now() - startMs).toBeLessThan(20_000)
  await session.ended
  await here.restart().line('connected to the cloud')
  const pod = await here.podWhere('entered', isReady)
  expect(restarts(pod)).toBe(0)
  expect(await here.lives('entered')).toEqual({ begun: 1, overlaps: 0 })
  await here.gone('entered')
})
