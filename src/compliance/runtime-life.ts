import type { ContainerStatus } from '../adapters/runtime/index.ts'
import { check, checkEqual } from './check.ts'
import type { RuntimeCheck } from './runtime-fixture.ts'

/** Says when it is told to end, and ends with a code of its own. */
const POLITE = 'trap "echo asked; exit 9" TERM; echo up; while :; do sleep 0.05; done'
/** Ends only when it is killed. */
const STUBBORN = 'trap "" TERM; echo up; while :; do sleep 0.05; done'

/** How often two calls are made at once that must not meet. */
const RACES = 3

/** What is promised of ends, of repeated calls and of drivers that come and go. */
export const lifeChecks: readonly RuntimeCheck[] = [
  {
    name: 'stopping asks first: a container that ends in time keeps its own exit code',
    async run({ runtime, sandbox, shell, until, eventually, readLog }) {
      const spec = shell(POLITE)
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await eventually(async () => (await readLog(spec.logPath)).includes('up'), 'coming up')
      await runtime.stopContainer(id, 10_000)
      const ended = await until(id, (each) => each.state === 'exited', 'waiting for the end')
      checkEqual(ended.exitCode, 9, 'exit code')
      check((await readLog(spec.logPath)).includes('asked'), 'its last words are not in the log')
    },
  },
  {
    name: 'a container that does not end within its grace is killed',
    async run({ runtime, sandbox, shell, until, eventually, readLog }) {
      const spec = shell(STUBBORN)
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await eventually(async () => (await readLog(spec.logPath)).includes('up'), 'coming up')
      await runtime.stopContainer(id, 100)
      const ended = await until(id, (each) => each.state === 'exited', 'waiting for the end')
      checkEqual(ended.exitCode, 137, 'exit code')
    },
  },
  {
    name: 'a second stop with less grace shortens the first',
    async run({ runtime, sandbox, shell, until, eventually, readLog }) {
      const spec = shell(STUBBORN)
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await eventually(async () => (await readLog(spec.logPath)).includes('up'), 'coming up')
      const first = runtime.stopContainer(id, 3_600_000)
      await runtime.stopContainer(id, 0)
      await first
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
    },
  },
  {
    name: 'the whole tree of processes ends with its container',
    async run({ runtime, sandbox, sandboxSpec, shell, until, eventually, readLog }) {
      const beat = `${sandboxSpec.directory}/beat`
      // A grandchild that goes on after its parent, and would for ever.
      const script = `(while :; do echo x >> ${beat}; sleep 0.05; done) & ${POLITE}`
      const spec = shell(script)
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await eventually(async () => (await readLog(spec.logPath)).includes('up'), 'coming up')
      await runtime.stopContainer(id, 5_000)
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
      const before = await readLog(beat)
      await new Promise((resolve) => {
        setTimeout(resolve, 300)
      })
      checkEqual((await readLog(beat)).length, before.length, 'what the grandchild has written')
    },
  },
  {
    name: 'stopping what has stopped, and removing what is gone, succeeds',
    async run({ runtime, sandbox, shell, until }) {
      const { id } = await runtime.startContainer(sandbox.id, shell('exit 0'))
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
      await runtime.stopContainer(id, 1_000)
      await runtime.removeContainer(id)
      await runtime.removeContainer(id)
      await runtime.stopContainer(id, 1_000)
      await runtime.removeSandbox(sandbox.id)
      await runtime.removeSandbox(sandbox.id)
      checkEqual(await runtime.list(), { sandboxes: [], containers: [] }, 'what is left')
    },
  },
  {
    name: 'running the same sandbox again returns it',
    async run({ runtime, sandbox, sandboxSpec }) {
      const again = await runtime.runSandbox(sandboxSpec)
      checkEqual(again.id, sandbox.id, 'the id')
      checkEqual((await runtime.list()).sandboxes.length, 1, 'number of sandboxes')
    },
  },
  {
    name: 'removing a container leaves its log',
    async run({ runtime, sandbox, shell, until, readLog }) {
      const spec = shell('echo kept')
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
      await runtime.removeContainer(id)
      check((await readLog(spec.logPath)).includes('kept'), 'the log is gone')
    },
  },
  {
    name: 'removing a sandbox kills what runs in it',
    async run({ runtime, sandbox, shell }) {
      await runtime.startContainer(sandbox.id, shell(STUBBORN))
      await runtime.removeSandbox(sandbox.id)
      checkEqual(await runtime.list(), { sandboxes: [], containers: [] }, 'what is left')
    },
  },
  {
    name: 'a sandbox that is stopped is not ready, and keeps its ended containers',
    when: (_supports, runtime) => runtime.stopSandbox !== undefined,
    async run({ runtime, sandbox, sandboxSpec, shell, until, reopen, readLog }) {
      const spec = shell('echo kept; exit 6')
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
      await runtime.stopSandbox?.(sandbox.id)
      await runtime.stopSandbox?.(sandbox.id)
      await runtime.stopSandbox?.('never-was')
      // As this driver sees it, and then the next one.
      let driver = runtime
      for (const isNext of [false, true]) {
        if (isNext) driver = await reopen()
        const { sandboxes, containers } = await driver.list(sandboxSpec.uid)
        checkEqual(
          sandboxes.map((found) => [found.id, found.ready]),
          [[sandbox.id, false]],
          'the sandbox',
        )
        checkEqual(
          containers.map((found) => [found.id, found.state, found.exitCode]),
          [[id, 'exited', 6]],
          'its container',
        )
      }
      check((await readLog(spec.logPath)).includes('kept'), 'the log is gone')
    },
  },
  {
    name: 'what took the place of an ended sandbox outlives its removal',
    when: (_supports, runtime) => runtime.stopSandbox !== undefined,
    async run({ runtime, sandbox, sandboxSpec, shell, eventually, readLog }) {
      await runtime.stopSandbox?.(sandbox.id)
      const next = await runtime.runSandbox(sandboxSpec)
      check(next.id !== sandbox.id, 'an ended sandbox is used again')
      const spec = shell('while :; do echo beat; sleep 0.1; done')
      const { id } = await runtime.startContainer(next.id, spec)
      await runtime.removeSandbox(sandbox.id)
      const before = (await readLog(spec.logPath)).length
      const more = async (): Promise<boolean> => (await readLog(spec.logPath)).length > before
      await eventually(more, 'the container of the other sandbox going on')
      const { sandboxes, containers } = await runtime.list(sandboxSpec.uid)
      checkEqual(
        [...sandboxes, ...containers].map((each) => [
          each.id,
          'ready' in each ? each.ready : each.state,
        ]),
        [
          [next.id, true],
          [id, 'running'],
        ],
        'what is there',
      )
    },
  },
  {
    name: 'what is started while its sandbox is removed goes with it',
    async run({ runtime, sandbox, sandboxSpec, shell }) {
      const start = (name: string): Promise<ContainerStatus> =>
        runtime.startContainer(sandbox.id, shell('sleep 1000', { name }))
      const starts = [start('first'), start('second')]
      const removal = runtime.removeSandbox(sandbox.id)
      const [late] = await Promise.allSettled([start('late'), ...starts, removal])
      await removal
      checkEqual(
        late.status === 'rejected' && late.reason instanceof Error && 'reason' in late.reason
          ? late.reason.reason
          : late.status,
        'NotFound',
        'what became of a start that was asked for after the removal',
      )
      checkEqual(
        await runtime.list(sandboxSpec.uid),
        { sandboxes: [], containers: [] },
        'what is left',
      )
    },
  },
  {
    name: 'a sandbox that is made while the one before it is removed is whole',
    when: (_supports, runtime) => runtime.stopSandbox !== undefined,
    async run({ runtime, sandbox, sandboxSpec, shell }) {
      let before = sandbox
      for (let attempt = 0; attempt < RACES; attempt += 1) {
        await runtime.stopSandbox?.(before.id)
        const [next] = await Promise.all([
          runtime.runSandbox(sandboxSpec),
          runtime.removeSandbox(before.id),
        ])
        const { id } = await runtime.startContainer(next.id, shell('sleep 1000', { attempt }))
        const { sandboxes, containers } = await runtime.list(sandboxSpec.uid)
        checkEqual(
          sandboxes.map((found) => [found.id, found.ready]),
          [[next.id, true]],
          'the sandboxes',
        )
        checkEqual(
          containers.map((found) => [found.id, found.state]),
          [[id, 'running']],
          'the containers',
        )
        before = next
      }
    },
  },
  {
    name: 'list can be asked for one pod',
    async run({ runtime, sandbox, sandboxSpec, shell }) {
      await runtime.startContainer(sandbox.id, shell('sleep 100'))
      checkEqual(
        await runtime.list('another-pod'),
        { sandboxes: [], containers: [] },
        'another pod',
      )
      const own = await runtime.list(sandboxSpec.uid)
      checkEqual([own.sandboxes.length, own.containers.length], [1, 1], 'this pod')
    },
  },
  {
    name: 'an end is hinted at',
    async run({ runtime, sandbox, sandboxSpec, shell, eventually }) {
      const hints: string[] = []
      await runtime.startContainer(sandbox.id, shell('sleep 0.3'))
      const cancel = runtime.watch((hint) => hints.push(hint.podUid))
      await eventually(async () => hints.includes(sandboxSpec.uid), 'waiting for a hint')
      cancel()
    },
  },
  {
    name: 'containers outlive the driver, and the next one stops them',
    async run({ runtime, sandbox, shell, reopen, until, eventually, readLog }) {
      const spec = shell(POLITE)
      const { id, startedAtMs } = await runtime.startContainer(sandbox.id, spec)
      await eventually(async () => (await readLog(spec.logPath)).includes('up'), 'coming up')
      const next = await reopen()
      const [found] = (await next.list()).containers
      checkEqual(
        [found?.id, found?.state, found?.startedAtMs],
        [id, 'running', startedAtMs],
        'the container that was found',
      )
      await next.stopContainer(id, 10_000)
      const ended = await until(id, (each) => each.state === 'exited', 'waiting for the end')
      checkEqual(ended.exitCode, 9, 'exit code')
    },
  },
  {
    name: 'the exit code and the output of a container that ends while no driver is there are found',
    async run({ runtime, sandbox, sandboxSpec, shell, reopen, until, eventually, readLog }) {
      const done = `${sandboxSpec.directory}/done`
      const spec = shell(`echo before; sleep 0.3; echo after; echo x > ${done}; exit 11`)
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await runtime.close()
      await eventually(async () => (await readLog(done)) !== '', 'going on without a driver')
      await reopen()
      const ended = await until(id, (each) => each.state === 'exited', 'finding the end')
      checkEqual([ended.exitCode, ended.reason], [11, 'Error'], 'how it ended')
      const words = (await readLog(spec.logPath)).match(/before|after/g)
      checkEqual(words, ['before', 'after'], 'the output, once')
    },
  },
  {
    name: 'closing twice is harmless',
    async run({ runtime }) {
      await runtime.close()
      await runtime.close()
    },
  },
]
