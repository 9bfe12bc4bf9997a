import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../support/fleet.ts'
import { type EdgedPlace, mainOf, openPlace, shellPod } from './edged-place.ts'

const places: EdgedPlace[] = []
afterEach(async () => {
  for (const place of places.splice(0)) await place.dispose()
})

async function open(): Promise<EdgedPlace> {
  const place = await openPlace()
  places.push(place)
  return place
}

const KEY = { resource: 'pods', namespace: 'default', name: 'web' }
const WAIT_MS = 60_000

function sidecar(name: string, script: string, more: object = {}) {
  return { name, image: 'x', restartPolicy: 'Always', command: ['sh', '-c', script], ...more }
}

/** What the containers of a pod have said so far. */
function linesOf(story: string): readonly string[] {
  return existsSync(story) ? readFileSync(story, 'utf8').trim().split('\n') : []
}

/** Says when it is asked to end, and ends only when `until` is true. */
function slowEnd(name: string, story: string, until = 'true'): string {
  const end = `echo ${name} asked >> ${story}; while ! ${until}; do sleep 0.05; done; echo ${name} ended >> ${story}; exit 0`
  return `trap '${end}' TERM; echo ${name} runs >> ${story}; while true; do sleep 0.05; done`
}

test('a sidecar is started first and has to be ready for the others; it is started again and again', async () => {
  const place = await open()
  const go = join(place.directory, 'go')
  const startupProbe = {
    exec: { command: ['test', '-e', go] },
    periodSeconds: 1,
    failureThreshold: 1000,
  }
  const initContainers = [
    sidecar('side', 'sleep 1000', { startupProbe }),
    { name: 'setup', image: 'x', command: ['true'] },
  ]
  await place.create(shellPod('web', 'sleep 1000', { initContainers, restartPolicy: 'Never' }))
  const early = await place.podWhere(
    'web',
    (each) => each.initContainerStatuses?.[0]?.state.running !== undefined,
    WAIT_MS,
  )
  expect(early.initContainerStatuses?.[0]).toMatchObject({ ready: false, started: false })
  expect(early.phase).toBe('Pending')
  expect((await place.runtime.list()).containers.map((each) => each.name)).toEqual(['side'])
  await writeFile(go, '')
  const late = await place.podWhere('web', (each) => each.phase === 'Running', WAIT_MS)
  expect(late.initContainerStatuses?.[0]).toMatchObject({ ready: true, started: true })
  const { containers } = await place.runtime.list()
  const side = containers.find((each) => each.name === 'side')
  await place.runtime.stopContainer(side?.id ?? '', 0)
  const again = await place.podWhere(
    'web',
    (each) => each.initContainerStatuses?.[0]?.restartCount === 1 && each.phase === 'Running',
    WAIT_MS,
  )
  expect(mainOf(again)?.restartCount).toBe(0)
}, 90_000)

test('when the others are done, the sidecars are ended and the pod has succeeded', async () => {
  const place = await open()
  const story = join(place.directory, 'story')
  const initContainers = [
    sidecar('one', slowEnd('one', story)),
    sidecar('two', slowEnd('two', story)),
  ]
  const script = `while test "$(grep -c runs ${story})" != 2; do sleep 0.05; done`
  await place.create(shellPod('web', script, { initContainers, restartPolicy: 'OnFailure' }))
  const status = await place.podWhere('web', (each) => each.phase === 'Succeeded', WAIT_MS)
  expect(status.initContainerStatuses?.map((each) => each.state.terminated?.exitCode)).toEqual([
    0, 0,
  ])
  expect(linesOf(story)).toEqual([
    'one runs',
    'two runs',
    'two asked',
    'two ended',
    'one asked',
    'one ended',
  ])
}, 90_000)

test('sidecars of a deleted pod are asked last, in reverse order; their preStop hooks at once', async () => {
  const place = await open()
  const [story, hook, go] = ['story', 'hook', 'go'].map((name) => join(place.directory, name))
  const preStop = { exec: { command: ['touch', hook ?? ''] } }
  const initContainers = [
    sidecar('one', slowEnd('one', story ?? ''), { lifecycle: { preStop } }),
    sidecar('two', slowEnd('two', story ?? '')),
  ]
  const script = slowEnd('main', story ?? '', `test -e ${go}`)
  const spec = { initContainers, terminationGracePeriodSeconds: 60 }
  await place.create(shellPod('web', script, spec))
  await place.podWhere('web', (each) => each.phase === 'Running', WAIT_MS)
  const lines = (): readonly string[] => linesOf(story ?? '')
  await eventually(() => lines().includes('main runs'), WAIT_MS)
  await place.store.delete(KEY)
  await eventually(() => existsSync(hook ?? '') && lines().includes('main asked'), WAIT_MS)
  expect(lines()).toEqual(['one runs', 'two runs', 'main runs', 'main asked'])
  await writeFile(go ?? '', '')
  await eventually(() => place.pod('web') === undefined, WAIT_MS)
  expect(lines().slice(4)).toEqual([
    'main ended',
    'two asked',
    'two ended',
    'one asked',
    'one ended',
  ])
}, 90_000)

test('sidecars wait no longer than the grace of their pod lasts', async () => {
  const place = await open()
  const story = join(place.directory, 'story')
  const initContainers = [sidecar('side', slowEnd('side', story))]
  const script = `trap '' TERM; echo main runs >> ${story}; while true; do sleep 0.05; done`
  const spec = { initContainers, terminationGracePeriodSeconds: 1 }
  await place.create(shellPod('web', script, spec))
  await place.podWhere('web', (each) => each.phase === 'Running', WAIT_MS)
  await eventually(() => linesOf(story).includes('main runs'), WAIT_MS)
  await place.store.delete(KEY)
  await eventually(() => place.pod('web') === undefined, WAIT_MS)
  expect(linesOf(story)).toContain('side asked')
}, 90_000)
