import type { PodLimits, SandboxStatus } from '../adapters/runtime/index.ts'
import type { CommandSpec } from '../adapters/runtime/sessions.ts'
import { check, checkEqual } from './check.ts'
import { startError } from './runtime-containers.ts'
import type { RuntimeCheck, RuntimeScene } from './runtime-fixture.ts'

const MIB = 1024 * 1024
/** dd takes a buffer of this size at once. */
const TAKE = 'dd if=/dev/zero of=/dev/null bs=192M count=1 2>/dev/null'
/** More than engines need to start a container, and less than two times {@link MANY}. */
const PROCESSES_MAX = 80
const MANY = `n=0; while [ $n -lt 50 ]; do sleep 1000 & n=$((n+1)); done; echo all`

/** What is promised of limits of pods as a whole. */
export const podLimitChecks: readonly RuntimeCheck[] = [
  {
    name: 'the containers of a pod have no more processes together than the pod may have',
    when: (supports) => supports.podLimits,
    async run(scene) {
      const { runtime, shell, eventually, readLog, until } = scene
      const { id } = await limited(scene, { processes: PROCESSES_MAX })
      const first = shell(`${MANY}; wait`, { name: 'first' })
      await runtime.startContainer(id, first)
      await eventually(async () => (await readLog(first.logPath)).includes('all'), 'the first')
      const second = shell(`${MANY}; wait`, { name: 'second' })
      const started = await runtime.startContainer(id, second)
      const ended = await until(started.id, (each) => each.state === 'exited', 'the second ending')
      check(ended.exitCode !== 0, 'the second container has all its processes')
      check(!(await readLog(second.logPath)).includes('all'), 'it has all its processes')
      await runtime.removeSandbox(id)
    },
  },
  {
    name: 'a container without a limit takes no more memory than its pod may have',
    when: (supports) => supports.podLimits,
    async run(scene) {
      const { id } = await limited(scene, { memoryBytes: 64 * MIB })
      const started = await scene.runtime.startContainer(id, scene.shell(TAKE))
      const ended = await scene.until(started.id, (each) => each.state === 'exited', 'its end')
      checkEqual(ended.exitCode, 137, 'how it ended')
      await scene.runtime.removeSandbox(id)
    },
  },
  {
    name: 'a pod that runs gets more memory, also from a driver that found it',
    when: (supports) => supports.podLimits,
    async run(scene) {
      const { id } = await limited(scene, { memoryBytes: 64 * MIB, processes: PROCESSES_MAX })
      const started = await scene.runtime.startContainer(id, scene.shell(takeAfter(scene)))
      const next = await scene.reopen()
      await next.updatePodLimits?.(id, { memoryBytes: 1024 * MIB, cpuMillis: 500 })
      await next.run(started.id, goOn(scene))
      const ended = await scene.until(started.id, (each) => each.state === 'exited', 'its end')
      checkEqual([ended.exitCode, ended.reason], [0, 'Completed'], 'how it ended')
      await next.removeSandbox(id)
      const error = await startError(next.updatePodLimits?.(id, {}) ?? Promise.resolve())
      checkEqual(error.reason, 'NotFound', 'the reason')
    },
  },
  {
    name: 'what runs in a pod that is not limited any more can still be limited, by a driver that found it',
    when: (supports) => supports.podLimits && supports.resize,
    async run(scene) {
      const { id } = await limited(scene, { processes: PROCESSES_MAX })
      const started = await scene.runtime.startContainer(id, scene.shell(takeAfter(scene)))
      await scene.runtime.updatePodLimits?.(id, {})
      const next = await scene.reopen()
      await next.updateLimits(started.id, { memoryBytes: 64 * MIB })
      await next.run(started.id, goOn(scene))
      const ended = await scene.until(started.id, (each) => each.state === 'exited', 'its end')
      checkEqual(ended.exitCode, 137, 'how it ended')
      await next.removeSandbox(id)
    },
  },
]

function goOf({ sandboxSpec }: RuntimeScene): string {
  return `${sandboxSpec.directory}/go`
}

/** Takes memory once it is told to with {@link goOn}. */
function takeAfter(scene: RuntimeScene): string {
  return `while [ ! -e ${goOf(scene)} ]; do sleep 0.05; done; ${TAKE}`
}

function goOn(scene: RuntimeScene): CommandSpec {
  const command = ['sh', '-c', `echo > ${goOf(scene)}`]
  return { command, timeoutMs: 60_000, outputBytesMax: 100 }
}

/** A sandbox of a pod with limits. */
async function limited(scene: RuntimeScene, limits: PodLimits): Promise<SandboxStatus> {
  const { runtime, sandboxSpec } = scene
  return await runtime.runSandbox({ ...sandboxSpec, uid: crypto.randomUUID(), limits })
}
