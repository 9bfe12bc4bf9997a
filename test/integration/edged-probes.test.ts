import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { eventually } from '../support/fleet.ts'
import { steadyPort } from '../support/steady-port.ts'
import { type EdgedPlace, mainOf, openPlace, type PodStatus, shellPod } from './edged-place.ts'

const places: EdgedPlace[] = []
afterEach(async () => {
  for (const place of places.splice(0)) await place.dispose()
})

async function open(): Promise<EdgedPlace> {
  const place = await openPlace()
  places.push(place)
  return place
}

/** A container whose process is node with a program of one line. */
function nodeContainer(program: string, more: object): object {
  return { command: [process.execPath, '-e', program], ...more }
}

/** The messages of all events of a reason, in the order in which they came. */
function told(place: EdgedPlace, reason: string): readonly string[] {
  const events = place.store.list('events').items.filter((event) => event['reason'] === reason)
  return events.map((event) => String(event['message']))
}

function isReady(status: PodStatus): boolean {
  return mainOf(status)?.ready === true
}

test('readiness follows what an HTTP server answers, also across a restart of edged', async () => {
  const place = await open()
  const port = await steadyPort()
  const sign = join(place.directory, 'sign')
  const program = `require('node:http').createServer((request, response) => {
    const isUp = require('node:fs').existsSync(${JSON.stringify(sign)})
    const isOk = request.url === '/ok?deep=1' && request.headers['x-who'] === 'probe'
    if (request.url === '/start') response.writeHead(302, { location: '/ok?deep=1' })
    else response.writeHead(isUp && isOk ? 200 : 503)
    response.end()
  }).listen(${port}, '127.0.0.1')`
  const httpGet = { path: '/start', port: 'web', httpHeaders: [{ name: 'X-Who', value: 'probe' }] }
  await place.create(
    shellPod(
      'web',
      '',
      {},
      nodeContainer(program, {
        ports: [{ name: 'web', containerPort: port }],
        readinessProbe: { httpGet, periodSeconds: 1, failureThreshold: 1 },
      }),
    ),
  )
  const first = await place.podWhere('web', (each) => mainOf(each)?.state.running !== undefined)
  expect(mainOf(first)).toMatchObject({ ready: false, started: true })
  await eventually(() =>
    told(place, 'Unhealthy').includes(
      'Readiness probe failed: HTTP probe failed with statuscode: 503',
    ),
  )
  await writeFile(sign, '')
  const ready = await place.podWhere('web', isReady)
  expect(ready.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True')

  await place.down()
  const seen: boolean[] = []
  const cancel = place.store.watch('pods', {}, ({ object }) => {
    seen.push(isReady(object['status'] as unknown as PodStatus))
  })
  await place.up()
  await rm(sign)
  await place.podWhere('web', (each) => !isReady(each))
  cancel()
  // It went from ready to not ready once, when it was looked at.
  expect(seen.filter((each) => !each)).toHaveLength(1)
  expect(mainOf(await place.podWhere('web', () => true))?.restartCount).toBe(0)
})

test('a container that fails its liveness probe is killed and started again', async () => {
  const place = await open()
  const sign = join(place.directory, 'sick')
  const livenessProbe = {
    exec: { command: ['sh', '-c', `! test -e $(SIGN) || { echo sick; exit 3; }`] },
    periodSeconds: 1,
    failureThreshold: 2,
    terminationGracePeriodSeconds: 1,
  }
  await place.create(
    shellPod(
      'web',
      'trap "" TERM; while :; do sleep 0.05; done',
      { terminationGracePeriodSeconds: 600 },
      { livenessProbe, env: [{ name: 'SIGN', value: sign }] },
    ),
  )
  await place.podWhere('web', isReady)
  await writeFile(sign, '')
  await eventually(() => told(place, 'Killing').length > 0)
  await rm(sign)
  const status = await place.podWhere('web', (each) => mainOf(each)?.restartCount === 1)
  expect(mainOf(status)?.lastState.terminated).toMatchObject({ exitCode: 137 })
  expect(told(place, 'Unhealthy')).toEqual(['Liveness probe failed: sick\n'])
  expect(told(place, 'Killing')).toEqual([
    'Container main failed liveness probe, will be restarted',
  ])
  const after = await place.podWhere('web', isReady)
  expect(mainOf(after)?.restartCount).toBe(1)
})

test('nothing else is looked at before a container has started', async () => {
  const place = await open()
  const port = await steadyPort()
  const sign = join(place.directory, 'listen')
  const looked = join(place.directory, 'looked')
  const program = `const fs = require('node:fs')
    const timer = setInterval(() => {
      if (!fs.existsSync(${JSON.stringify(sign)})) return
      clearInterval(timer)
      require('node:net').createServer((socket) => socket.end()).listen(${port}, '127.0.0.1')
    }, 20)`
  const look = { exec: { command: ['touch', looked] }, periodSeconds: 1 }
  await place.create(
    shellPod(
      'slow',
      '',
      {},
      nodeContainer(program, {
        startupProbe: { tcpSocket: { port }, periodSeconds: 1, failureThreshold: 60 },
        readinessProbe: look,
        livenessProbe: look,
      }),
    ),
  )
  await eventually(() => told(place, 'Unhealthy').length > 0)
  expect(told(place, 'Unhealthy')).toEqual([
    `Startup probe failed: dial tcp 127.0.0.1:${port}: connect: connection refused`,
  ])
  const before = await place.podWhere('slow', (each) => mainOf(each)?.state.running !== undefined)
  expect(mainOf(before)).toMatchObject({ started: false, ready: false })
  expect(existsSync(looked)).toBe(false)
  await writeFile(sign, '')
  const after = await place.podWhere('slow', isReady)
  expect(mainOf(after)).toMatchObject({ started: true, restartCount: 0 })
  expect(existsSync(looked)).toBe(true)
})

test('a probe that hangs ends with its time, and the pod by its policy', async () => {
  const place = await open()
  const startupProbe = {
    exec: { command: ['sleep', '100'] },
    periodSeconds: 1,
    failureThreshold: 1,
  }
  const spec = { restartPolicy: 'Never' }
  await place.create(shellPod('stuck', 'sleep 100', spec, { startupProbe }))
  await place.podWhere('stuck', (each) => each.phase === 'Failed')
  expect(told(place, 'Unhealthy')).toEqual([
    'Startup probe failed: command timed out: "sleep 100" timed out after 1s',
  ])
  expect(told(place, 'Killing')).toEqual(['Stopping container main'])
})

test('gRPC: a service that serves is ready, one that does not is not', async () => {
  const place = await open()
  const port = await steadyPort()
  const program = `require('node:http2').createServer().on('stream', (stream, headers) => {
    stream.on('data', (bytes) => {
      const isBad = bytes.subarray(5).toString().includes('bad')
      const isOk = headers[':path'] === '/grpc.health.v1.Health/Check'
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': isOk ? '0' : '12' }))
      stream.end(Buffer.from([0, 0, 0, 0, 2, 8, isBad ? 2 : 1]))
    })
  }).listen(${port}, '127.0.0.1')`
  const probe = (service: string) => ({
    readinessProbe: { grpc: { port, service }, periodSeconds: 1, timeoutSeconds: 5 },
  })
  await place.create(shellPod('good', '', {}, nodeContainer(program, probe('fine'))))
  await place.podWhere('good', isReady)
  await place.create(shellPod('bad', 'sleep 100', {}, probe('bad')))
  await eventually(() =>
    told(place, 'Unhealthy').includes(
      'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")',
    ),
  )
  expect(isReady(await place.podWhere('bad', () => true))).toBe(false)
})
