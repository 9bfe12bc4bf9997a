import { mkdir, mkdtemp, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { fillDisk } from '../support/fill-disk.ts'
import { skipUnless } from '../support/skip.ts'
import { SMALL_DISK_REASON, type SmallDisk, smallDisk } from '../support/small-disk.ts'
import { FaultPlace, isReady, livingPod } from './fault-place.ts'
import { runCli, until } from './fleet-programs.ts'

const MIB = 2 ** 20
const DISK_BYTES = 64 * MIB
/** Room for the log of the node, and for no pod. */
const TIGHT_BYTES = 60 * 1_024
const WAIT_MS = 90_000
const MAPS = '/api/v1/namespaces/default/configmaps'
const NO_ROOM = /no space left on the disk/

let disk: SmallDisk | undefined
let place: FaultPlace | undefined
let manifests: string | undefined

afterEach(async () => {
  await place?.close()
  await disk?.close()
  if (manifests !== undefined) await rm(manifests, { recursive: true })
  place = undefined
  disk = undefined
  manifests = undefined
})

function configMap(name: string, text: string): object {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { text } }
}

function noise(characters: number): string {
  let text = ''
  while (text.length < characters) text += Math.random().toString(36).slice(2)
  return text
}

/** Puts a manifest in its place at once. */
async function putManifest(folder: string, name: string, pod: object): Promise<void> {
  await writeFile(join(folder, `.${name}.json`), JSON.stringify(pod))
  await rename(join(folder, `.${name}.json`), join(folder, `${name}.json`))
}

async function linesIn(path: string): Promise<number> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return text.split('\n').length - 1
}

