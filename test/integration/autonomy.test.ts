import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { consoleLogger, createReplica } from 'tideway'
import {
  builtinResources,
  documentId,
  documentKind,
  documentKinds,
} from 'tideway/adapters/kubernetes/objects'
import { levelStorage } from 'tideway/adapters/storage/level'
import { nodeCompression, nodeSha256 } from 'tideway/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunningProgram } from '../../examples/demo/program.ts'
import type { Relay } from '../../examples/demo/relay.ts'
import { TestFleet, until } from './fleet-programs.ts'

// What a node does while it is cut off, and what the cloud learns of it afterwards.

const PODS = '/api/v1/namespaces/default/pods'
const WAIT_MS = 60_000

interface Pod {
  readonly metadata?: { readonly deletionTimestamp?: string }
  readonly status?: {
    readonly phase?: string
    readonly containerStatuses?: readonly {
      readonly restartCount: number
      readonly state: Readonly<Record<string, { readonly exitCode?: number } | undefined>>
    }[]
  }
}

let fleet: TestFleet
let relay: Relay
let cloud: RunningProgram
let edge: RunningProgram
let through: readonly string[]

beforeAll(async () => {
  fleet = await TestFleet.create()
  cloud = await fleet.startCloud()
  relay = await fleet.openRelay()
  through = ['--server', relay.address]
  edge = await fleet.startEdge('edge-1', ['--token', await fleet.token('edge-1'), ...through])
  await edge.line('connected to the cloud')
})

afterAll(async () => {
  await relay?.close()
  await fleet?.close()
})

async function start(name: string, script: string, restartPolicy: string): Promise<void> {
  await (await fleet.api('cloud')).expect('POST', PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      nodeName: 'edge-1',
      restartPolicy,
      terminationGracePeriodSeconds: 1,
      containers: [{ name: 'main', image: 'local', command: ['sh', '-c', script] }],
    },
  })
}

/** A pod, undefined when it is not there. */
async function podAt(where: string, name: string): Promise<Pod | undefined> {
  const { status, body } = await (await fleet.api(where)).send('GET', `${PODS}/${name}`)
  return status === 404 ? undefined : (body as Pod)
}

function phaseAt(where: string, name: string, phase: string, restarts: number): Promise<Pod> {
  const isSo = async (): Promise<Pod | false> => {
    const pod = await podAt(where, name)
    const count = pod?.status?.containerStatuses?.[0]?.restartCount
    return pod?.status?.phase === phase && count === restarts ? pod : false
  }
  return until(`${name} ${phase} at ${where} with ${restarts} restarts`, isSo, WAIT_MS)
}

/** What the cloud has in its log of a pod, step by step, in a few words for each. */
async function storyOf(name: string): Promise<readonly string[]> {
  const replica = await createReplica({
    storage: await levelStorage({ directory: join(fleet.data('cloud'), 'log') }),
    name: 'cloud',
    kinds: documentKinds(builtinResources),
    sha256: nodeSha256(),
    compression: nodeCompression(),
    logger: consoleLogger('silent'),
  })
  try {
    const resource = builtinResources.find(({ id }) => id === 'pods')
    if (resource === undefined) throw new Error('there are no pods')
    const identity = { resource: 'pods', namespace: 'default', name, incarnation: 1 }
    const kind = documentKind(resource, 'observed')
    const handle = await replica.open(documentId(identity, 'observed'), { kind })
    const steps = [...handle.history()].reverse().map(({ hash }) => wordsOf(handle.at([hash])))
    await handle.close()
    return steps.filter((words, index) => words !== steps[index - 1])
  } finally {
    await replica.close()
  }
}

function wordsOf(observed: unknown): string {
  const { status } = observed as Pod
  const [main] = status?.containerStatuses ?? []
  const [state = 'none', facts] = Object.entries(main?.state ?? {})[0] ?? []
  return [status?.phase, state, facts?.exitCode, main?.restartCount].join(' ')
}

/** What a reboot does to pods: their processes go without a trace, and the machine has another boot id. */
async function reboot(): Promise<void> {
  await edge.kill()
  const folder = join(fleet.data('edge-1'), 'runtime', 'containers')
  for (const id of await readdir(folder)) {
    const file = join(folder, id, 'container.json')
    const record = JSON.parse(await readFile(file, 'utf8')) as object
    await writeFile(file, JSON.stringify({ ...record, bootId: 'another' }))
    const hasEnded = await readFile(join(folder, id, 'final.json')).then(
      () => true,
      () => false,
    )
    if (hasEnded) continue
    const [pid] = (await readFile(join(folder, id, 'claim'), 'utf8')).split(' ')
    process.kill(-Number(pid), 'SIGKILL')
    await rm(join(folder, id, 'exit'), { force: true })
  }
}

test('a node that is cut off and rebooted goes on from its log, and the cloud learns all of it in order', async () => {
  const [go, over, story] = ['go', 'over', 'story'].map((name) => join(fleet.directory, name))
  await start('stays', `echo begun >> ${story}; exec sleep 100000`, 'Always')
  await start('goes', 'exec sleep 100000', 'Always')
  const work = `test -e ${go} && { until test -e ${over}; do sleep 0.05; done; exit 0; }; until test -e ${go}; do sleep 0.05; done; exit 3`
  await start('job', work, 'OnFailure')
  for (const name of ['stays', 'goes', 'job']) await phaseAt('cloud', name, 'Running', 0)

  relay.cut()
  await until('the edge being cut off', async () => {
    const { body } = await (await fleet.api('edge-1')).send('GET', `${PODS}/goes`)
    await (await fleet.api('cloud')).expect('DELETE', `${PODS}/goes`)
    return (body as Pod).metadata?.deletionTimestamp === undefined
  })
  await writeFile(go ?? '', '')
  await phaseAt('edge-1', 'job', 'Running', 1)
  await writeFile(over ?? '', '')
  await phaseAt('edge-1', 'job', 'Succeeded', 1)

  await reboot()
  edge = await fleet.startEdge('edge-1', through)
  await phaseAt('edge-1', 'stays', 'Running', 1)
  // Nobody has told the node that this one is to go.
  await phaseAt('edge-1', 'goes', 'Running', 1)
  expect((await readFile(story ?? '', 'utf8')).split('\n').filter(Boolean)).toHaveLength(2)
  expect((await phaseAt('edge-1', 'job', 'Succeeded', 1)).status?.phase).toBe('Succeeded')
  expect((await podAt('cloud', 'job'))?.status?.containerStatuses?.[0]?.restartCount).toBe(0)

  relay.restore()
  for (const where of ['cloud', 'edge-1']) {
    await until(
      `the deleted pod gone at ${where}`,
      async () => (await podAt(where, 'goes')) === undefined,
      WAIT_MS,
    )
  }
  await phaseAt('cloud', 'stays', 'Running', 1)
  await phaseAt('cloud', 'job', 'Succeeded', 1)

  // It does not come back, whatever starts anew.
  await edge.kill()
  edge = await fleet.startEdge('edge-1', through)
  await edge.line('connected to the cloud')
  await phaseAt('cloud', 'stays', 'Running', 1)
  expect([await podAt('cloud', 'goes'), await podAt('edge-1', 'goes')]).toEqual([
    undefined,
    undefined,
  ])
  const folder = join(fleet.data('edge-1'), 'runtime', 'sandboxes')
  expect(await readdir(folder)).toHaveLength(2)

  await cloud.stop()
  const told = await storyOf('job')
  const steps = ['Running running  0', 'Running running  1', 'Succeeded terminated 0 1']
  expect(told.filter((words) => steps.includes(words))).toEqual(steps)
}, 240_000)
