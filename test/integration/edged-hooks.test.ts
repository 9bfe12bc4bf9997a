import { existsSync, readFileSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../support/fleet.ts'
import { type EdgedPlace, mainOf, openPlace, shellPod } from './edged-place.ts'

const places: EdgedPlace[] = []
const servers: Server[] = []
afterEach(async () => {
  for (const place of places.splice(0)) await place.dispose()
  for (const server of servers.splice(0)) server.close()
})

async function open(): Promise<EdgedPlace> {
  const place = await openPlace()
  places.push(place)
  return place
}

/** The messages of all events of a reason, in the order in which they came. */
function told(place: EdgedPlace, reason: string): readonly string[] {
  const events = place.store.list('events').items.filter((event) => event['reason'] === reason)
  return events.map((event) => String(event['message']))
}

const KEY = { resource: 'pods', namespace: 'default', name: 'web' }

test('a container counts as started after its postStart hook, and the next one waits for it', async () => {
  const place = await open()
  const [begun, go] = [join(place.directory, 'begun'), join(place.directory, 'go')]
  const script = `touch ${begun}; while ! test -e ${go}; do sleep 0.05; done`
  const main = {
    name: 'main',
    image: 'x',
    command: ['sleep', '100'],
    lifecycle: { postStart: { exec: { command: ['sh', '-c', script] } } },
  }
  const second = { name: 'second', image: 'x', command: ['sleep', '100'] }
  await place.create(shellPod('web', '', { containers: [main, second] }))
  await eventually(() => existsSync(begun))
  const before = await place.podWhere('web', (each) => each.containerStatuses?.length === 2)
  expect(before.phase).toBe('Pending')
  for (const status of before.containerStatuses ?? []) {
    expect(status).toMatchObject({ ready: false, started: false })
    expect(status.state).toEqual({ waiting: { reason: 'ContainerCreating' } })
  }
  expect((await place.runtime.list()).containers.map((each) => each.name)).toEqual(['main'])
  await writeFile(go, '')
  const after = await place.podWhere('web', (each) => each.phase === 'Running')
  expect(after.containerStatuses?.map((each) => each.ready)).toEqual([true, true])
})

test('a postStart hook that fails ends its container', async () => {
  const place = await open()
  const lifecycle = { postStart: { exec: { command: ['false'] } } }
  await place.create(shellPod('web', 'sleep 100', { restartPolicy: 'Never' }, { lifecycle }))
  const status = await place.podWhere('web', (each) => each.phase === 'Failed')
  expect(mainOf(status)?.state.terminated?.exitCode).toBe(143)
  expect(told(place, 'FailedPostStartHook')).toEqual(['PostStartHook failed'])
  expect(told(place, 'Killing')).toEqual(['FailedPostStartHook'])
})

test('a preStop hook is done before the container is asked to end', async () => {
  const place = await open()
  const story = join(place.directory, 'story')
  const answers = createServer((request, response) => {
    response.writeHead(500).end(request.url)
  })
  servers.push(answers)
  await new Promise<void>((resolve) => answers.listen(0, '127.0.0.1', resolve))
  const address = answers.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const script = `trap 'echo TERM >> ${story}; exit 0' TERM; while :; do sleep 0.05; done`
  const hook = `sleep 0.3; echo hook >> ${story}`
  const lifecycle = {
    // Whatever the answer is, it was asked.
    postStart: { httpGet: { port, path: '/started' } },
    preStop: { exec: { command: ['sh', '-c', hook] } },
  }
  await place.create(shellPod('web', script, {}, { lifecycle }))
  await place.podWhere('web', (each) => each.phase === 'Running')
  await place.store.delete(KEY)
  await eventually(() => place.pod('web') === undefined, 10_000)
  expect(await readFile(story, 'utf8')).toBe('hook\nTERM\n')
  expect(told(place, 'FailedPreStopHook')).toEqual([])
})

test('a preStop hook that fails is told, and one that hangs is not waited for past the grace', async () => {
  const place = await open()
  const fails = { preStop: { exec: { command: ['sh', '-c', 'exit 4'] } } }
  const hangs = { preStop: { sleep: { seconds: 600 } } }
  const container = (name: string, lifecycle: object) => ({
    name,
    image: 'x',
    command: ['sleep', '100'],
    lifecycle,
  })
  const containers = [container('fails', fails), container('hangs', hangs)]
  await place.create(shellPod('web', '', { containers, terminationGracePeriodSeconds: 1 }))
  await place.podWhere('web', (each) => each.phase === 'Running')
  await place.store.delete(KEY)
  await eventually(() => place.pod('web') === undefined, 15_000)
  expect(told(place, 'FailedPreStopHook')).toEqual(['PreStopHook failed'])
})

test('a restart of the agent neither runs a postStart hook again nor ends its container', async () => {
  const place = await open()
  const story = join(place.directory, 'story')
  const hook = (name: string) => ({
    postStart: { exec: { command: ['sh', '-c', `echo ${name} >> ${story}; sleep ${name}`] } },
  })
  const container = (name: string, seconds: string) => ({
    name,
    image: 'x',
    command: ['sleep', '1000'],
    lifecycle: hook(seconds),
  })
  const containers = [container('done', '0.01'), container('open', '1000')]
  await place.create(shellPod('web', '', { containers }))
  const lines = (): string => (existsSync(story) ? readFileSync(story, 'utf8') : '')
  await eventually(() => lines() === '0.01\n1000\n', 30_000)
  const before = (await place.runtime.list()).containers.map(({ id }) => id).sort()
  await place.down()
  await place.up()
  const after = await place.podWhere('web', (each) => each.phase === 'Running', 30_000)
  expect(after.containerStatuses?.map((each) => each.restartCount)).toEqual([0, 0])
  const runs = (await place.runtime.list()).containers
  expect(runs.map(({ id }) => id).sort()).toEqual(before)
  expect(runs.map(({ state }) => state)).toEqual(['running', 'running'])
  expect(lines()).toBe('0.01\n1000\n')
  expect(told(place, 'Killing')).toEqual([])
}, 60_000)

test('a pod is deleted while its postStart hook hangs', async () => {
  const place = await open()
  const lifecycle = { postStart: { exec: { command: ['sleep', '1000'] } } }
  await place.create(shellPod('web', 'sleep 100', {}, { lifecycle }))
  await eventually(async () => (await place.runtime.list()).containers.length === 1)
  await place.store.delete(KEY)
  await eventually(() => place.pod('web') === undefined, 10_000)
  expect(told(place, 'FailedPostStartHook')).toEqual([])
  await expect.poll(async () => (await place.runtime.list()).sandboxes).toEqual([])
})
