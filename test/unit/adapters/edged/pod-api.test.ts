import { expect, test } from 'vitest'
import { serviceVariables } from '../../../../src/adapters/edged/environment/link-variables.ts'
import {
  type PodToken,
  type PodTokenAsk,
  PodTokens,
} from '../../../../src/adapters/edged/pod-tokens.ts'
import type { JsonObject, KubeObject } from '../../../../src/adapters/kubernetes/objects/types.ts'
import { consoleLogger } from '../../../../src/index.ts'
import { ManualClock } from '../reconciler/manual-clock.ts'
import { pod } from './pods.ts'

function service(name: string, spec: JsonObject, namespace = 'shop'): KubeObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace }, spec }
}

const web = service('web-front', {
  clusterIP: '10.96.0.7',
  ports: [
    { name: 'http', port: 80, protocol: 'TCP' },
    { name: 'dns-query', port: 53, protocol: 'UDP' },
  ],
})
const api = service('kubernetes', { clusterIP: '10.96.0.1', ports: [{ port: 443 }] }, 'default')

test('services are variables as kubelet writes them', () => {
  expect(serviceVariables([web], 'shop', true, undefined)).toEqual({
    WEB_FRONT_SERVICE_HOST: '10.96.0.7',
    WEB_FRONT_SERVICE_PORT: '80',
    WEB_FRONT_SERVICE_PORT_HTTP: '80',
    WEB_FRONT_SERVICE_PORT_DNS_QUERY: '53',
    WEB_FRONT_PORT: 'tcp://10.96.0.7:80',
    WEB_FRONT_PORT_80_TCP: 'tcp://10.96.0.7:80',
    WEB_FRONT_PORT_80_TCP_PROTO: 'tcp',
    WEB_FRONT_PORT_80_TCP_PORT: '80',
    WEB_FRONT_PORT_80_TCP_ADDR: '10.96.0.7',
    WEB_FRONT_PORT_53_UDP: 'udp://10.96.0.7:53',
    WEB_FRONT_PORT_53_UDP_PROTO: 'udp',
    WEB_FRONT_PORT_53_UDP_PORT: '53',
    WEB_FRONT_PORT_53_UDP_ADDR: '10.96.0.7',
  })
})

test('without links, only the API is told, from where it is reached here', () => {
  const place = { host: 'fd00::1', port: 6444 }
  expect(serviceVariables([api, web], 'shop', false, place)).toEqual({
    KUBERNETES_SERVICE_HOST: 'fd00::1',
    KUBERNETES_SERVICE_PORT: '6444',
    KUBERNETES_SERVICE_PORT_HTTPS: '6444',
    KUBERNETES_PORT: 'tcp://[fd00::1]:6444',
    KUBERNETES_PORT_6444_TCP: 'tcp://[fd00::1]:6444',
    KUBERNETES_PORT_6444_TCP_PROTO: 'tcp',
    KUBERNETES_PORT_6444_TCP_PORT: '6444',
    KUBERNETES_PORT_6444_TCP_ADDR: 'fd00::1',
  })
})

test('services without an address, and those of other namespaces, are left out', () => {
  const headless = service('none', { clusterIP: 'None', ports: [{ port: 1 }] })
  const external = service('far', { type: 'ExternalName', externalName: 'a.b' })
  const found = serviceVariables([api, headless, external, web], 'other', true, undefined)
  expect(found).toMatchObject({ KUBERNETES_SERVICE_HOST: '10.96.0.1' })
  expect(Object.keys(found).filter((name) => !name.startsWith('KUBERNETES'))).toEqual([])
})

const projected = pod({
  serviceAccountName: 'robot',
  volumes: [
    {
      name: 'v',
      projected: {
        sources: [
          { serviceAccountToken: { path: 'token', expirationSeconds: 1_000 } },
          { serviceAccountToken: { path: 'other', audience: 'vault', expirationSeconds: 1_000 } },
        ],
      },
    },
  ],
})

/** Issues numbered tokens until it is told to fail. */
function issuer(clock: ManualClock): {
  readonly asked: PodTokenAsk[]
  fails: boolean
  readonly issue: (ask: PodTokenAsk) => PodToken
} {
  const made = {
    asked: [] as PodTokenAsk[],
    fails: false,
    issue: (ask: PodTokenAsk): PodToken => {
      if (made.fails) throw new Error('serviceaccounts "robot" not found')
      made.asked.push(ask)
      return {
        token: `t${made.asked.length}`,
        expiresAtMs: clock.wallMs() + ask.seconds * 1_000,
      }
    },
  }
  return made
}

const logger = consoleLogger('silent')

test('a token is asked for once, and again at four fifths of its life', async () => {
  const clock = new ManualClock()
  const made = issuer(clock)
  const tokens = new PodTokens(made.issue, clock, logger)
  const first = await tokens.of(projected)
  expect([...first.values()]).toEqual([{ token: 't1' }, { token: 't2' }])
  expect(made.asked).toEqual([
    {
      namespace: 'shop',
      account: 'robot',
      pod: { name: 'web', uid: 'u-1' },
      audience: undefined,
      seconds: 1_000,
    },
    expect.objectContaining({ audience: 'vault' }),
  ])
  expect(tokens.refreshAtMs('u-1')).toBe(800_000)
  clock.advance(799_999)
  expect([...(await tokens.of(projected)).values()]).toEqual([{ token: 't1' }, { token: 't2' }])
  clock.advance(1)
  expect([...(await tokens.of(projected)).values()]).toEqual([{ token: 't3' }, { token: 't4' }])
  tokens.forget('u-1')
  expect(tokens.refreshAtMs('u-1')).toBeUndefined()
})

test('a token that cannot be replaced stays until it ends', async () => {
  const clock = new ManualClock()
  const made = issuer(clock)
  const tokens = new PodTokens(made.issue, clock, logger)
  await tokens.of(projected)
  made.fails = true
  clock.advance(900_000)
  expect([...(await tokens.of(projected)).values()]).toEqual([{ token: 't1' }, { token: 't2' }])
  expect(tokens.refreshAtMs('u-1')).toBe(910_000)
  clock.advance(100_000)
  const problem = { problem: 'failed to fetch token: serviceaccounts "robot" not found' }
  expect([...(await tokens.of(projected)).values()]).toEqual([problem, problem])
})

test('a token that lives long is replaced after a day', async () => {
  const clock = new ManualClock()
  const year = (): PodToken => ({ token: 't', expiresAtMs: 365 * 24 * 3_600_000 })
  const tokens = new PodTokens(year, clock, logger)
  await tokens.of(projected)
  expect(tokens.refreshAtMs('u-1')).toBe(24 * 3_600_000)
})

test('a token that does not count yet, as the clock was put back, is replaced', async () => {
  const clock = new ManualClock()
  const made = issuer(clock)
  let aheadMs = 0
  const put = {
    monotonicMs: () => clock.monotonicMs(),
    wallMs: () => clock.wallMs() + aheadMs,
    schedule: clock.schedule.bind(clock),
  }
  const tokens = new PodTokens(made.issue, put, logger)
  await tokens.of(projected)
  // Trimmed only.
  aheadMs = -1_000
  expect([...(await tokens.of(projected)).values()]).toEqual([{ token: 't1' }, { token: 't2' }])
  aheadMs = -3_600_000
  expect([...(await tokens.of(projected)).values()]).toEqual([{ token: 't3' }, { token: 't4' }])
  expect([...(await tokens.of(projected)).values()]).toEqual([{ token: 't3' }, { token: 't4' }])
})
