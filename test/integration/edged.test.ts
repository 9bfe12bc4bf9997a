import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { eventually } from '../support/fleet.ts'
import { configMap, type EdgedPlace, mainOf, openPlace, shellPod } from './edged-place.ts'

const places: EdgedPlace[] = []
afterEach(async () => {
  for (const place of places.splice(0)) await place.dispose()
})

async function open(...args: Parameters<typeof openPlace>): Promise<EdgedPlace> {
  const place = await openPlace(...args)
  places.push(place)
  return place
}

const FAST = { firstMs: 200, maxMs: 1_000, resetAfterMs: 600_000 }

describe.each(['auto', 'never'] as const)('a pod with mounts %s', (mounts) => {
  test('gets its variables and volumes, and sees updates of a config map', async () => {
    const place = await open({}, { mounts })
    await place.create(configMap('app', { color: 'red', size: 'big' }))
    await place.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'key', namespace: 'default' },
      data: { password: Buffer.from('hunter2').toString('base64') },
    })
    const script = [
      'echo "$COLOR $PASSWORD $POD_NAME $GREETING $app_size"',
      'cat "$TIDEWAY_POD_DIR/etc/tideway-test/app/color"; echo',
      'cat "$TIDEWAY_MOUNT_APP_CONFIG/color"; echo',
      'echo kept > "$TIDEWAY_MOUNT_SCRATCH/file"',
      'while [ "$(cat "$TIDEWAY_MOUNT_APP_CONFIG/color")" = red ]; do sleep 0.05; done',
      'echo now "$(cat "$TIDEWAY_MOUNT_APP_CONFIG/color")"',
      'sleep 100',
    ].join('\n')
    await place.create(
      shellPod(
        'web',
        script,
        {
          volumes: [
            { name: 'app-config', configMap: { name: 'app' } },
            { name: 'scratch', emptyDir: {} },
          ],
        },
        {
          env: [
            { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'app', key: 'color' } } },
            { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'key', key: 'password' } } },
            { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
            { name: 'GREETING', value: 'hello-$(COLOR)-$(UNSET)-$$(COLOR)' },
          ],
          envFrom: [{ prefix: 'app_', configMapRef: { name: 'app' } }],
          volumeMounts: [
            { name: 'app-config', mountPath: '/etc/tideway-test/app' },
            { name: 'scratch', mountPath: '/tideway-test-scratch' },
          ],
        },
      ),
    )
    const status = await place.podWhere('web', (each) => mainOf(each)?.state.running !== undefined)
    expect(status).toMatchObject({ phase: 'Running', podIP: '127.0.0.1', qosClass: 'BestEffort' })
    expect(status.conditions?.map(({ type, status: value }) => `${type}=${value}`)).toEqual([
      'PodReadyToStartContainers=True',
      'Initialized=True',
      'Ready=True',
      'ContainersReady=True',
      'PodScheduled=True',
    ])
    // What comes next is for a container that has looked at the first values.
    await expect.poll(() => place.log('web'), { timeout: 10_000 }).toContain('\nred\nred\n')
    const key = { resource: 'configmaps', namespace: 'default', name: 'app' }
    await place.store.update(key, (map) => ({ ...map, data: { color: 'blue', size: 'big' } }), {
      part: 'desired',
    })
    const expected = [
      'red hunter2 web hello-red-$(UNSET)-$(COLOR) big',
      'red',
      'red',
      'now blue',
      '',
    ].join('\n')
    let seen = ''
    await expect
      .poll(async () => (seen = await place.log('web')), { timeout: 10_000 })
      .toContain('now')
    expect(seen).toBe(expected)
    expect(existsSync('/etc/tideway-test')).toBe(false)
    expect(existsSync('/tideway-test-scratch')).toBe(false)
  })
})

test('a container that keeps failing is restarted with growing waits, and its logs are kept', async () => {
  const place = await open({ restartBackoff: FAST })
  const waiting = place.firstWhere('crash', (each) => {
    const main = mainOf(each)
    return main?.state.waiting?.reason === 'CrashLoopBackOff' && main.restartCount >= 2
  })
  await place.create(shellPod('crash', 'echo run; exit 3'))
  const status = await waiting
  const main = mainOf(status)
  expect(main?.lastState.terminated).toMatchObject({ exitCode: 3, reason: 'Error' })
  expect(main?.state.waiting?.message).toMatch(
    /^back-off 400ms restarting failed container=main pod=crash_default\([-0-9a-f]+\)$/,
  )
  expect(status.phase).toBe('Running')
  expect(await place.log('crash', { previous: true })).toBe('run\n')
  const events = await eventually(() => {
    const own = place.store.list('events').items
    return own.some((event) => event['reason'] === 'BackOff') ? own : undefined
  })
  expect(new Set(events.map((event) => event['reason']))).toEqual(
    new Set(['Created', 'Started', 'BackOff']),
  )
})

