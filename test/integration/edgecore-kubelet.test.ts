import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import {
  CONTAINERD_REASON,
  type Containerd,
  hasContainerd,
  startContainerd,
} from '../containers/containerd.ts'
import { SHELL_IMAGE, shellImage } from '../containers/images.ts'
import { makeCgroups, testConfiguration } from '../kubelet/kubelet.ts'
import { findKubelet, KUBELET_HINT } from '../kubelet/kubelet-program.ts'
import {
  type MachineState,
  restoreMachine,
  stateOfMachine,
  unmountBelow,
} from '../kubelet/machine-state.ts'
import { newestKubectl } from '../support/kubectl.ts'
import { skipUnless } from '../support/skip.ts'
import { steadyPort } from '../support/steady-port.ts'
import { runCli, TestFleet, until } from './fleet-programs.ts'

const PODS = '/api/v1/namespaces/default/pods'
const WAIT_MS = 90_000
const TIMEOUT_MS = 300_000
/** Another test may have a kubelet first. */
const HOOK_MS = 600_000

let fleet: TestFleet
let containerd: Containerd | undefined
let machine: MachineState | undefined

beforeAll(async () => {
  fleet = await TestFleet.create()
  if (!hasContainerd() || (await findKubelet()) === undefined) return
  machine = await stateOfMachine()
  containerd = await startContainerd([shellImage()])
  await makeCgroups(containerd.cgroupRoot)
}, HOOK_MS)

afterAll(async () => {
  try {
    await unmountBelow(fleet.directory)
    await fleet.close()
  } finally {
    if (machine !== undefined) await restoreMachine(machine, fleet.directory)
    await containerd?.close()
  }
})

test('a kubelet that is not there is named', async () => {
  await fleet.startCloud()
  const token = ['--token', await fleet.token('lonely')]
  const missing = ['--runtime', 'kubelet', '--kubelet-path', '/nowhere/kubelet']
  const result = await runCli('edgecore', fleet.edgeArgs('lonely', [...token, ...missing]))
  expect(result.code).toBe(6)
  expect(result.stderr).toContain('KUBELET_UNUSABLE')
  expect(result.stderr).toContain('/nowhere/kubelet')
})

test('edgecore has a kubelet run the pods of the cloud, which outlive both', {
  timeout: TIMEOUT_MS,
  retry: 0,
}, async (context) => {
  skipUnless(context, hasContainerd(), 'containerd', CONTAINERD_REASON)
  const path = await findKubelet()
  skipUnless(context, path !== undefined, 'kubelet', KUBELET_HINT)
  if (path === undefined || containerd === undefined) return
  const own = join(fleet.directory, 'kubelet.yaml')
  await writeFile(own, stringify(testConfiguration(containerd)))
  const flags = [
    ...['--runtime', 'kubelet', '--kubelet-path', path, '--kubelet-config', own],
    ...['--kubelet-port', String(await steadyPort()), '--runtime-endpoint', containerd.socket],
  ]
  const token = ['--token', await fleet.token('edge-1')]
  const edge = await fleet.startEdge('edge-1', [...token, ...flags])
  const api = await fleet.api('cloud')
  await until('the node being ready at the cloud', () => isReady('edge-1'), WAIT_MS)
  await api.expect('POST', PODS, POD)
  const id = await until('the pod being ready at the cloud', readyId, WAIT_MS)
  const kubectl = await newestKubectl()
  if (kubectl !== undefined) {
    const args = ['--kubeconfig', fleet.kubeconfig('cloud'), 'logs', 'contained']
    const { stdout } = await promisify(execFile)(kubectl.path, args)
    expect(stdout).toBe('I am contained\n')
  }

  await edge.kill()
  const again = await fleet.startEdge('edge-1', flags)
  const isAlone = async (): Promise<boolean> =>
    (await kubeletsOf(fleet.data('edge-1'))).length === 1
  await until('one kubelet alone being left', isAlone, WAIT_MS)
  expect(await until('the pod being ready again', readyId, WAIT_MS)).toBe(id)

  await again.stop()
  expect(await kubeletsOf(fleet.data('edge-1'))).toEqual([])
  const left = await containerd.leftovers()
  expect(left.namespaces.length, 'pods that run on').toBe(1)
})

const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'contained', namespace: 'default' },
  spec: {
    nodeName: 'edge-1',
    terminationGracePeriodSeconds: 1,
    automountServiceAccountToken: false,
    containers: [
      {
        name: 'main',
        image: SHELL_IMAGE,
        imagePullPolicy: 'IfNotPresent',
        command: ['sh', '-c', 'echo "I am $(cat /etc/hostname)"; exec sleep 100000'],
      },
    ],
  },
}

interface Pod {
  readonly status?: {
    readonly containerStatuses?: readonly {
      readonly containerID?: string
      readonly ready?: boolean
      readonly restartCount?: number
    }[]
  }
}

/** The container of the pod once it is ready, where it was never started anew. */
async function readyId(): Promise<string | undefined> {
  const api = await fleet.api('cloud')
  const pod = (await api.expect('GET', `${PODS}/contained`)) as Pod
  const main = pod.status?.containerStatuses?.[0]
  return main?.ready === true && main.restartCount === 0 ? main.containerID : undefined
}

async function isReady(node: string): Promise<boolean> {
  const api = await fleet.api('cloud')
  const { status } = (await api.expect('GET', `/api/v1/nodes/${node}`)) as {
    readonly status?: { readonly conditions?: readonly { type: string; status: string }[] }
  }
  return (status?.conditions ?? []).some((each) => each.type === 'Ready' && each.status === 'True')
}

/** The processes that read the configuration of a data directory. */
async function kubeletsOf(data: string): Promise<readonly string[]> {
  const found: string[] = []
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (words.includes(`--config=${join(data, 'kubelet')}`)) found.push(pid)
  }
  return found
}
