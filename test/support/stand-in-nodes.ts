import type { JsonObject, KubeObject, ObjectStore } from 'tideway/adapters/kubernetes/objects'
import { mapAt, mapsAt, textAt } from '../../src/adapters/kubernetes/objects/read.ts'
import type { IdentityServer } from './identity-server.ts'

/** How often a node says that it is alive. */
const BEAT_MS = 5_000

/** Nodes that run nothing, but say of pods what a kubelet would. */
export interface StandInNodes {
  /** Says whether a node is ready. */
  setReady(node: string, status: 'True' | 'False'): Promise<void>
  /** Resolves when what it said has been heard. */
  close(): Promise<void>
}

/**
 * Registers nodes through the API and answers for their kubelets: each pod that is bound to one runs
 * and is ready at once, one that is not to be started again has succeeded, and one that is deleted
 * goes. All of it is written through the API, as a kubelet does.
 */
export async function startStandInNodes(
  server: IdentityServer,
  names: readonly string[],
  token: string,
): Promise<StandInNodes> {
  const { store } = server
  const write = (method: string, path: string, body: unknown, type?: string): Promise<unknown> =>
    server.call(method, path, { token, body, ...(type === undefined ? {} : { type }) })
  const patch = (path: string, body: unknown): Promise<unknown> =>
    write('PATCH', path, body, 'application/strategic-merge-patch+json')
  for (const name of names) {
    await write('POST', '/api/v1/nodes', {
      metadata: { name, labels: { 'kubernetes.io/hostname': name } },
    })
    await patch(`/api/v1/nodes/${name}/status`, { status: nodeStatus('True') })
  }
  const beats = (): Promise<unknown> => Promise.all(names.map((name) => beat(write, store, name)))
  await beats()
  const going = new Set<Promise<unknown>>()
  const start = (work: Promise<unknown>): void => {
    const done: Promise<unknown> = work
      .catch(() => undefined)
      .then(() => {
        going.delete(done)
      })
    going.add(done)
  }
  const timer = setInterval(() => start(beats()), BEAT_MS)
  const take = (pod: KubeObject): void => {
    const node = textAt(pod, 'spec', 'nodeName') ?? ''
    if (!names.includes(node)) return
    const path = `/api/v1/namespaces/${pod.metadata.namespace ?? ''}/pods/${pod.metadata.name}`
    if (pod.metadata.deletionTimestamp !== undefined)
      start(write('DELETE', path, { gracePeriodSeconds: 0 }))
    else if (textAt(pod, 'status', 'podIP') === undefined)
      start(patch(`${path}/status`, { status: podStatus(pod) }))
  }
  const cancel = store.watch('pods', {}, ({ type, object }) => {
    if (type !== 'DELETED') take(object)
  })
  return {
    setReady: async (node, status) => {
      await patch(`/api/v1/nodes/${node}/status`, { status: nodeStatus(status) })
    },
    close: async () => {
      cancel()
      clearInterval(timer)
      await Promise.all(going)
    },
  }
}

function nodeStatus(ready: 'True' | 'False'): JsonObject {
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  const well = { lastHeartbeatTime: time, lastTransitionTime: time }
  const room = { cpu: '4', memory: '8Gi', pods: '110' }
  return {
    capacity: room,
    allocatable: room,
    conditions: [
      { type: 'Ready', status: ready, reason: 'KubeletReady', ...well },
      { type: 'MemoryPressure', status: 'False', reason: 'KubeletHasSufficientMemory', ...well },
      { type: 'DiskPressure', status: 'False', reason: 'KubeletHasNoDiskPressure', ...well },
      { type: 'PIDPressure', status: 'False', reason: 'KubeletHasSufficientPID', ...well },
    ],
  }
}

let addresses = 0

function podStatus(pod: KubeObject): JsonObject {
  addresses += 1
  const podIP = `10.244.${addresses >> 8}.${addresses & 255}`
  const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z')
  const isDone = textAt(pod, 'spec', 'restartPolicy') === 'Never'
  const state = isDone
    ? { terminated: { exitCode: 0, reason: 'Completed', startedAt: time, finishedAt: time } }
    : { running: { startedAt: time } }
  const ready = isDone ? 'False' : 'True'
  return {
    phase: isDone ? 'Succeeded' : 'Running',
    podIP,
    podIPs: [{ ip: podIP }],
    startTime: time,
    conditions: [
      { type: 'Initialized', status: 'True', lastTransitionTime: time },
      { type: 'Ready', status: ready, lastTransitionTime: time },
      { type: 'ContainersReady', status: ready, lastTransitionTime: time },
    ],
    containerStatuses: mapsAt(pod, 'spec', 'containers').map(({ name, image }) => ({
      name,
      image,
      imageID: image,
      ready: !isDone,
      started: !isDone,
      restartCount: 0,
      state,
    })),
  } as JsonObject
}

async function beat(
  write: (method: string, path: string, body: unknown) => Promise<unknown>,
  store: ObjectStore,
  name: string,
): Promise<void> {
  const namespace = 'kube-node-lease'
  const all = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
  const known = store.get({ resource: 'leases.coordination.k8s.io', namespace, name })
  const spec = {
    holderIdentity: name,
    leaseDurationSeconds: 40,
    renewTime: `${new Date().toISOString().slice(0, -1)}000Z`,
  }
  const metadata = { name, namespace }
  if (known === undefined) await write('POST', all, { metadata, spec })
  else
    await write('PUT', `${all}/${name}`, {
      ...known,
      spec: { ...mapAt(known, 'spec'), ...spec },
    })
}
