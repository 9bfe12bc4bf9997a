import { startContainerd } from '../containers/containerd.ts'
import { startEngine } from '../containers/engine.ts'
import { askEngine } from '../containers/engine-api.ts'
import { PAUSE_IMAGE, pauseImage, shellImage } from '../containers/images.ts'
import { outputOf } from '../containers/leftovers.ts'
import type { RunningEngine } from '../containers/place.ts'

/** What has the pods of a node. */
export type FaultRuntime = 'process' | 'cri' | 'docker' | 'podman'

/** Starts what containers of a node need, with the image of their shell; nothing for plain processes. */
export async function startFaultEngine(
  runtime: FaultRuntime,
  parent: string | undefined,
): Promise<RunningEngine | undefined> {
  if (runtime === 'process') return undefined
  if (runtime === 'cri') return await startContainerd([shellImage()], undefined, parent)
  return await startEngine(runtime, [pauseImage(), shellImage()], parent)
}

/** What tells edgecore of it. */
export function faultEngineArgs(
  runtime: FaultRuntime,
  engine: RunningEngine | undefined,
): readonly string[] {
  if (engine === undefined) return []
  const pause = runtime === 'cri' ? [] : ['--pause-image', PAUSE_IMAGE]
  return ['--runtime', runtime, '--runtime-endpoint', engine.socket, ...pause]
}

/** What an engine holds of pods: running tasks where it tells them apart, and containers, with sandboxes. */
export async function heldBy(
  runtime: FaultRuntime,
  engine: RunningEngine | undefined,
): Promise<{ readonly tasks: readonly string[]; readonly containers: readonly string[] }> {
  if (engine === undefined) return { tasks: [], containers: [] }
  if (runtime === 'cri') {
    const names = async (...words: readonly string[]): Promise<readonly string[]> =>
      linesOf(await outputOf('ctr', '-a', engine.socket, '-n', 'k8s.io', ...words))
    return {
      tasks: await names('tasks', 'ls', '-q'),
      containers: await names('containers', 'ls', '-q'),
    }
  }
  const { body } = await askEngine(engine.socket, 'GET', '/containers/json?all=1')
  const rows = JSON.parse(body) as readonly { readonly Id: string; readonly State: string }[]
  return {
    tasks: rows.filter(({ State }) => State === 'running').map(({ Id }) => Id),
    containers: rows.map(({ Id }) => Id),
  }
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '')
}
