import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { systemClock } from 'tideway'
import { builtinResources } from 'tideway/adapters/kubernetes/objects'
import { expect, test } from 'vitest'
import { catalogOf } from '../../../../../src/adapters/kubernetes/server/catalog.ts'
import { parseRequest } from '../../../../../src/adapters/kubernetes/server/request.ts'
import { createRequestCounts } from '../../../../../src/adapters/kubernetes/server/request-counts.ts'

const newCounts = (): ReturnType<typeof createRequestCounts> =>
  createRequestCounts(systemClock, catalogOf(builtinResources))
type Counts = ReturnType<typeof newCounts>

/** As much of an answer as is counted. */
function ask(counts: Counts, method: string, path: string, statusCode = 200): EventEmitter {
  const response = Object.assign(new EventEmitter(), { statusCode })
  counts.begin(parseRequest(method, path), method, response as unknown as ServerResponse)
  return response
}

const linesOf = (counts: Counts): readonly string[] => counts.answer().text.split('\n')

test('requests are counted by what they ask and by what they are answered', () => {
  const counts = newCounts()
  const watch = ask(counts, 'GET', '/api/v1/pods?watch=true')
  ask(counts, 'GET', '/apis/apps/v1/namespaces/n/deployments/d/scale').emit('close')
  ask(counts, 'PUT', '/apis/apps/v1/namespaces/n/deployments/d', 409).emit('close')
  ask(counts, 'GET', '/nowhere', 404).emit('close')
  const open = linesOf(counts)
  expect(open).toContain('apiserver_current_inflight_requests{request_kind="readOnly"} 1')
  expect(open).toContain('apiserver_current_inflight_requests{request_kind="mutating"} 0')
  watch.emit('close')
  expect(linesOf(counts).filter((line) => line.startsWith('apiserver_request_total'))).toEqual([
    'apiserver_request_total{code="200",group="apps",resource="deployments",scope="resource",subresource="scale",verb="GET",version="v1"} 1',
    'apiserver_request_total{code="409",group="apps",resource="deployments",scope="resource",subresource="",verb="PUT",version="v1"} 1',
    'apiserver_request_total{code="404",group="",resource="",scope="",subresource="",verb="GET",version=""} 1',
    'apiserver_request_total{code="200",group="",resource="pods",scope="cluster",subresource="",verb="WATCH",version="v1"} 1',
  ])
})

test('memory is bounded, and no name that a client makes up is told', () => {
  const counts = newCounts()
  for (let i = 0; i < 3_000; i += 1) {
    ask(counts, 'GET', `/api/v1/namespaces/n/pods/p/part-${i}`, 404).emit('close')
    ask(counts, 'GET', `/api/v1/things-${i}`, 404).emit('close')
    ask(counts, 'GET', '/api/v1/namespaces/n/pods/p/a%22%7D%201%0Ab', i).emit('close')
  }
  const lines = linesOf(counts)
  const of = (labels: string): string | undefined =>
    lines.find((line) => line.startsWith('apiserver_request_total') && line.includes(labels))
  expect(of('code="404",group="",resource="pods"')).toMatch(/subresource="other".* 3001$/)
  expect(of('resource="",scope="",subresource="",verb="LIST"')).toMatch(/ 3000$/)
  expect(of('verb="other"')).toMatch(/ 1001$/)
  expect(lines.length).toBeLessThan(3 * 2_001 + 20)
  for (const line of lines.filter((one) => one !== '' && !one.startsWith('#')))
    expect(line).toMatch(/^[a-z_]+(?:\{(?:[a-z_]+="[A-Za-z0-9.-]*",?)*\})? [0-9.e+-]+$/)
})
