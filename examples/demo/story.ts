import { join } from 'node:path'
import { configAt, isNodeReady, isRunning, pidsIn, podsAt, readyCount } from './cluster-view.ts'
import { type Fleet, NODES } from './fleet.ts'
import type { KubeCommands } from './kube-commands.ts'
import type { Narrator } from './narrator.ts'

/** What the story is told with. */
export interface Stage {
  readonly fleet: Fleet
  readonly kube: KubeCommands
  readonly narrator: Narrator
  readonly manifests: string
}

const PODS = 7
const PODS_AT_EDGE_1 = ['sensor', 'recorder']
const LOG_LINES = 200

/** Manifests are applied at the cloud; their pods run at the edges. */
export async function applyManifests({ fleet, kube, narrator, manifests }: Stage): Promise<void> {
  const { cloud } = fleet
  narrator.step('Apply manifests at the cloud, see pods run at the edges')
  for (const node of NODES)
    await narrator.check(`${node} is ready at the cloud`, () => isNodeReady(cloud, node))
  narrator.command(`kubectl --kubeconfig ${cloud.kubeconfig} apply -f examples/demo/manifests`)
  narrator.say(await kube.apply(cloud.kubeconfig, manifests))
  await narrator.check(
    `all ${PODS} pods run and are ready at the cloud`,
    async () => (await readyCount(cloud)) === PODS,
  )
  narrator.say(await kube.getPods(cloud.kubeconfig))
  await narrator.check(
    'the config map and the secret arrived as variables, and the log comes through the cloud',
    async () =>
      firstLine(
        await kube.logs(cloud.kubeconfig, 'sensor', LOG_LINES),
        'unit=celsius password=correct-horse',
      ),
  )
  await narrator.check('the config map arrived as a file', async () =>
    (await kube.logs(cloud.kubeconfig, 'sensor', 2)).includes('greeting=hello'),
  )
  await narrator.check('edge-2 knows nothing of the pods of edge-1', async () => {
    const pods = await podsAt(fleet.edge('edge-2'))
    return pods.size > 0 && PODS_AT_EDGE_1.every((name) => !pods.has(name))
  })
}

/** The link of edge-1 is cut, and both sides go on. */
export async function workApart({ fleet, kube, narrator }: Stage): Promise<void> {
  const { cloud } = fleet
  const edge = fleet.edge('edge-1')
  narrator.step('Cut the link of edge-1 and go on working on both sides')
  fleet.relay.cut()
  await narrator.check('edge-1 notices', () =>
    fleet
      .program('edge-1')
      .lines()
      .some((line) => line.msg === 'the peer is not connected'),
  )
  await narrator.check('the cloud says why it cannot show logs of edge-1', async () => {
    const { status, body } = await cloud.api.send(
      'GET',
      '/api/v1/namespaces/default/pods/sensor/log',
    )
    return status === 503 && String(body['message'])
  })
  narrator.command('kubectl (cloud) patch configmap station: greeting')
  narrator.say(
    await kube.patchConfigMap(cloud.kubeconfig, 'station', { greeting: 'written at the cloud' }),
  )
  narrator.command('kubectl (edge-1) patch configmap station: unit')
  narrator.say(
    await kube.patchConfigMap(edge.kubeconfig, 'station', { unit: 'kelvin, written at the edge' }),
  )
  narrator.command('kubectl (cloud) scale replicaset cloud-workers --replicas=3')
  narrator.say(await kube.scale(cloud.kubeconfig, 'cloud-workers', 3))
  narrator.command('kubectl (edge-1) scale replicaset edge-workers --replicas=3')
  narrator.say(await kube.scale(edge.kubeconfig, 'edge-workers', 3))
  await narrator.check(
    'the third cloud-worker runs',
    async () => (await readyCount(cloud, 'cloud-workers')) === 3,
  )
  await narrator.check(
    'the third edge-worker runs at the edge, without the cloud',
    async () => (await readyCount(edge, 'edge-workers')) === 3,
  )
  await narrator.check(
    'the cloud does not know of it yet',
    async () => (await readyCount(cloud, 'edge-workers')) === 2,
  )
}

