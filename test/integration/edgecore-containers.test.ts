import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  CONTAINERD_REASON,
  type Containerd,
  hasContainerd,
  startContainerd,
} from '../containers/containerd.ts'
import { SHELL_IMAGE, shellImage } from '../containers/images.ts'
import { newestKubectl } from '../support/kubectl.ts'
import { skipUnless } from '../support/skip.ts'
import { runCli, TestFleet, until } from './fleet-programs.ts'

/** The part of a pod that is looked at. */
interface Pod {
  readonly status?: {
    readonly phase?: string
    readonly podIP?: string
    readonly containerStatuses?: readonly {
      readonly containerID?: string
      readonly ready?: boolean
      readonly restartCount?: number
    }[]
  }
}

const PODS = '/api/v1/namespaces/default/pods'
const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'contained', namespace: 'default' },
  spec: {
    nodeName: 'edge-1',
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: SHELL_IMAGE,
        imagePullPolicy: 'IfNotPresent',
        command: ['sh', '-c', 'echo "I am $(cat /etc/hostname)"; exec sleep 100000'],
        resources: { limits: { memory: '64Mi', cpu: '500m' } },
      },
    ],
  },
}

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

async function podAt(name: string): Promise<Pod> {
  const api = await fleet.api(name)
  return (await api.expect('GET', `${PODS}/contained`)) as Pod
}

test('an engine that is not there is named', async () => {
  const missing = ['--runtime', 'cri', '--runtime-endpoint', '/nowhere/containerd.sock']
  const token = ['--token', await fleet.token('lonely')]
  const result = await runCli('edgecore', fleet.edgeArgs('lonely', [...token, ...missing]))
  expect(result.code).toBe(6)
  expect(result.stderr).toContain('RUNTIME_UNREACHABLE')
  expect(result.stderr).toContain('/nowhere/containerd.sock')
})

test('a pod of the cloud is a container, outlives edgecore and goes when it is deleted', async (context) => {
  skipUnless(context, containerd !== undefined, 'containerd', CONTAINERD_REASON)
  const token = ['--token', await fleet.token('edge-1')]
  const edge = await fleet.startEdge('edge-1', [...token, ...engine()])
  await edge.line('connected to the cloud')
  const api = await fleet.api('cloud')
  await api.expect('POST', PODS, POD)
  const ready = async (): Promise<Pod | undefined> => {
    const pod = await podAt('cloud')
    return pod.status?.containerStatuses?.[0]?.ready === true ? pod : undefined
  }
  const before = await until('the pod being ready at the cloud', ready)
  expect(before.status?.podIP).toMatch(
    new RegExp(`^${containerd?.network.replaceAll('.', '\\.')}\\.`),
  )
  const id = before.status?.containerStatuses?.[0]?.containerID ?? ''
  expect(id).toMatch(/^containerd:\/\/[0-9a-f]{64}$/)
  const kubectl = await newestKubectl()
  if (kubectl !== undefined) {
    const run = async (...args: readonly string[]): Promise<string> => {
      const flags = ['--kubeconfig', fleet.kubeconfig('cloud'), ...args]
      return (await promisify(execFile)(kubectl.path, flags)).stdout
    }
    expect(await run('logs', 'contained')).toBe('I am contained\n')
    expect(await run('exec', 'contained', '--', 'hostname')).toBe('contained\n')
  }

  await edge.kill()
  const again = await fleet.startEdge('edge-1', engine())
  await again.line('connected to the cloud')
  const after = await until('the pod being ready again', ready)
  expect(after.status?.containerStatuses?.[0]).toMatchObject({ containerID: id, restartCount: 0 })

  await api.expect('DELETE', `${PODS}/contained`)
  await until('nothing being left of it', async () => {
    const left = await containerd?.leftovers()
    const shims = left?.processes.filter((line) => line.includes('containerd-shim')) ?? []
    return [...shims, ...(left?.namespaces ?? []), ...(left?.chains ?? [])].length === 0
  })

  await api.expect('POST', PODS, { ...POD, metadata: { ...POD.metadata, name: 'stopped' } })
  await until('another pod running', async () => {
    const left = await containerd?.leftovers()
    return (left?.namespaces.length ?? 0) > 0
  })
  await again.stop()
  const stop = ['stop-pods', '--data', fleet.data('edge-1'), ...engine()]
  expect(await runCli('edgecore', stop)).toMatchObject({ code: 0, stdout: 'stopped 1 pods\n' })
})
