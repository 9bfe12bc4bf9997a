import { randomBytes } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
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
import { kubectlFor } from '../support/api-server.ts'
import { newestKubectl } from '../support/kubectl.ts'
import { LiveCommand, onTerminal } from '../support/live-command.ts'
import { skipUnless } from '../support/skip.ts'
import { steadyPort } from '../support/steady-port.ts'
import { runCli, TestFleet, until } from './fleet-programs.ts'

const PODS = '/api/v1/namespaces/default/pods'
const WAIT_MS = 90_000
/** More than what a stream takes at once. */
const BIG_BYTES = 3 << 20
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
    for (const place of ['cloud', 'edge-1']) await reachInto(kubectl.path, place)
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

/** Everything that kubectl has that gets into a pod: at the cloud, and at the node. */
async function reachInto(path: string, place: string): Promise<void> {
  const folder = fleet.data(place)
  const kubeconfig = fleet.kubeconfig(place)
  const kubectl = kubectlFor({ folder, kubeconfig }, path)
  const fine = async (args: readonly string[], input?: string): Promise<string> => {
    const { code, stdout, stderr } = await kubectl(args, input === undefined ? {} : { input })
    expect(code, `${args.join(' ')} at ${place}: ${stdout} ${stderr}`).toBe(0)
    return stdout
  }
  expect(await fine(['logs', 'contained', '-c', 'main'])).toBe('I am contained\n')
  const exec = ['exec', 'contained', '-c', 'main']
  expect(await fine([...exec, '-i', '--', 'cat'], 'one\ntwo\n')).toBe('one\ntwo\n')
  const ended = await kubectl([...exec, '--', 'sh', '-c', 'echo out; echo err >&2; exit 7'])
  expect(ended).toMatchObject({ code: 7, stdout: 'out\n' })
  expect(ended.stderr).toContain('err\n')
  const missing = await kubectl([...exec, '--', '/no/such/command'])
  expect(missing.code).not.toBe(0)
  expect(missing.stderr).toContain('no such file or directory')

  const env = { KUBECONFIG: kubeconfig, HOME: folder }
  const onTty = onTerminal(`${path} exec -it contained -c main -- sh -c 'tty; exit 5'`, env)
  expect(await onTty.ended).toMatchObject({
    code: 5,
    text: expect.stringContaining('/dev/pts/') as string,
  })
  const attached = new LiveCommand(path, ['attach', '-i', 'contained', '-c', 'reader'], env)
  attached.type(`hello from ${place}\n`)
  await attached.says(new RegExp(`heard hello from ${place}`))
  attached.kill()

  const bytes = randomBytes(BIG_BYTES)
  await writeFile(join(folder, 'there'), bytes)
  await fine(['cp', '-c', 'main', join(folder, 'there'), 'contained:/tmp/page'])
  await fine(['cp', '-c', 'main', 'contained:/tmp/page', join(folder, 'back')])
  expect((await readFile(join(folder, 'back'))).equals(bytes), 'what was copied').toBe(true)
  const forward = new LiveCommand(path, ['port-forward', 'pod/contained', ':8080'], env)
  const [, port = ''] = /127\.0\.0\.1:(\d+) ->/.exec(await forward.says(/:8080|-> 8080/)) ?? []
  const page = await fetch(`http://127.0.0.1:${port}/page`)
  expect(Buffer.from(await page.arrayBuffer()).equals(bytes), 'what was fetched').toBe(true)
  forward.kill()
  await Promise.all([attached.ended, forward.ended])

  const used = async (): Promise<boolean> => {
    const { stdout } = await kubectl(['top', 'pod', 'contained', '--containers'])
    return /contained +main +\d+m +\d+Mi/.test(stdout) && /contained +reader +/.test(stdout)
  }
  await until(`what the pod uses being known at ${place}`, used, WAIT_MS)
}

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
        command: ['sh', '-c', 'echo "I am $(cat /etc/hostname)"; exec httpd -f -p 8080 -h /tmp'],
      },
      {
        name: 'reader',
        image: SHELL_IMAGE,
        imagePullPolicy: 'IfNotPresent',
        stdin: true,
        command: ['sh', '-c', 'while read -r line; do echo "heard $line"; done'],
      },
    ],
  },
}

interface Pod {
  readonly status?: {
    readonly containerStatuses?: readonly {
      readonly name?: string
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
  const main = pod.status?.containerStatuses?.find(({ name }) => name === 'main')
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
