import { expect, test } from 'vitest'
import type { ContainerDetails } from '../../../../../src/adapters/runtime/engine/messages.ts'
import {
  containerStatus,
  millisOf,
  sandboxStatus,
  stateOf,
} from '../../../../../src/adapters/runtime/engine/status.ts'
import { usageIn } from '../../../../../src/adapters/runtime/engine/usage.ts'

const SPEC = { image: 'app:1', labels: { hash: '7' }, logPath: '/logs/main.log' }
const LABELS = {
  'io.kubernetes.pod.uid': 'uid-1',
  'io.kubernetes.container.name': 'main',
  'tideway.io/container-attempt': '2',
  'tideway.io/sandbox-id': 'sandbox-1',
  'tideway.io/spec': JSON.stringify(SPEC),
}
const NONE = '0001-01-01T00:00:00Z'
const STATE = {
  Status: 'running',
  Running: true,
  OOMKilled: false,
  Pid: 7,
  ExitCode: 0,
  Error: '',
  StartedAt: '2026-01-02T03:04:05.678901234Z',
  FinishedAt: NONE,
}

function details(
  state: Partial<typeof STATE>,
  over: Partial<ContainerDetails> = {},
): ContainerDetails {
  return {
    Id: 'container-1',
    Created: '2026-01-02T03:04:05.5Z',
    Image: 'sha256:1',
    State: { ...STATE, ...state },
    Config: { Labels: LABELS },
    HostConfig: { NetworkMode: 'container:sandbox-1' },
    ...over,
  }
}

test('a container that runs', () => {
  expect(containerStatus(details({}), 'app@sha256:2', undefined)).toEqual({
    id: 'container-1',
    sandboxId: 'sandbox-1',
    podUid: 'uid-1',
    name: 'main',
    attempt: 2,
    image: 'app:1',
    imageId: 'app@sha256:2',
    state: 'running',
    createdAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 500),
    startedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    finishedAtMs: undefined,
    exitCode: undefined,
    signal: undefined,
    reason: undefined,
    message: undefined,
    logPath: '/logs/main.log',
    labels: { hash: '7' },
  })
})

test.each([
  [{ ExitCode: 0 }, 'Completed'],
  [{ ExitCode: 3 }, 'Error'],
  [{ ExitCode: 137, OOMKilled: true }, 'OOMKilled'],
])('one that has ended with %j is %s', (end, reason) => {
  const FinishedAt = '2026-01-02T03:05:05Z'
  const state = { Status: 'exited', Running: false, FinishedAt, ...end }
  const status = containerStatus(details(state), '', undefined)
  expect(status).toMatchObject({ state: 'exited', exitCode: end.ExitCode, reason })
  expect(status.finishedAtMs).toBe(Date.UTC(2026, 0, 2, 3, 5, 5))
})

test('one that did not start has ended, whether the engine keeps why or not', () => {
  const created = { Status: 'created', Running: false, StartedAt: NONE }
  const expected = { state: 'exited', exitCode: 128, reason: 'StartError', message: 'why' }
  expect(containerStatus(details({ ...created, Error: 'why' }), '', undefined)).toMatchObject(
    expected,
  )
  expect(containerStatus(details(created), '', 'why')).toMatchObject(expected)
  expect(containerStatus(details(created), '', undefined)).toMatchObject({ state: 'created' })
})

test('damaged labels give a container of nobody', () => {
  const Labels = { ...LABELS, 'tideway.io/spec': '{' }
  const status = containerStatus(details({}, { Config: { Labels } }), '', undefined)
  expect(status).toMatchObject({ image: '', logPath: '', labels: {} })
})

test('a sandbox has the address of its network, and none with that of the machine', () => {
  const spec = { namespace: 'n', name: 'p', uid: 'uid-1', hostname: 'p', directory: '/d' }
  const Config = { Labels: { 'tideway.io/spec': JSON.stringify(spec) } }
  const Networks = { own: { IPAddress: '10.1.2.3' } }
  const NetworkSettings = { IPAddress: '', Networks }
  const own = details({}, { Config, NetworkSettings, HostConfig: { NetworkMode: 'bridge' } })
  expect(sandboxStatus(own)).toMatchObject({ uid: 'uid-1', ready: true, ip: '10.1.2.3' })
  const host = details({}, { Config, NetworkSettings, HostConfig: { NetworkMode: 'host' } })
  expect(sandboxStatus(host)?.ip).toBeUndefined()
  expect(sandboxStatus(details({}, { Config: { Labels: null } }))).toBeUndefined()
})

test('states of both engines, and times of none', () => {
  expect(['configured', 'stopping', 'stopped', 'dead', '?'].map(stateOf)).toEqual([
    'created',
    'running',
    'exited',
    'exited',
    'unknown',
  ])
  expect([millisOf(''), millisOf(NONE), millisOf('never')]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})

test('memory in use is without files that were only read, in both versions of cgroups', () => {
  const container = containerStatus(details({}), '', undefined)
  const cpu_stats = { cpu_usage: { total_usage: 5 } }
  const of = (stats: Record<string, number>): number | undefined =>
    usageIn({ cpu_stats, memory_stats: { usage: 100, stats } }, container)?.memoryBytes
  expect(of({ total_inactive_file: 30, inactive_file: 20 })).toBe(70)
  expect(of({ inactive_file: 20 })).toBe(80)
  expect(usageIn({}, container)).toBeUndefined()
})