/** A container is killed, and then edgecore itself. */
export async function crashEdge({ fleet, kube, narrator }: Stage): Promise<void> {
  narrator.step('Kill a container, then edgecore itself, while the link is cut')
  const edge = fleet.edge('edge-1')
  const [pid = 0] = pidsIn(await kube.logs(edge.kubeconfig, 'recorder', LOG_LINES))
  narrator.command(`kill -9 ${pid}`)
  process.kill(pid, 'SIGKILL')
  await narrator.check('the container of recorder was started again', async () => {
    const recorder = (await podsAt(edge)).get('recorder')
    return recorder?.ready === true && recorder.restarts === 1 && 'restarts 1'
  })
  const before = await pidsOfEdge(kube, fleet)
  narrator.command(`kill -9 ${fleet.program('edge-1').pid}   (edgecore)`)
  await fleet.crash('edge-1')
  await narrator.check(`its ${before.size} pods go on running without it`, () =>
    [...before.values()].every(isRunning),
  )
  narrator.command('edgecore --data edge-1   (the cloud still cannot be reached)')
  await fleet.restart('edge-1')
  await narrator.check(
    'the pods were taken over: the same processes, none started twice',
    async () => {
      const after = await pidsOfEdge(kube, fleet)
      const isSame = [...before].every(([pod, was]) => after.get(pod) === was && isRunning(was))
      return isSame && after.size === before.size && [...after.values()].join(' ')
    },
  )
}

/** The link is back, and both sides have everything. */
export async function comeTogether({ fleet, kube, narrator }: Stage): Promise<void> {
  narrator.step('Restore the link: both sides merge')
  const { cloud, relay } = fleet
  const edge = fleet.edge('edge-1')
  const merged = { greeting: 'written at the cloud', unit: 'kelvin, written at the edge' }
  relay.reset()
  relay.restore()
  const { pid } = fleet.program('edge-1')
  narrator.command(`kill -USR2 ${pid}   (edgecore: dial now, not in some seconds)`)
  process.kill(pid, 'SIGUSR2')
  await fleet.program('edge-1').line('connected to the cloud')
  await narrator.check('the cloud has both edits of the config map', async () =>
    isMerged(await configAt(cloud, 'station'), merged),
  )
  await narrator.check('edge-1 has both edits of the config map', async () =>
    isMerged(await configAt(edge, 'station'), merged),
  )
  await narrator.check(
    'the cloud sees the edge-worker that was made while the link was cut',
    async () => (await readyCount(cloud, 'edge-workers')) === 3,
  )
  await narrator.check('the cloud sees what happened to recorder meanwhile', async () => {
    const recorder = (await podsAt(cloud)).get('recorder')
    return recorder?.restarts === 1 && `1 restart, after it ended: ${recorder.lastEnd}`
  })
  const { bytesUp, bytesDown, roundTrips } = relay.traffic
  narrator.say(`the catch-up took ${bytesUp} bytes up and ${bytesDown} bytes down in ${roundTrips} round trips, counted at the
relay from the first byte of TCP on; two of them are the TLS handshake and the WebSocket upgrade`)
  await narrator.check('the file in the running sensor follows the merged config map', async () =>
    (await kube.logs(cloud.kubeconfig, 'sensor', 2)).includes(`greeting=${merged.greeting}`),
  )
  for (const [name, site] of [
    ['cloud', cloud],
    ['edge-1', edge],
  ] as const) {
    narrator.command(`kubectl (${name}) get pods -o wide`)
    narrator.say(await kube.getPods(site.kubeconfig))
  }
}

/** Everything is stopped, and nothing is left. */
export async function cleanUp(
  { fleet, kube, narrator }: Stage,
  exists: (path: string) => boolean,
): Promise<void> {
  narrator.step('Stop everything')
  const pids = [...(await pidsOfEdge(kube, fleet)).values()]
  const programs = ['cloudcore', ...NODES].map((name) => fleet.program(name).pid)
  await fleet.close()
  await narrator.check('no process is left', () => ![...pids, ...programs].some(isRunning))
  await narrator.check('no file is left', () => !exists(join(fleet.directory, '.')))
}

async function pidsOfEdge(kube: KubeCommands, fleet: Fleet): Promise<ReadonlyMap<string, number>> {
  const edge = fleet.edge('edge-1')
  const pids = new Map<string, number>()
  for (const { name } of (await podsAt(edge)).values()) {
    const pid = pidsIn(await kube.logs(edge.kubeconfig, name, LOG_LINES)).at(-1)
    if (pid !== undefined) pids.set(name, pid)
  }
  return pids
}

function isMerged(
  found: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): string | boolean {
  return (
    Object.entries(wanted).every(([key, value]) => found[key] === value) && JSON.stringify(found)
  )
}

function firstLine(log: string, wanted: string): string | boolean {
  const line = log.split('\n')[0] ?? ''
  return line.includes(wanted) && line
}
