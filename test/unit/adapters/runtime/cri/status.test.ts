import { expect, test } from 'vitest'
import { endOf } from '../../../../../src/adapters/runtime/cri/engine-session.ts'
import type {
  ContainerItem,
  ContainerStatusMessage,
} from '../../../../../src/adapters/runtime/cri/messages.ts'
import { containerStatus, millisOf } from '../../../../../src/adapters/runtime/cri/status.ts'

const ITEM: ContainerItem = {
  id: 'c1',
  podSandboxId: 's1',
  metadata: { name: 'main', attempt: 1 },
  image: { image: 'sha256:1' },
  imageRef: 'sha256:1',
  state: 'CONTAINER_EXITED',
  createdAt: '1700000000123456789',
  labels: { 'io.kubernetes.pod.uid': 'u1' },
  annotations: {},
}
const ENDED: ContainerStatusMessage = {
  ...ITEM,
  startedAt: '1700000001000000000',
  finishedAt: '1700000002000000000',
  exitCode: 3,
  reason: 'Error',
  message: '',
}

test('a time of 0 is none', () => {
  expect([millisOf('0'), millisOf(''), millisOf('1700000000123456789')]).toEqual([
    undefined,
    undefined,
    1_700_000_000_123,
  ])
})

test('what has ended says how and when', () => {
  expect(containerStatus(ITEM, ENDED)).toMatchObject({
    podUid: 'u1',
    state: 'exited',
    startedAtMs: 1_700_000_001_000,
    finishedAtMs: 1_700_000_002_000,
    exitCode: 3,
    reason: 'Error',
    message: undefined,
  })
})

test('what runs has neither an end nor a reason', () => {
  const running = { ...ITEM, state: 'CONTAINER_RUNNING' } as const
  const details = { ...ENDED, state: 'CONTAINER_RUNNING', exitCode: 0, reason: '' } as const
  expect(containerStatus(running, details)).toMatchObject({
    state: 'running',
    finishedAtMs: undefined,
    exitCode: undefined,
    reason: undefined,
  })
})

test.each([
  ['Unknown', 255, 'ContainerStatusUnknown'],
  ['', 0, 'Completed'],
  ['', 1, 'Error'],
  ['OOMKilled', 137, 'OOMKilled'],
])('the reason %j with the exit code %d is %s', (reason, exitCode, shown) => {
  expect(containerStatus(ITEM, { ...ENDED, reason, exitCode }).reason).toBe(shown)
})

test('a start that the engine gave up as nobody asked any more has not failed', () => {
  const cancelled =
    'failed to create containerd task: failed to create shim task: context canceled: unknown'
  const failed = { ...ENDED, startedAt: '0', exitCode: 128, reason: 'StartError' }
  const stateOf = (details: ContainerStatusMessage): string => containerStatus(ITEM, details).state
  expect(containerStatus(ITEM, { ...failed, message: cancelled })).toMatchObject({
    ...{ state: 'created', exitCode: undefined, reason: undefined, finishedAtMs: undefined },
  })
  const other =
    'failed to create containerd task: failed to create shim task: OCI runtime create failed'
  expect(stateOf({ ...failed, message: other })).toBe('exited')
  const killed =
    'failed to create containerd task: failed to start shim: start failed: : signal: killed: unknown'
  expect(stateOf({ ...failed, message: killed })).toBe('created')
  // There may have been a process.
  expect(
    stateOf({ ...failed, message: 'failed to start containerd task "c1": context canceled' }),
  ).toBe('exited')
  expect(stateOf({ ...ENDED, message: cancelled })).toBe('exited')
})

test.each([
  ['{"status":"Success"}', { type: 'exited', exitCode: 0 }],
  [
    '{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"5"}]}}',
    { type: 'exited', exitCode: 5 },
  ],
  ['{"status":"Failure","message":"no such file"}', { type: 'failed', message: 'no such file' }],
  ['not JSON', { type: 'failed', message: 'not JSON' }],
  ['', { type: 'failed', message: 'the engine did not tell how it ended' }],
])('the end %s of a session is %j', (text, end) => {
  expect(endOf(text)).toEqual(end)
})