test('a full disk: what runs runs on, writes are refused, and all goes on once there is room', async (context) => {
  disk = await smallDisk(DISK_BYTES)
  skipUnless(context, disk !== undefined, 'mounts', SMALL_DISK_REASON)
  const root = disk?.directory ?? ''
  const ballast = join(root, 'ballast')
  const data = join(root, 'node')
  await mkdir(data)
  manifests = await mkdtemp(join(tmpdir(), 'tideway-full-disk-'))
  const here = await FaultPlace.open({
    runtime: 'process',
    args: ['--eviction-hard', '', '--pod-manifest-path', manifests],
    disk: data,
  })
  place = here
  const beats = join(here.livesFolder, 'beats')
  const go = join(here.livesFolder, 'go')
  const speak = `while :; do echo beat; echo beat >>${beats}; sleep 0.5; done`
  await here.create(livingPod(here, 'steady', { script: speak }))
  const names = ['ender', 'fixed-edge-1', 'late', 'steady', 'tight', 'turner-edge-1']
  const ofNobody = { spec: { nodeName: undefined } }
  const once = `if [ -e ${go} ]; then exec sleep 100000; fi; until [ -e ${go} ]; do sleep 0.1; done; exit 7`
  await here.create(livingPod(here, 'ender', { script: once }))
  await putManifest(manifests, 'turner', livingPod(here, 'turner', { ...ofNobody, script: once }))
  await here.onlyReady(['ender', 'steady', 'turner-edge-1'])
  const edge = here.edge
  const api = await here.fleet.api('edge-1')
  const kept: string[] = []
  for (let i = 0; i < 20; i += 1) {
    await api.expect('POST', MAPS, configMap(`kept-before-${i}`, noise(1_000)))
    kept.push(`kept-before-${i}`)
  }
  await fillDisk(ballast)

  // A little room, enough to say that it is too little.
  await truncate(ballast, (await stat(ballast)).size - TIGHT_BYTES)
  const alone = { automountServiceAccountToken: false }
  await here.create(livingPod(here, 'tight', { spec: alone }))
  const tight = await here.podWhere('tight', (pod) => {
    return pod.status?.containerStatuses?.[0]?.state.waiting?.reason === 'CreateContainerError'
  })
  expect(tight.status?.containerStatuses?.[0]?.state.waiting?.message).toMatch(NO_ROOM)
  const told = await until('the event', async () =>
    (await here.events('tight')).find(({ reason }) => reason === 'Failed'),
  )
  expect(told.message).toMatch(/^Error: no space left on the disk of /)
  await fillDisk(ballast)

  // Until the last page of the log is taken too.
  const refusedOf = async (): Promise<Readonly<Record<string, unknown>>> => {
    for (let i = 0; i < 400; i += 1) {
      const answer = await api.send('POST', MAPS, configMap(`kept-${i}`, noise(1_000)))
      if (answer.status !== 201) return answer.body
      kept.push(`kept-${i}`)
    }
    throw new Error('nothing was refused')
  }
  const refused = await refusedOf()
  await fillDisk(ballast)
  expect(refused).toMatchObject({ kind: 'Status', code: 503, reason: 'ServiceUnavailable' })
  expect(refused['message']).toMatch(NO_ROOM)
  const mapsOf = async (site: string): Promise<readonly string[]> => {
    const { items } = await (await here.fleet.api(site)).expect('GET', MAPS)
    return (items as { metadata: { name: string } }[])
      .map(({ metadata }) => metadata.name)
      .filter((name) => name.startsWith('kept-'))
  }
  expect(new Set(await mapsOf('edge-1'))).toEqual(new Set(kept))

  // A pod from the cloud, one from a folder, and one that ends meanwhile: none begins by halves.
  await (await here.fleet.api('cloud')).expect('POST', MAPS, configMap('late', noise(3_000)))
  const volumes = [{ name: 'map', configMap: { name: 'late' } }]
  const volumeMounts = [{ name: 'map', mountPath: '/map' }]
  await here.create(livingPod(here, 'late', { spec: { volumes }, main: { volumeMounts } }))
  await putManifest(manifests, 'fixed', livingPod(here, 'fixed', ofNobody))
  await writeFile(go, '')
  const line = await until(
    'the reason in the log',
    () =>
      edge.lines().find((each) => each.msg === 'no space left on the disk of the data directory'),
    WAIT_MS,
  )
  expect(line).toMatchObject({ level: 'error', directory: here.data })
  await edge.line('a static pod is to run')
  const beaten = await linesIn(beats)
  await until('more beats', async () => (await linesIn(beats)) > beaten + 3, WAIT_MS)
  expect(await here.lives('late')).toEqual({ begun: 0, overlaps: 0 })
  expect(await here.lives('fixed')).toEqual({ begun: 0, overlaps: 0 })
  expect(await here.lives('tight')).toEqual({ begun: 0, overlaps: 0 })
  expect(await here.lives('ender')).toEqual({ begun: 1, overlaps: 0 })
  const again = await api.send('POST', MAPS, configMap('refused', noise(5_000)))
  expect(again.status).toBe(503)
  expect((await api.send('GET', '/api/v1/namespaces/default/pods/steady')).status).toBe(200)

  await rm(ballast)
  await here.onlyReady(names)
  await api.expect('POST', MAPS, configMap('kept-after', 'room'))
  kept.push('kept-after')
  await until('the cloud to have all that was acknowledged', async () => {
    const there = new Set(await mapsOf('cloud'))
    return kept.every((name) => there.has(name)) && there.size === kept.length
  })
  const { metadata } = await here.podWhere('steady', isReady)
  const log = join(data, 'pods', 'logs', `default_steady_${metadata.uid}`, 'main', '0.log')
  const written = await linesIn(log)
  await until('the log of the pod going on', async () => (await linesIn(log)) > written, WAIT_MS)
  for (const name of ['ender', 'turner-edge-1']) {
    const ended = await here.podWhere(name, (pod) => {
      return isReady(pod) && pod.status?.containerStatuses?.[0]?.restartCount === 1
    })
    expect(ended.status?.containerStatuses?.[0]?.lastState).toMatchObject({
      terminated: { exitCode: 7, reason: 'Error' },
    })
  }
  for (const name of ['late', 'fixed', 'tight', 'steady'])
    expect(await here.lives(name)).toEqual({ begun: 1, overlaps: 0 })
  for (const name of ['ender', 'turner']) {
    expect(await here.lives(name)).toEqual({ begun: 2, overlaps: 0 })
  }
  expect(here.edge).toBe(edge)

  // Started on a full disk it says so and ends.
  await here.stop()
  await fillDisk(ballast)
  const args = here.fleet.edgeArgs('edge-1', ['--log-format', 'json'])
  const failed = await runCli('edgecore', args)
  expect(failed.code).toBe(3)
  expect(failed.stderr).toContain('DATA_DIRECTORY_UNUSABLE')
  expect(failed.stderr).toMatch(NO_ROOM)
  expect(failed.stderr).toContain(here.data)
  expect(failed.stderr).not.toMatch(/\n\s+at /)

  // To stop the pods needs no room: it may be they who took it.
  const stopped = await runCli('edgecore', ['stop-pods', '--data', here.data])
  expect(stopped).toMatchObject({ code: 0, stdout: 'stopped 6 pods\n' })
  await rm(ballast)
  expect(await here.lives('steady')).toEqual({ begun: 1, overlaps: 0 })
  await here.restart().line('connected to the cloud')
  await here.onlyReady(names)
  expect(await here.lives('steady')).toEqual({ begun: 2, overlaps: 0 })
  expect(new Set(await mapsOf('edge-1'))).toEqual(new Set(kept))
})
