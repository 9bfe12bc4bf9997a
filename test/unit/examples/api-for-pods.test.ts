import { expect, test } from 'vitest'
import { apiForPods } from '../../../examples/edgecore/api-for-pods.ts'

const OUTSIDE = ['192.0.2.7', '192.0.2.8']

test.each([
  { listens: '127.0.0.1', ownNetworks: false, host: '127.0.0.1', isReachable: true },
  { listens: '0.0.0.0', ownNetworks: false, host: '127.0.0.1', isReachable: true },
  { listens: '192.0.2.9', ownNetworks: false, host: '192.0.2.9', isReachable: true },
  { listens: '127.0.0.1', ownNetworks: true, host: '127.0.0.1', isReachable: false },
  { listens: '::1', ownNetworks: true, host: '::1', isReachable: false },
  { listens: 'localhost', ownNetworks: true, host: 'localhost', isReachable: false },
  { listens: '192.0.2.9', ownNetworks: true, host: '192.0.2.9', isReachable: true },
  { listens: '0.0.0.0', ownNetworks: true, host: '192.0.2.7', isReachable: true },
  { listens: '::', ownNetworks: true, host: '192.0.2.7', isReachable: true },
])('an API at $listens, with networks of pods: $ownNetworks', (row) => {
  const { listens, ownNetworks, host, isReachable } = row
  const found = apiForPods({ listens, address: undefined, ownNetworks }, OUTSIDE)
  expect(found).toEqual({ host, isReachable })
})

test('an API that listens everywhere is where the node says that it is', () => {
  const place = { listens: '0.0.0.0', address: '203.0.113.5', ownNetworks: true }
  expect(apiForPods(place, OUTSIDE)).toEqual({ host: '203.0.113.5', isReachable: true })
})

test('a machine without a network says that its pods cannot reach it', () => {
  const place = { listens: '0.0.0.0', address: undefined, ownNetworks: true }
  expect(apiForPods(place, [])).toEqual({ host: '127.0.0.1', isReachable: false })
})