test.each([
  ['Never', 'exit 0', 'Succeeded', 0],
  ['Never', 'exit 7', 'Failed', 7],
  ['OnFailure', 'exit 0', 'Succeeded', 0],
] as const)(
  'with restartPolicy %s, "%s" ends as %s',
  async (restartPolicy, script, phase, code) => {
    const place = await open()
    await place.create(shellPod('job', script, { restartPolicy }))
    const status = await place.podWhere('job', (each) => each.phase === phase)
    expect(mainOf(status)?.state.terminated?.exitCode).toBe(code)
    expect(mainOf(status)?.restartCount).toBe(0)
  },
)

test('init containers run one after the other, before the others', async () => {
  const place = await open()
  const init = (name: string) => ({
    name,
    image: 'x',
    command: ['sh', '-c', `echo ${name} >> "$TIDEWAY_MOUNT_SHARED/order"`],
    volumeMounts: [{ name: 'shared', mountPath: '/shared-by-init' }],
  })
  await place.create(
    shellPod(
      'ordered',
      'cat "$TIDEWAY_MOUNT_SHARED/order"',
      {
        restartPolicy: 'Never',
        initContainers: [init('one'), init('two')],
        volumes: [{ name: 'shared', emptyDir: {} }],
      },
      { volumeMounts: [{ name: 'shared', mountPath: '/shared-by-init' }] },
    ),
  )
  const status = await place.podWhere('ordered', (each) => each.phase === 'Succeeded')
  expect(status.initContainerStatuses?.map((each) => each.state.terminated?.exitCode)).toEqual([
    0, 0,
  ])
  expect(await place.log('ordered')).toBe('one\ntwo\n')
})

test('a missing config map keeps a container waiting, until it appears', async () => {
  const place = await open()
  await place.create(
    shellPod(
      'late',
      'echo $COLOR; sleep 100',
      {},
      {
        env: [{ name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'app', key: 'color' } } }],
      },
    ),
  )
  const waiting = await place.podWhere(
    'late',
    (each) => mainOf(each)?.state.waiting?.message !== undefined,
  )
  expect(mainOf(waiting)?.state.waiting).toEqual({
    reason: 'CreateContainerConfigError',
    message: 'configmap "app" not found',
  })
  expect(waiting.phase).toBe('Pending')
  await place.create(configMap('app', { color: 'green' }))
  await place.podWhere('late', (each) => mainOf(each)?.state.running !== undefined)
  await expect.poll(() => place.log('late')).toBe('green\n')
})

test('a container without a command waits with a reason that says what to do', async () => {
  const place = await open()
  await place.create(shellPod('image', '', {}, { command: [], image: 'nginx:1.27' }))
  const status = await place.podWhere(
    'image',
    (each) => mainOf(each)?.state.waiting?.message !== undefined,
  )
  expect(mainOf(status)?.state.waiting?.reason).toBe('CommandRequired')
  expect(mainOf(status)?.state.waiting?.message).toContain('set "command" to a program')
})

test('a command that does not exist is reported like a failed start', async () => {
  const place = await open()
  const command = ['/no/such/program']
  await place.create(shellPod('lost', '', { restartPolicy: 'Never' }, { command }))
  const status = await place.podWhere('lost', (each) => each.phase === 'Failed')
  expect(mainOf(status)?.state.terminated).toMatchObject({
    exitCode: 128,
    reason: 'StartError',
    message: 'exec: "/no/such/program": stat /no/such/program: no such file or directory',
  })
})

test('deleting a pod asks its processes to stop, then removes everything of it', async () => {
  const place = await open()
  const farewell = join(place.directory, 'farewell')
  const script = `trap 'echo bye > ${farewell}; exit 0' TERM; echo up; while :; do sleep 0.05; done`
  await place.create(shellPod('web', script))
  await place.podWhere('web', (each) => mainOf(each)?.state.running !== undefined)
  await expect.poll(() => place.log('web')).toBe('up\n')
  const uid = place.pod('web')?.metadata.uid ?? ''
  await place.store.delete({ resource: 'pods', namespace: 'default', name: 'web' })
  expect(place.pod('web')?.metadata.deletionTimestamp).toBeDefined()
  await eventually(() => place.pod('web') === undefined, 10_000)
  expect(await readFile(farewell, 'utf8')).toBe('bye\n')
  await expect.poll(async () => (await place.runtime.list()).sandboxes).toEqual([])
  expect(existsSync(join(place.directory, 'node', 'pods', uid))).toBe(false)
  expect(existsSync(join(place.directory, 'node', 'logs', `default_web_${uid}`))).toBe(false)
})

