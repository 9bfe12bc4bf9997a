import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { readAccess } from '../../examples/shared/api-client.ts'
import { FALSE_CLOCK_REASON, type FalseClock, falseClock } from '../support/false-clock.ts'
import { skipUnless } from '../support/skip.ts'
import { FaultPlace, isReady, livingPod, type SeenPod } from './fault-place.ts'
import { until } from './fleet-programs.ts'

const HOUR = 3_600
const DAY = 24 * HOUR
const WAIT_MS = 90_000
/** The second wait of a container that fails, and the first that is one. */
const BACKOFF_SECONDS = 10
/** Between what the clock is put to and what is read of it, on a busy machine. */
const LEEWAY_MS = 5 * 60_000
const MAPS = '/api/v1/namespaces/default/configmaps'
const REVIEW = '/apis/authentication.k8s.io/v1/selfsubjectreviews'
const PROBE = { exec: { command: ['true'] }, periodSeconds: 1, timeoutSeconds: 30 }

let place: FaultPlace | undefined
let clock: FalseClock | undefined
let directory: string | undefined

afterEach(async () => {
  await place?.close()
  await clock?.close()
  if (directory !== undefined) await rm(directory, { recursive: true })
  place = undefined
  clock = undefined
  directory = undefined
})

/** What the API of the node says to somebody: the status, the body, and the time by its clock. */
async function ask(
  here: FaultPlace,
  token: string,
): Promise<{ readonly status: number; readonly body: string; readonly wallMs: number }> {
  const { server } = await readAccess(here.data, 'edgecore')
  return await new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const outgoing = request(new URL(REVIEW, server), {
      ...{ method: 'POST', headers, rejectUnauthorized: false, agent: false },
    })
    outgoing.once('error', reject)
    outgoing.once('response', (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.once('error', reject)
      response.once('end', () => {
        const { statusCode: status = 0 } = response
        resolve({ status, body, wallMs: Date.parse(response.headers.date ?? '') })
      })
    })
    outgoing.end(
      JSON.stringify({ apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }),
    )
  })
}

/** The token of a pod for the API, as its volume has it. */
async function tokenOf(here: FaultPlace, { metadata }: SeenPod): Promise<string> {
  const root = join(here.data, 'pods', 'pods', metadata.uid)
  const names = await readdir(root, { recursive: true })
  const path = names.find((name) => name.endsWith('/token') && !name.includes('..'))
  if (path === undefined) throw new Error(`no token in ${names.join(' ')}`)
  return await readFile(join(root, path), 'utf8')
}

const JUMPS = [
  { name: 'two hours ahead', seconds: 2 * HOUR, isRestarted: false },
  { name: 'three days ahead', seconds: 3 * DAY, isRestarted: true },
  { name: 'three hours behind', seconds: -3 * HOUR, isRestarted: false },
  { name: 'five days behind', seconds: -5 * DAY, isRestarted: true },
  { name: 'right again', seconds: 0, isRestarted: false },
]

test('the wall clock of a node jumps: pods, their waits, tokens and the link go on', async (context) => {
  directory = await mkdtemp(join(tmpdir(), 'tideway-clock-'))
  clock = await falseClock(directory)
  skipUnless(context, clock !== undefined, 'faketime', FALSE_CLOCK_REASON)
  const { env, put } = clock as FalseClock
  const here = await FaultPlace.open({ runtime: 'process', env })
  place = here
  const probes = { livenessProbe: PROBE, readinessProbe: PROBE }
  await here.create(livingPod(here, 'steady', { main: probes }))
  const steady = await here.podWhere('steady', isReady)
  const { startedAt } = runOf(steady)
  const first = await tokenOf(here, steady)
  // It fails again and again, and says by a clock that nobody puts when it began.
  const begins = join(here.livesFolder, 'begins')
  const fail = `cut -d' ' -f1 /proc/uptime >>${begins}; exit 1`
  await here.create(livingPod(here, 'failing', { script: fail }))

  const goesOn = async (map: string): Promise<void> => {
    const own = await here.fleet.api('edge-1')
    await own.expect('POST', MAPS, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: map } })
    const arrived = async (): Promise<boolean> =>
      (await here.api.send('GET', `${MAPS}/${map}`)).status === 200
    await until(`${map} at the cloud`, arrived, WAIT_MS)
    const now = runOf(await here.podWhere('steady', isReady))
    expect(now).toEqual({ restarts: 0, startedAt })
    expect(await here.lives('steady')).toEqual({ begun: 1, overlaps: 0 })
    expect(await nodeIsReady(here)).toBe(true)
  }
  for (const [index, { name, seconds, isRestarted }] of JUMPS.entries()) {
    const offMs = (atMs: number): number => Math.abs(atMs - (Date.now() + seconds * 1_000))
    await put(seconds)
    await until(name, async () => offMs((await ask(here, first)).wallMs) < LEEWAY_MS)
    // The one that a pod has read counts on, and so does the one that is in its place by and by.
    expect((await ask(here, first)).status).toBe(201)
    await goesOn(`map-${index}`)
    here.link.cut()
    here.link.restore()
    await goesOn(`map-${index}-linked`)
    await here.create(livingPod(here, `new-${index}`))
    const { status } = await here.podWhere(`new-${index}`, isReady)
    expect(offMs(Date.parse(status?.startTime ?? ''))).toBeLessThan(LEEWAY_MS)
    await here.delete(`new-${index}`)
    const isNewToken = async (): Promise<boolean> => (await tokenOf(here, steady)) !== first
    await until('a token by the new clock', isNewToken, WAIT_MS)
    expect((await ask(here, await tokenOf(here, steady))).status).toBe(201)
    if (index === 0) {
      const times = async (): Promise<readonly number[]> =>
        (await readFile(begins, 'utf8').catch(() => '')).split('\n').slice(0, -1).map(Number)
      const third = async (): Promise<boolean> => (await times()).length >= 3
      await until('the failing pod beginning once more', third, WAIT_MS)
      const [, second = 0, last = 0] = await times()
      expect(last - second).toBeGreaterThan(BACKOFF_SECONDS - 1)
      await here.delete('failing')
    }
    if (!isRestarted) continue
    await here.kill()
    await here.restart().line('connected to the cloud')
    await goesOn(`map-${index}-again`)
    const counts = async (): Promise<boolean> =>
      (await ask(here, await tokenOf(here, steady))).status === 201
    await until('a token of the new edgecore', counts, WAIT_MS)
  }
  await here.onlyReady(['steady'])
}, 300_000)

function runOf({ status }: SeenPod): { readonly restarts: number; readonly startedAt: string } {
  const [main] = status?.containerStatuses ?? []
  return { restarts: main?.restartCount ?? -1, startedAt: main?.state.running?.startedAt ?? '' }
}

/** Whether the cloud takes the node for ready. */
async function nodeIsReady({ api }: FaultPlace): Promise<boolean> {
  const { status } = (await api.expect('GET', '/api/v1/nodes/edge-1')) as unknown as SeenPod
  const ready = status?.conditions?.find(({ type }) => type === 'Ready')
  return ready?.status === 'True'
}
