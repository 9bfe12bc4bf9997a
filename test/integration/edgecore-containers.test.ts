import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  CONTAINERD_REASON,
  type Containerd,
  hasContainerd,
  startContainerd,
} from '../containers/containerd.ts'
import { SHELL_IMAGE, shellImage } from '../containers/images.ts'
import { skipUnless } from '../support/skip.ts'
import { checkContainedPod } from './contained-pod.ts'
import { runCli, TestFleet, until } from './fleet-programs.ts'
import { checkStaticPods } from './static-pods-check.ts'

const WAIT_MS = 120_000
const MISSING = ['--runtime', 'cri', '--runtime-endpoint', '/nowhere/containerd.sock']

let containerd: Containerd | undefined
let fleet: TestFleet

beforeAll(async () => {
  fleet = await TestFleet.create()
  await fleet.startCloud()
  if (hasContainerd()) containerd = await startContainerd([shellImage()])
})

afterAll(async () => {
  await fleet.close()
  await containerd?.close()
})

function engine(): readonly string[] {
  return ['--runtime', 'cri', '--runtime-endpoint', containerd?.socket ?? '']
}

/** How much of pods is on the machine. */
async function held(): Promise<number> {
  const left = await containerd?.leftovers()
  const shims = left?.processes.filter((line) => line.includes('containerd-shim')) ?? []
  return [...shims, ...(left?.namespaces ?? []), ...(left?.chains ?? [])].length
}

async function pidIn(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8')
  return text === '' ? undefined : Number(text)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('an engine that is not there is named', async () => {
  const token = ['--token', await fleet.token('lonely')]
  const result = await runCli('edgecore', fleet.edgeArgs('lonely', [...token, ...MISSING]))
  expect(result.code).toBe(6)
  expect(result.stderr).toContain('RUNTIME_UNREACHABLE')
  expect(result.stderr).toContain('/nowhere/containerd.sock: there is no such socket (ENOENT)')
})

test('a pod of the cloud is a container, outlives edgecore and goes when it is deleted', async (context) => {
  skipUnless(context, containerd !== undefined, 'containerd', CONTAINERD_REASON)
  await checkContainedPod({
    fleet,
    node: 'edge-1',
    engine: engine(),
    runtimeName: 'containerd',
    network: containerd?.network ?? '',
    held,
  })
})

test('a pod of plain processes becomes a container when the node is run with an engine', async (context) => {
  skipUnless(context, containerd !== undefined, 'containerd', CONTAINERD_REASON)
  const pidFile = join(fleet.directory, 'pid')
  // `$$` is how a command says `$`.
  const script = `echo $$$$ > ${pidFile}; exec sleep 100000`
  const main = { name: 'main', image: SHELL_IMAGE, command: ['sh', '-c', script] }
  const volumes = [{ name: 'place', hostPath: { path: fleet.directory } }]
  const mounts = [{ name: 'place', mountPath: fleet.directory }]
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'moves', namespace: 'default' },
    spec: {
      nodeName: 'moving',
      terminationGracePeriodSeconds: 1,
      containers: [{ ...main, volumeMounts: mounts }],
      volumes,
    },
  }
  const edge = await fleet.joinEdge('moving')
  const api = await fleet.api('cloud')
  const path = '/api/v1/namespaces/default/pods'
  await api.expect('POST', path, pod)
  const runsAs = async (prefix: string): Promise<boolean> => {
    const text = JSON.stringify(await api.expect('GET', `${path}/moves`))
    return text.includes(`"containerID":"${prefix}://`) && text.includes('"ready":true')
  }
  await until('the pod being a process', () => runsAs('process'), WAIT_MS)
  const pid = await until('the process being known', () => pidIn(pidFile), WAIT_MS)
  await edge.stop()
  expect(await runCli('edgecore', fleet.edgeArgs('moving', MISSING))).toMatchObject({ code: 6 })
  expect(isAlive(pid)).toBe(true)
  const again = await fleet.startEdge('moving', engine())
  await again.line('pods of the runtime of before are stopped')
  expect(isAlive(pid)).toBe(false)
  await until('the pod being a container', () => runsAs('containerd'), WAIT_MS)
  await api.expect('DELETE', `${path}/moves`)
  await until('nothing being left of it', async () => (await held()) === 0, WAIT_MS)
})

test('pods of a folder are containers with mirrors here and at the cloud, and outlive edgecore', async (context) => {
  skipUnless(context, containerd !== undefined, 'containerd', CONTAINERD_REASON)
  await checkStaticPods({ fleet, node: 'static-1', engine: engine(), held })
})
