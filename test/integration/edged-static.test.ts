import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger } from 'tideway'
import type { KubeObject } from 'tideway/adapters/kubernetes/objects'
import { readPodManifest } from 'tideway/adapters/kubernetes/server'
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../support/fleet.ts'
import { type EdgedPlace, mainOf, openPlace } from './edged-place.ts'

// Pods whose manifests are in a folder of the node: nobody has to ask for them.

const WAIT_MS = 60_000
const places: EdgedPlace[] = []
const folders: string[] = []
afterEach(async () => {
  for (const place of places.splice(0)) await place.dispose()
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

interface Told {
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

async function open(): Promise<{ place: EdgedPlace; folder: string; errors: readonly Told[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'tideway-manifests-'))
  folders.push(folder)
  const errors: Told[] = []
  const nothing = (): void => undefined
  const logger: Logger = {
    debug: nothing,
    info: nothing,
    warn: nothing,
    child: () => logger,
    error: (message, fields = {}) => void errors.push({ message, fields }),
  }
  // The cloud was never reached: nothing is known of what it wants.
  const loaded = new Promise<void>(nothing)
  const manifests = { directory: folder, read: readPodManifest }
  const place = await openPlace({ manifests, logger, loaded })
  places.push(place)
  return { place, folder, errors }
}

/** Puts a file in its place at once, as whoever writes manifests should. */
async function put(folder: string, name: string, text: string): Promise<void> {
  await writeFile(join(folder, `.${name}`), text)
  await rename(join(folder, `.${name}`), join(folder, name))
}

function manifest(script: string, name = 'web'): string {
  return `
apiVersion: v1
kind: Pod
metadata:
  name: ${name}
  labels: { app: ${name} }
spec:
  terminationGracePeriodSeconds: 5
  containers:
    - name: main
      image: local/shell
      command: [sh, -c, ${JSON.stringify(script)}]
`
}

const NAME = 'web-edge-1'

function running(place: EdgedPlace): Promise<string> {
  return place
    .podWhere(NAME, ({ phase }) => phase === 'Running', WAIT_MS)
    .then((status) => mainOf(status)?.containerID ?? '')
}

/** The mirror, once it shows something. */
function mirrorWhere(
  place: EdgedPlace,
  fits: (mirror: KubeObject) => boolean,
): Promise<KubeObject> {
  return eventually(() => {
    const mirror = place.pod(NAME)
    return mirror !== undefined && fits(mirror) ? mirror : undefined
  }, WAIT_MS)
}

test('a pod of a file runs without a cloud, is shown, and outlives what shows it', async () => {
  const { place, folder } = await open()
  await put(folder, 'web.yaml', manifest('sleep 1000'))
  const id = await running(place)
  const mirror = place.pod(NAME)
  const annotations = mirror?.metadata.annotations ?? {}
  expect(annotations['kubernetes.io/config.source']).toBe('file')
  expect(annotations['kubernetes.io/config.mirror']).toBe(annotations['kubernetes.io/config.hash'])
  expect(mirror?.metadata.ownerReferences).toMatchObject([{ kind: 'Node', name: 'edge-1' }])
  expect(mirror?.metadata.uid).not.toBe(annotations['kubernetes.io/config.hash'])
  const [sandbox] = (await place.runtime.list()).sandboxes
  expect(sandbox?.uid).toBe(annotations['kubernetes.io/config.hash'])

  await place.store.delete({ resource: 'pods', namespace: 'default', name: NAME })
  const again = await mirrorWhere(place, ({ metadata }) => metadata.uid !== mirror?.metadata.uid)
  expect(again.metadata.deletionTimestamp).toBeUndefined()
  expect(await running(place)).toBe(id)
  expect((await place.runtime.list()).containers.map(({ state }) => state)).toEqual(['running'])

  await place.down()
  await place.up()
  expect(await running(place)).toBe(id)
  expect((await place.runtime.list()).containers).toHaveLength(1)
}, 120_000)

test('another text is another pod, which waits for the end of the first; without its file it goes', async () => {
  const { place, folder } = await open()
  const story = join(place.directory, 'story')
  const script = (name: string): string =>
    `echo ${name} runs >> ${story}; trap 'sleep 0.5; echo ${name} ended >> ${story}; exit 0' TERM; while true; do sleep 0.05; done`
  await put(folder, 'web.json', JSON.stringify(readPodManifest(manifest(script('first')))))
  const first = await running(place)
  await put(folder, 'web.json', JSON.stringify(readPodManifest(manifest(script('second')))))
  await place.podWhere(
    NAME,
    (status) => status.phase === 'Running' && mainOf(status)?.containerID !== first,
    WAIT_MS,
  )
  await expect
    .poll(() => readLines(story), { timeout: WAIT_MS })
    .toEqual(['first runs', 'first ended', 'second runs'])
  await rm(join(folder, 'web.json'))
  await eventually(() => place.pod(NAME) === undefined, WAIT_MS)
  await expect
    .poll(async () => (await place.runtime.list()).sandboxes, { timeout: WAIT_MS })
    .toEqual([])
}, 120_000)

test('a file that cannot be used is named and changes nothing', async () => {
  const { place, folder, errors } = await open()
  await mkdir(join(folder, 'not-a-file'))
  await put(folder, 'web.yaml', manifest('sleep 1000'))
  const id = await running(place)
  await put(folder, 'web.yaml', manifest('sleep 1000').replace('name: main', 'name: NOT A NAME'))
  const refusal = await eventually(() => errors[0], WAIT_MS)
  expect(refusal.message).toBe('a manifest of a static pod cannot be used')
  expect(refusal.fields['file']).toBe(join(folder, 'web.yaml'))
  expect(String(refusal.fields['error'])).toContain('spec.containers[0].name')
  await put(folder, 'same.yaml', manifest('sleep 1000'))
  await put(folder, 'kind.yaml', 'kind: Secret')
  await put(folder, 'text.yaml', '{{{')
  await eventually(() => errors.length === 4, WAIT_MS)
  expect(errors.map(({ fields }) => String(fields['error'])).join('\n')).toContain(
    `the pod default/${NAME} is in ${join(folder, 'web.yaml')} already`,
  )
  expect(await running(place)).toBe(id)
  expect((await place.runtime.list()).containers.map(({ state }) => state)).toEqual(['running'])
}, 120_000)

async function readLines(path: string): Promise<readonly string[]> {
  return (await readFile(path, 'utf8')).trim().split('\n')
}
