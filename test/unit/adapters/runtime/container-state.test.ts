import { expect, test } from 'vitest'
import { type Evidence, judge } from '../../../../src/adapters/runtime/process/container-state.ts'

const CLAIM = { pid: 7, start: '1', atMs: 100 }
const EXIT = { code: 3, atMs: 200 }
const NOTHING: Evidence = {
  claim: undefined,
  exit: undefined,
  failure: undefined,
  killed: false,
  alive: false,
  sameBoot: true,
  oomKilled: false,
  nowMs: 900,
}

test.each<[string, Partial<Evidence>, unknown]>([
  ['nothing yet', {}, { state: 'created' }],
  ['a live process', { claim: CLAIM, alive: true }, { state: 'running' }],
  ['an exit code', { claim: CLAIM, exit: EXIT }, end(3, 'Error', 200)],
  ['an exit code of 0', { claim: CLAIM, exit: { code: 0, atMs: 200 } }, end(0, 'Completed', 200)],
  [
    'an exit code while the script still lives',
    { claim: CLAIM, exit: EXIT, alive: true },
    end(3, 'Error', 200),
  ],
  [
    'killed for want of memory',
    { claim: CLAIM, exit: { code: 137, atMs: 200 }, oomKilled: true },
    end(137, 'OOMKilled', 200),
  ],
  ['killed by us, script and all', { claim: CLAIM, killed: true }, end(137, 'Error', 900)],
  ['being killed by us', { claim: CLAIM, killed: true, alive: true }, { state: 'running' }],
  ['gone without a trace', { claim: CLAIM }, end(137, 'ContainerStatusUnknown', 900)],
  [
    'an exit code from before a reboot',
    { claim: CLAIM, exit: EXIT, sameBoot: false },
    end(3, 'Error', 200),
  ],
  [
    'running before a reboot',
    { claim: CLAIM, sameBoot: false },
    end(137, 'ContainerStatusUnknown', 900),
  ],
  [
    'the same pid alive after a reboot',
    { claim: CLAIM, alive: true, sameBoot: false },
    end(137, 'ContainerStatusUnknown', 900),
  ],
  ['not started before a reboot', { sameBoot: false }, end(137, 'ContainerStatusUnknown', 900)],
  [
    'a command that was not reached',
    { claim: CLAIM, failure: 'why', exit: { code: 128, atMs: 200 } },
    end(128, 'StartError', 200),
  ],
])('%s', (_name, evidence, verdict) => {
  expect(judge({ ...NOTHING, ...evidence })).toMatchObject(Object(verdict))
})

function end(exitCode: number, reason: string, finishedAtMs: number): unknown {
  return { state: 'ended', final: { exitCode, reason, finishedAtMs } }
}
