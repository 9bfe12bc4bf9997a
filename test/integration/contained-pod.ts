import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { SHELL_IMAGE } from '../containers/images.ts'
import { newestKubectl } from '../support/kubectl.ts'
import { runCli, type TestFleet, until } from './fleet-programs.ts'

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

/** A node whose pods are containers. */
export interface ContainedNode {
  readonly fleet: TestFleet
  readonly node: string
  /** What tells edgecore of its engine. */
  readonly engine: readonly string[]
  /** What ids of its containers begin with, without `://`. */
  readonly runtimeName: string
  /** Such as `10.91.7`: its pods are in this network of 254 addresses. */
  readonly network: string
  /** How much of pods is on the machine: processes that keep them, networks, rules. */
  readonly held: () => Promise<number>
}

const PODS = '/api/v1/namespaces/default/pods'
/** Engines take seconds for what containerd does in a tenth of one, on a machine that is busy. */
const WAIT_MS = 120_000

function podOn(nodeName: string, name: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName,
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
}

/**
 * A pod of the cloud is a container: it outlives edgecore, is gone when it is deleted, and is stopped
 * with the rest when that is asked for.
 */
export async function checkContainedPod(place: ContainedNode): Promise<void> {
  const { fleet, node, engine, runtimeName, network, held } = place
  const name = `contained-${node}`
  const token = ['--token', await fleet.token(node)]
  // The address of the machine in the network of its pods: they are sent there.
  const places = ['--api-address', '0.0.0.0:0', '--address', `${network}.1`]
  const edge = await fleet.startEdge(node, [...token, ...places, ...engine])
  await edge.line('connected to the cloud')
  const api = await fleet.api('cloud')
  await api.expect('POST', PODS, podOn(node, name))
  const ready = async (): Promise<Pod | undefined> => {
    const pod = (await (await fleet.api('cloud')).expect('GET', `${PODS}/${name}`)) as Pod
    return pod.status?.containerStatuses?.[0]?.ready === true ? pod : undefined
  }
  const before = await until('the pod being ready at the cloud', ready, WAIT_MS)
  expect(before.status?.podIP).toMatch(new RegExp(`^${network.replaceAll('.', '\\.')}\\.`))
  const id = before.status?.containerStatuses?.[0]?.containerID ?? ''
  expect(id).toMatch(new RegExp(`^${runtimeName}://[0-9a-f]{64}$`))
  const kubectl = await newestKubectl()
  if (kubectl !== undefined) {
    const run = async (...args: readonly string[]): Promise<string> => {
      const flags = ['--kubeconfig', fleet.kubeconfig('cloud'), ...args]
      return (await promisify(execFile)(kubectl.path, flags)).stdout
    }
    expect(await run('logs', name)).toBe(`I am ${name}\n`)
    expect(await run('exec', name, '--', 'hostname')).toBe(`${name}\n`)
    const reach = 'nc -w 30 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT < /dev/null'
    expect(await run('exec', name, '--', 'sh', '-c', `${reach} && echo reached`)).toBe('reached\n')
  }

  await edge.kill()
  const again = await fleet.startEdge(node, engine)
  await again.line('connected to the cloud')
  const after = await until('the pod being ready again', ready, WAIT_MS)
  expect(after.status?.containerStatuses?.[0]).toMatchObject({ containerID: id, restartCount: 0 })

  await api.expect('DELETE', `${PODS}/${name}`)
  await until('nothing being left of it', async () => (await held()) === 0, WAIT_MS)

  await api.expect('POST', PODS, podOn(node, `${name}-stopped`))
  await until('another pod running', async () => (await held()) > 0, WAIT_MS)
  await again.stop()
  // It remembers which engine has them.
  const stop = ['stop-pods', '--data', fleet.data(node)]
  expect(await runCli('edgecore', stop)).toMatchObject({ code: 0, stdout: 'stopped 1 pods\n' })
}
