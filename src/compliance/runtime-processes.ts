import { check, checkEqual } from './check.ts'
import type { RuntimeCheck, RuntimeScene } from './runtime-fixture.ts'

/** A word in the command line of the first container, and of no other. */
const MARK = 'seen-by-its-own'
/** Every command line that there is. */
const LOOK = `cat /proc/[0-9]*/cmdline | tr '\\0' ' '`
const COMMAND_LIMITS = { timeoutMs: 20_000, outputBytesMax: 16_384 }

/** What is promised of the processes that containers see. */
export const processChecks: readonly RuntimeCheck[] = [
  {
    name: 'a container sees its own processes only, and so do commands that join it',
    when: (supports) => supports.processes,
    async run(scene) {
      const { runtime, sandbox, shell, until } = scene
      const first = await startMarked(scene)
      const other = shell(`echo "first $$"; ${LOOK}`, { name: 'other' })
      const { id } = await runtime.startContainer(sandbox.id, other)
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
      const seen = await scene.readLog(other.logPath)
      check(/first 1$/m.test(seen), `it is not process 1: ${seen}`)
      check(!seen.includes(MARK), 'it sees the processes of another container')
      const command = ['sh', '-c', "tr '\\0' ' ' < /proc/1/cmdline"]
      const joined = await runtime.run(first, { command, ...COMMAND_LIMITS })
      check(joined.output.includes(MARK), `process 1 is ${joined.output}`)
    },
  },
  {
    name: 'a container beside another one sees the processes of that one',
    when: (supports) => supports.processes,
    async run(scene) {
      const { runtime, sandbox, shell, until } = scene
      const first = await startMarked(scene)
      const beside = shell(LOOK, { name: 'beside', besideProcessesOf: first })
      const { id } = await runtime.startContainer(sandbox.id, beside)
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
      check((await scene.readLog(beside.logPath)).includes(MARK), 'it does not see them')
      const status = (await runtime.list()).containers.find((each) => each.id === first)
      checkEqual(status?.state, 'running', 'the other one')
    },
  },
  {
    name: 'processes that are apart are found by the next driver, which stops them',
    when: (supports) => supports.processes,
    async run(scene) {
      const { sandbox, shell, until, eventually, readLog } = scene
      const script = 'trap "echo asked; exit 9" TERM; echo up; while :; do sleep 0.05; done'
      const spec = shell(script, { name: 'polite' })
      const { id } = await scene.runtime.startContainer(sandbox.id, spec)
      await eventually(async () => (await readLog(spec.logPath)).includes('up'), 'coming up')
      const first = await startMarked(scene)
      const next = await scene.reopen()
      const command = ['sh', '-c', "tr '\\0' ' ' < /proc/1/cmdline"]
      const joined = await next.run(first, { command, ...COMMAND_LIMITS })
      check(joined.output.includes(MARK), `process 1 is ${joined.output}`)
      await next.stopContainer(id, 10_000)
      const ended = await until(id, (each) => each.state === 'exited', 'waiting for the end')
      checkEqual(ended.exitCode, 9, 'exit code of the one that was asked')
      await next.stopContainer(first, 0)
      const killed = await until(first, (each) => each.state === 'exited', 'waiting for the end')
      checkEqual(killed.exitCode, 137, 'exit code of the one that was killed')
    },
  },
]

async function startMarked({ runtime, sandbox, shell }: RuntimeScene): Promise<string> {
  const script = 'while :; do sleep 0.05; done'
  const marked = shell(script, { name: 'marked', command: ['sh', '-c', script, MARK] })
  return (await runtime.startContainer(sandbox.id, marked)).id
}
