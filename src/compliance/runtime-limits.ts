import { check, checkEqual } from './check.ts'
import { startError } from './runtime-containers.ts'
import type { RuntimeCheck, RuntimeScene } from './runtime-fixture.ts'

const MIB = 1024 * 1024
/** Longer than any command of these checks takes. */
const COMMAND_MS = 60_000
/** dd takes a buffer of this size at once. */
const TAKE = 'dd if=/dev/zero of=/dev/null bs=96M count=1 2>/dev/null'

/** What is promised of limits: at the start, and while a container runs. */
export const limitChecks: readonly RuntimeCheck[] = [
  {
    name: 'a container that takes more memory than its limit is OOMKilled',
    when: (supports) => supports.limits,
    async run({ runtime, sandbox, shell, until }) {
      // dd takes a buffer of this size at once.
      const script = 'dd if=/dev/zero of=/dev/null bs=256M count=1'
      const limits = { memoryBytes: 32 * 1024 * 1024 }
      const { id } = await runtime.startContainer(sandbox.id, shell(script, { limits }))
      const ended = await until(id, (each) => each.reason === 'OOMKilled', 'being OOMKilled')
      checkEqual([ended.state, ended.exitCode], ['exited', 137], 'how it ended')
    },
  },
  {
    name: 'how willingly the kernel ends a container is as asked for, and for commands in it',
    when: (supports) => supports.limits,
    async run({ runtime, sandbox, shell, eventually, readLog }) {
      const look = 'cat /proc/self/oom_score_adj'
      const spec = shell(`${look}; exec sleep 1000`, { limits: { oomScoreAdjust: 555 } })
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await eventually(async () => / 555\n/.test(await readLog(spec.logPath)), 'its score')
      const command = ['sh', '-c', look]
      const result = await runtime.run(id, { command, timeoutMs: COMMAND_MS, outputBytesMax: 100 })
      checkEqual(result.output, '555\n', 'the score of a command')
    },
  },
  {
    name: 'a container that runs gets more memory, also from a driver that found it',
    when: (supports) => supports.resize && supports.limits,
    async run(scene) {
      const id = await startWaiting(scene, 32 * MIB)
      await scene.runtime.updateLimits(id, { memoryBytes: 64 * MIB, cpuMillis: 500 })
      const next = await scene.reopen()
      await next.updateLimits(id, { memoryBytes: 512 * MIB })
      await letGo({ ...scene, runtime: next }, id)
      const ended = await scene.until(id, (each) => each.state === 'exited', 'its end')
      checkEqual([ended.exitCode, ended.reason], [0, 'Completed'], 'how it ended')
    },
  },
  {
    name: 'a container that runs gets less memory, and is OOMKilled when it takes more',
    when: (supports) => supports.resize && supports.limits,
    async run(scene) {
      const id = await startWaiting(scene, 512 * MIB)
      await scene.runtime.updateLimits(id, { memoryBytes: 32 * MIB })
      await letGo(scene, id)
      const ended = await scene.until(id, (each) => each.reason === 'OOMKilled', 'being OOMKilled')
      checkEqual([ended.state, ended.exitCode], ['exited', 137], 'how it ended')
    },
  },
  {
    name: 'less memory than is in use is refused, and the container goes on',
    when: (supports) => supports.resize && supports.limits,
    async run({ runtime, sandbox, shell, eventually, readLog, until }) {
      const hold = "x=$(dd if=/dev/zero bs=1M count=48 2>/dev/null | tr '\\000' x)"
      const limits = { memoryBytes: 512 * MIB }
      const spec = shell(`${hold}; echo up; while :; do sleep 0.05; done`, { limits })
      const { id } = await runtime.startContainer(sandbox.id, spec)
      await eventually(async () => (await readLog(spec.logPath)).includes('up'), 'coming up')
      const error = await startError(runtime.updateLimits(id, { memoryBytes: 16 * MIB }))
      checkEqual(error.reason, 'InvalidSpec', 'the reason')
      const command = ['sh', '-c', TAKE]
      const result = await runtime.run(id, { command, timeoutMs: COMMAND_MS, outputBytesMax: 100 })
      checkEqual(result.type === 'exited' && result.exitCode, 0, 'what takes memory in it')
      await until(id, (each) => each.state === 'running', 'the container running on')
    },
  },
  {
    name: 'limits of what does not run are NotFound',
    when: (supports) => supports.resize,
    async run({ runtime, sandbox, shell, until }) {
      const { id } = await runtime.startContainer(sandbox.id, shell('exit 0'))
      await until(id, (each) => each.state === 'exited', 'waiting for the end')
      for (const each of [id, 'no-such-container']) {
        const error = await startError(runtime.updateLimits(each, { memoryBytes: 64 * MIB }))
        checkEqual(error.reason, 'NotFound', 'the reason')
      }
    },
  },
]

/** A container that takes memory once it is let go, and ends then. */
async function startWaiting(scene: RuntimeScene, memoryBytes: number): Promise<string> {
  const script = `while [ ! -e ${goFile(scene)} ]; do sleep 0.05; done; ${TAKE}`
  const spec = scene.shell(script, { limits: { memoryBytes } })
  return (await scene.runtime.startContainer(scene.sandbox.id, spec)).id
}

async function letGo(scene: RuntimeScene, id: string): Promise<void> {
  const command = ['sh', '-c', `echo > ${goFile(scene)}`]
  const spec = { command, timeoutMs: COMMAND_MS, outputBytesMax: 100 }
  const result = await scene.runtime.run(id, spec)
  check(result.type === 'exited', 'it could not be let go')
}

function goFile({ sandboxSpec }: RuntimeScene): string {
  return `${sandboxSpec.directory}/go`
}
