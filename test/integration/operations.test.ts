import { afterAll, beforeAll, expect, test } from 'vitest'
import { TestFleet, until } from './fleet-programs.ts'

const MEASURED = ['--metrics-address', '127.0.0.1:0']

let fleet: TestFleet
beforeAll(async () => {
  fleet = await TestFleet.create()
})
afterAll(() => fleet.close())

async function read(url: unknown, path: string): Promise<string> {
  const response = await fetch(`${String(url)}${path}`)
  expect(response.status, path).toBe(200)
  return await response.text()
}

test('both programs show how they are, and how far the other side is', async () => {
  const cloud = await fleet.startCloud(MEASURED)
  const { metrics: atCloud } = await cloud.line('ready')
  const token = await fleet.token('edge-1')
  const edge = await fleet.startEdge('edge-1', ['--token', token, ...MEASURED])
  const { metrics: atEdge } = await edge.line('ready')
  for (const url of [atCloud, atEdge]) {
    expect(await read(url, '/healthz')).toBe('ok\n')
    expect(await read(url, '/readyz')).toBe('ok\n')
  }
  await until('the edge is connected and level', async () => {
    const text = await read(atCloud, '/metrics')
    return text.includes('tideway_peer_lag_events{peer="edge-1"} 0\n')
  })
  expect(await read(atEdge, '/metrics')).toMatch(/tideway_uplink_connected\{address="[^"]+"\} 1\n/)
  const status = JSON.parse(await read(atEdge, '/status')) as {
    readonly logBytes: number
    readonly uplinks: readonly { readonly state: string; readonly peer: string }[]
  }
  expect(status.uplinks).toMatchObject([{ state: 'connected', peer: 'cloud' }])
  expect(status.logBytes).toBeGreaterThanOrEqual(0)
  await edge.stop()
  await cloud.stop()
})
