import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { openMetrics } from '../../../../src/adapters/metrics/openmetrics/index.ts'
import { consoleLogger } from '../../../../src/index.ts'

test('names and values are as OpenMetrics has them', async () => {
  const metrics = openMetrics()
  metrics
    .counter({ name: 'events', help: 'Events.', labels: ['origin'] })
    .add(3, { origin: 'here' })
  metrics.gauge({ name: 'log_bytes', help: 'Bytes.' }).set(12)
  metrics.histogram({ name: 'append_seconds', help: 'Time.', buckets: [0.1, 1] }).observe(0.5)
  const text = await metrics.text()
  expect(metrics.contentType).toMatch(/^application\/openmetrics-text/)
  expect(text).toContain('# TYPE tideway_events counter\n')
  expect(text).toContain('tideway_events_total{origin="here"} 3\n')
  expect(text).toContain('tideway_log_bytes 12\n')
  expect(text).toContain('tideway_append_seconds_bucket{le="0.1"} 0\n')
  expect(text).toContain('tideway_append_seconds_bucket{le="1"} 1\n')
  expect(text).toContain('tideway_append_seconds_sum 0.5\n')
  expect(text.endsWith('# EOF\n')).toBe(true)
})

test('a series that is removed is gone', async () => {
  const metrics = openMetrics()
  const counter = metrics.counter({ name: 'bytes', help: 'Bytes.', labels: ['peer'] })
  for (const peer of ['a', 'b']) counter.add(1, { peer })
  counter.remove({ peer: 'a' })
  const text = await metrics.text()
  expect(text).not.toContain('peer="a"')
  expect(text).toContain('peer="b"')
})

test('the same measure twice is one, another kind of the same name is refused', async () => {
  const metrics = openMetrics()
  for (const _ of [1, 2]) metrics.gauge({ name: 'x', help: 'X.' }).set(1)
  expect(() => metrics.histogram({ name: 'x', help: 'X.', buckets: [1] })).toThrowError(
    expect.objectContaining({ code: 'USAGE_INVALID_ARGUMENT' }),
  )
})

test('the registry and the prefix of the application are used', async () => {
  const registry = new Registry()
  const metrics = openMetrics({ registry, prefix: 'app_sync_' })
  metrics.counter({ name: 'merges', help: 'Merges.' }).add(2)
  expect(await registry.metrics()).toContain('app_sync_merges_total 2\n')
  expect(() => openMetrics({ prefix: '9 lives' })).toThrowError(
    expect.objectContaining({
      code: 'USAGE_INVALID_ARGUMENT',
      fields: expect.objectContaining({ field: 'prefix' }),
    }),
  )
})

test('what is looked up is looked up at each reading, and one failure does not hide the rest', async () => {
  const metrics = openMetrics({ logger: consoleLogger('silent') })
  const gauge = metrics.gauge({ name: 'looks', help: 'Looks.' })
  let looks = 0
  metrics.onScrape(() => Promise.reject(new Error('gone')))
  const stop = metrics.onScrape(() => {
    looks += 1
    gauge.set(looks)
  })
  await metrics.text()
  expect(await metrics.text()).toContain('tideway_looks 2\n')
  stop()
  await metrics.text()
  expect(looks).toBe(2)
})