test('a deletion without grace ends a stop that is under way', async () => {
  const place = await open()
  await place.create(
    shellPod('web', 'trap "" TERM; while :; do sleep 0.05; done', {
      terminationGracePeriodSeconds: 600,
    }),
  )
  await place.podWhere('web', (each) => mainOf(each)?.state.running !== undefined)
  const key = { resource: 'pods', namespace: 'default', name: 'web' }
  await place.store.delete(key)
  await eventually(() =>
    place.store.list('events').items.some((event) => event['reason'] === 'Killing'),
  )
  await place.store.delete(key, { gracePeriodSeconds: 1 })
  await eventually(() => place.pod('web') === undefined, 10_000)
})

test('containers outlive edged and are taken up again, with what happened meanwhile', async () => {
  const place = await open({ restartBackoff: FAST })
  const flag = join(place.directory, 'end')
  await place.create(shellPod('steady', 'echo $$; sleep 1000'))
  await place.create(
    shellPod('ends', `while [ ! -e ${flag} ]; do sleep 0.05; done; exit 5`, {
      restartPolicy: 'Never',
    }),
  )
  const before = await place.podWhere('steady', (each) => mainOf(each)?.state.running !== undefined)
  await place.podWhere('ends', (each) => mainOf(each)?.state.running !== undefined)
  await place.down()
  await writeFile(flag, '')
  await place.up()
  const ended = await place.podWhere('ends', (each) => each.phase === 'Failed')
  expect(mainOf(ended)?.state.terminated?.exitCode).toBe(5)
  const after = await place.podWhere('steady', () => true)
  expect(mainOf(after)).toEqual(mainOf(before))
  expect((await place.log('steady')).split('\n')).toHaveLength(2)
})

test('a pod whose object vanished while edged was away is stopped and cleaned up', async () => {
  const place = await open()
  await place.create(shellPod('ghost', 'sleep 1000'))
  await place.podWhere('ghost', (each) => mainOf(each)?.state.running !== undefined)
  await place.down()
  await place.store.remove({ resource: 'pods', namespace: 'default', name: 'ghost' })
  await place.up()
  await expect
    .poll(() => place.runtime.list(), { timeout: 15_000 })
    .toEqual({
      containers: [],
      sandboxes: [],
    })
})

test('orphans are left alone until the store is loaded', async () => {
  let load: () => void = () => {}
  const loaded = new Promise<void>((resolve) => {
    load = resolve
  })
  const place = await open({ loaded })
  const spec = { namespace: 'default', name: 'old', uid: 'orphan-1', hostname: 'old' }
  const directory = join(place.directory, 'node', 'pods', 'orphan-1')
  await place.runtime.runSandbox({ ...spec, directory })
  await place.down()
  await place.up()
  expect((await place.runtime.list()).sandboxes).toHaveLength(1)
  load()
  await expect.poll(async () => (await place.runtime.list()).sandboxes).toEqual([])
})

test('the node is registered, reports itself, and takes back a verdict of the cloud', async () => {
  const place = await open()
  const key = { resource: 'nodes', name: 'edge-1' }
  const ready = () => {
    const status = place.store.get(key)?.['status'] as
      | { conditions: { type: string; status: string }[]; capacity: Record<string, string> }
      | undefined
    return status?.conditions.find((condition) => condition.type === 'Ready')?.status
  }
  expect(place.store.get(key)?.metadata.labels).toMatchObject({
    'kubernetes.io/hostname': 'edge-1',
    'kubernetes.io/os': process.platform,
  })
  expect(ready()).toBe('True')
  const conditions = [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }]
  await place.store.update(
    key,
    (node) => ({ ...node, status: { ...(node['status'] as object), conditions } }),
    { part: 'observed' },
  )
  await eventually(() => ready() === 'True')
  expect(place.edged.heartbeat()).toMatchObject({ holderIdentity: 'edge-1' })
})

test('a pod that runs is ended when its time is up, with nobody asking for a look at it', async () => {
  const place = await open()
  await place.create(shellPod('short', 'sleep 1000', { activeDeadlineSeconds: 1 }))
  const status = await place.podWhere('short', (each) => each.phase === 'Failed', 60_000)
  expect(status.reason).toBe('DeadlineExceeded')
})

test('nothing is written while nothing happens', async () => {
  const place = await open({ relistMs: 50 })
  await place.create(shellPod('quiet', 'sleep 1000'))
  await place.podWhere('quiet', (each) => mainOf(each)?.ready === true)
  await eventually(() =>
    place.store.list('events').items.some((event) => event['reason'] === 'Started'),
  )
  const version = place.store.resourceVersion
  await place.down()
  await place.up()
  expect(place.store.resourceVersion).toBe(version)
})
