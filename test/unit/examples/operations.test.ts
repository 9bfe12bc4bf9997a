import { afterEach, expect, test } from 'vitest'
import { Teardown } from '../../../examples/shared/lifetime.ts'
import { metricsAddressSetting, Operations } from '../../../examples/shared/operations.ts'
import { consoleLogger } from '../../../src/index.ts'
import { openTestReplica } from '../../support/fleet.ts'

const logger = consoleLogger('silent')
let teardown = new Teardown(logger)
afterEach(async () => {
  await teardown.close()
  teardown = new Teardown(logger)
})

test('without an address nothing is served and nothing is measured', async () => {
  const operations = await Operations.open(undefined, logger, teardown)
  expect([operations.metrics, operations.url]).toEqual([undefined, undefined])
  operations.ready()
  expect(metricsAddressSetting.fallback()).toBeUndefined()
})

test('measures, health, readiness and status of a replica are served', async () => {
  const address = { host: '127.0.0.1', port: 0 }
  const operations = await Operations.open(address, logger, teardown)
  const get = (path: string, method = 'GET'): Promise<Response> =>
    fetch(`${operations.url}${path}`, { method })
  expect((await get('/healthz')).status).toBe(200)
  expect((await get('/readyz')).status).toBe(503)
  expect((await get('/status')).status).toBe(503)

  const replica = await openTestReplica({ name: 'shown', metrics: operations.metrics })
  teardown.add('replica', () => replica.close())
  operations.show(replica)
  operations.ready()
  const note = await replica.open<{ n?: number }>('a/1', { collection: 'a' })
  note.change(() => ({ n: 1 }))
  await note.durable()
  expect((await get('/readyz')).status).toBe(200)
  const metrics = await get('/metrics')
  expect(metrics.headers.get('content-type')).toMatch(/^application\/openmetrics-text/)
  const text = await metrics.text()
  expect(text).toContain('tideway_appended_events_total{origin="local"} 1\n')
  expect(text).toContain('tideway_log_head 1\n')
  const status = (await (await get('/status')).json()) as { name: string; head: number }
  expect(status).toMatchObject({ name: 'shown', head: 1 })
  expect((await get('/else')).status).toBe(404)
  expect((await get('/metrics', 'POST')).status).toBe(405)
})

test('an address that is taken fails the start', async () => {
  const first = await Operations.open({ host: '127.0.0.1', port: 0 }, logger, teardown)
  const port = Number(new URL(first.url ?? '').port)
  await expect(
    Operations.open({ host: '127.0.0.1', port }, logger, teardown),
  ).rejects.toMatchObject({ code: 'EADDRINUSE' })
})
