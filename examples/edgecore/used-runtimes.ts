import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'tideway'
import { writeSecretFile } from 'tideway/adapters/kubernetes/server'
import { RuntimeError } from 'tideway/adapters/runtime'
import { readJsonFile } from '../shared/private-files.ts'
import { ProgramError } from '../shared/program-error.ts'
import { engineEndpoint, openRuntime, type RuntimeSettings } from './open-runtime.ts'
import { stopPods } from './stop-pods.ts'

/** Which runtime, and where its engine answers: what decides whether pods are the same pods. */
type UsedRuntime = Pick<RuntimeSettings, 'runtime' | 'runtimeEndpoint'>

/**
 * Stops the pods that are left in runtimes that this node was run with before, so that none runs
 * twice, and remembers the one that it is run with now. An engine that does not answer, or does not
 * let go of a pod, is asked again the next time.
 */
export async function leaveFormerRuntimes(
  settings: RuntimeSettings,
  logger: Logger,
): Promise<void> {
  const used = await readUsed(settings.data)
  const left: UsedRuntime[] = []
  for (const former of await othersOf(used, settings)) {
    const { runtime, runtimeEndpoint } = former
    try {
      const pods = await stopPodsOf({ ...settings, ...former }, logger)
      logger.info('pods of the runtime of before are stopped', { runtime, runtimeEndpoint, pods })
    } catch (error) {
      const isAway = error instanceof ProgramError && error.code === 'RUNTIME_UNREACHABLE'
      if (!isAway && !(error instanceof RuntimeError)) throw error
      left.push(former)
      const fields = { runtime, runtimeEndpoint, error }
      logger.warn('pods of the runtime of before may run on', fields)
    }
  }
  const now = settings.runtime === 'kubelet' ? left : [...left, usedIn(settings)]
  if (JSON.stringify(now) !== JSON.stringify(used)) await writeUsed(settings.data, now)
}

/**
 * Stops the pods of a node, in the runtime that is named and in all that it was run with.
 *
 * @throws what went wrong first, once it was tried in all of them.
 */
export async function stopAllPods(settings: RuntimeSettings, logger: Logger): Promise<number> {
  const others = await othersOf(await readUsed(settings.data), settings)
  const failures: unknown[] = []
  let pods = 0
  for (const each of [usedIn(settings), ...others]) {
    try {
      pods += await stopPodsOf({ ...settings, ...each }, logger)
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures[0]
  return pods
}

async function stopPodsOf(settings: RuntimeSettings, logger: Logger): Promise<number> {
  const runtime = await openRuntime(settings, logger, 'to stop')
  try {
    return await stopPods(runtime)
  } finally {
    await runtime.close()
  }
}

function usedIn(settings: UsedRuntime): UsedRuntime {
  const { runtime } = settings
  return { runtime, runtimeEndpoint: runtime === 'process' ? undefined : engineEndpoint(settings) }
}

async function othersOf(
  used: readonly UsedRuntime[],
  settings: UsedRuntime,
): Promise<readonly UsedRuntime[]> {
  const own = await nameOf(usedIn(settings))
  const names = await Promise.all(used.map(nameOf))
  return used.filter((_, index) => names[index] !== own)
}

/** The same for each path that leads to an engine, such as /var/run where that is a link to /run. */
async function nameOf({ runtime, runtimeEndpoint = '' }: UsedRuntime): Promise<string> {
  return `${runtime} ${await realpath(runtimeEndpoint).catch(() => runtimeEndpoint)}`
}

function pathIn(directory: string): string {
  return join(directory, 'runtimes.json')
}

async function readUsed(directory: string): Promise<readonly UsedRuntime[]> {
  const used = (await readJsonFile(pathIn(directory)))?.['used']
  // Only {@link writeUsed} writes it.
  return Array.isArray(used) ? used.map((each) => usedIn(each as unknown as UsedRuntime)) : []
}

async function writeUsed(directory: string, used: readonly UsedRuntime[]): Promise<void> {
  await writeSecretFile(pathIn(directory), `${JSON.stringify({ used })}\n`)
}
