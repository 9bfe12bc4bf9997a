import type { ContainerUsage, RuntimeError } from '../adapters/runtime/index.ts'
import { ComplianceError, check, checkEqual } from './check.ts'
import type { RuntimeCheck } from './runtime-fixture.ts'

/** How often usage is looked at until it has grown: each look takes milliseconds. */
const USAGE_LOOKS_MAX = 2_000

/** Lines of a CRI log: time, stream, tag, text. Some runtimes write the time with an offset. */
const LOG_LINE =
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d) (stdout|stderr) ([FP]) (.*)$/

/** What is promised of one container while one driver is there. */
export const containerChecks: readonly RuntimeCheck[] = [
  {
    name: 'a container runs its command with its arguments and variables and in its directory',
    async run({ runtime, sandbox, shell, until, readLog }) {
      const spec = shell('', {
        command: ['sh', '-c', 'echo "$0 $1 $COLOR $(pwd)"', 'first'],
        args: ['second word'],
        env: { COLOR: 'blue green' },
        workingDir: '/tmp',
      })
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
      const [line = ''] = (await readLog(spec.logPath)).split('\n')
      // Where /tmp is a link, the directory has another name.
      check(
        /first second word blue green (\/private)?\/tmp$/.test(line),
        `the log says ${JSON.stringify(line)}`,
      )
    },
  },
  {
    name: 'what it starts is running until it ends, and then has its exit code and times',
    async run({ runtime, sandbox, shell, until }) {
      const started = await runtime.startContainer(sandbox.id, shell('sleep 0.3; exit 7'))
      checkEqual(started.state, 'running', 'state after the start')
      check(started.startedAtMs !== undefined, 'it has no start time')
      checkEqual(started.exitCode, undefined, 'exit code while it runs')
      const ended = await until(
        started.id,
        (each) => each.state === 'exited',
        'waiting for the end',
      )
      checkEqual([ended.exitCode, ended.reason], [7, 'Error'], 'how it ended')
      check(
        (ended.finishedAtMs ?? 0) >= (ended.startedAtMs ?? Number.POSITIVE_INFINITY),
        'it finished before it started',
      )
    },
  },
  {
    name: 'what a container uses is told while it runs, and its CPU time grows',
    async run({ runtime, sandbox, shell, until }) {
      if (!runtime.supports.usage) return checkEqual(await runtime.usage(), [], 'the usage')
      const spec = shell('i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exec sleep 60')
      const { id } = await runtime.startContainer(sandbox.id, spec)
      const own = async (): Promise<ContainerUsage | undefined> =>
        (await runtime.usage()).find((usage) => usage.id === id)
      let found = await own()
      const first = found?.cpuNanos ?? 0
      for (let looks = 0; looks < USAGE_LOOKS_MAX && (found?.cpuNanos ?? 0) <= first; looks += 1)
        found = await own()
      check((found?.cpuNanos ?? 0) > first, 'its CPU time does not grow')
      check((found?.memoryBytes ?? 0) > 0, 'it uses no memory')
      checkEqual([found?.name, found?.podUid], [spec.name, sandbox.uid], 'whose usage it is')
      await runtime.stopContainer(id, 0)
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
      checkEqual(await own(), undefined, 'usage after the end')
    },
  },
  {
    name: 'an exit code of 0 is Completed',
    async run({ runtime, sandbox, shell, until }) {
      const { id } = await runtime.startContainer(sandbox.id, shell('exit 0'))
      const ended = await until(id, (each) => each.state === 'exited', 'waiting for the end')
      checkEqual([ended.exitCode, ended.reason], [0, 'Completed'], 'how it ended')
    },
  },
  {
    name: 'stdout and stderr are in the log in CRI format, an unfinished last line included',
    async run({ runtime, sandbox, shell, until, readLog }) {
      const spec = shell('echo one; echo two >&2; printf three')
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
      const lines = (await readLog(spec.logPath)).trimEnd().split('\n')
      const parts = lines.map((line) => LOG_LINE.exec(line)?.slice(1).join(' ')).sort()
      // containerd marks the last piece of a line that never ends as a part.
      const last = parts.pop() ?? ''
      checkEqual(parts, ['stderr F two', 'stdout F one'], 'the log')
      check(/^stdout [FP] three$/.test(last), `its last line is ${last}`)
    },
  },
  {
    name: 'a long line is written in parts that give the line when joined',
    async run({ runtime, sandbox, shell, until, readLog }) {
      const spec = shell(
        'i=0; while [ $i -lt 5000 ]; do printf 0123456789; i=$((i+1)); done; echo end',
      )
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
      const lines = (await readLog(spec.logPath)).trimEnd().split('\n')
      const parts = lines.map((line) => LOG_LINE.exec(line))
      const text = parts.map((part) => part?.[3]).join('')
      checkEqual(text === `${'0123456789'.repeat(5000)}end`, true, 'the joined parts are the line')
      const tags = parts.map((part) => part?.[2]).join('')
      check(/^P+F$/.test(tags), `the tags are ${tags}`)
    },
  },
  {
    name: 'starting the same attempt again starts nothing and returns the container',
    async run({ runtime, sandbox, shell, until, readLog }) {
      const spec = shell('echo once; sleep 0.2')
      const first = await runtime.startContainer(sandbox.id, spec)
      const second = await runtime.startContainer(sandbox.id, spec)
      checkEqual(second.id, first.id, 'the id')
      await until(first.id, (each) => each.state === 'exited', 'waiting for the end')
      const third = await runtime.startContainer(sandbox.id, spec)
      checkEqual([third.id, third.state], [first.id, 'exited'], 'the ended container')
      checkEqual((await readLog(spec.logPath)).match(/once/g)?.length, 1, 'number of runs')
    },
  },
  {
    name: 'the next attempt is another container beside the ended one',
    async run({ runtime, sandbox, shell, until }) {
      const first = await runtime.startContainer(sandbox.id, shell('exit 1'))
      await until(first.id, (each) => each.state === 'exited', 'waiting for the end')
      const second = await runtime.startContainer(sandbox.id, shell('exit 0', { attempt: 1 }))
      check(second.id !== first.id, 'both attempts have one id')
      const { containers } = await runtime.list()
      checkEqual(containers.map((each) => each.attempt).sort(), [0, 1], 'attempts')
    },
  },
  {
    name: 'labels are given back',
    async run({ runtime, sandbox, shell }) {
      const labels = { 'example.com/a': 'b', c: '' }
      const { id } = await runtime.startContainer(sandbox.id, shell('sleep 100', { labels }))
      const found = (await runtime.list()).containers.find((each) => each.id === id)
      checkEqual(found?.labels, labels, 'labels')
    },
  },
  {
    name: 'a command that does not exist is StartFailed with the command in the message',
    async run({ runtime, sandbox, shell }) {
      const spec = shell('', { command: ['no-such-program-here'] })
      const error = await startError(runtime.startContainer(sandbox.id, spec))
      checkEqual(error.reason, 'StartFailed', 'the reason')
      check(error.message.includes('no-such-program-here'), `the message is ${error.message}`)
      const [found] = (await runtime.list()).containers
      checkEqual(
        [found?.state, found?.exitCode, found?.reason],
        ['exited', 128, 'StartError'],
        'the container that was left',
      )
    },
  },
  {
    name: 'a container without a command is CommandRequired where images are not run',
    when: (supports) => !supports.images,
    async run({ runtime, sandbox, shell }) {
      const error = await startError(
        runtime.startContainer(sandbox.id, shell('', { command: [], args: ['only'] })),
      )
      checkEqual(error.reason, 'CommandRequired', 'the reason')
      checkEqual((await runtime.list()).containers, [], 'what was made')
    },
  },
  {
    name: 'a container in a sandbox that does not exist is NotFound',
    async run({ runtime, shell }) {
      const error = await startError(runtime.startContainer('no-such-sandbox', shell('exit 0')))
      checkEqual(error.reason, 'NotFound', 'the reason')
    },
  },
  {
    name: 'a volume appears at its path, read-only where asked',
    when: (supports) => supports.mounts,
    async run({ runtime, sandbox, sandboxSpec, shell, until, readLog }) {
      const source = sandboxSpec.directory
      const spec = shell(
        'echo kept > /suite-volume/file; cat /suite-read/file; echo x 2>/dev/null > /suite-read/no || echo refused',
        {
          mounts: [
            { volume: 'a', source, path: '/suite-volume', readOnly: false },
            { volume: 'b', source, path: '/suite-read', readOnly: true },
          ],
        },
      )
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
      const text = await readLog(spec.logPath)
      check(/ kept\n/.test(text), 'the file in the volume is not there')
      check(/ refused\n/.test(text), 'a read-only volume was written')
    },
  },
]

/** The refusal that a call ends with. @throws ComplianceError when it succeeds. */
export async function startError(start: Promise<unknown>): Promise<RuntimeError> {
  try {
    await start
  } catch (error) {
    if (isRuntimeError(error)) return error
    throw error
  }
  throw new ComplianceError('the start succeeded')
}

/** By name: the runtime may come with a copy of the class of its own. */
function isRuntimeError(error: unknown): error is RuntimeError {
  return error instanceof Error && error.name === 'RuntimeError' && 'reason' in error
}
