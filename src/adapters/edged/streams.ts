import type { ByteStream } from '../../core/interfaces/byte-stream.ts'
import type { ProcessSession } from '../../core/interfaces/process-session.ts'
import type { PodStreams, PodTarget } from '../kubernetes/objects/pod-streams.ts'
import { ObjectError, type ObjectKey, type ObjectStore } from '../kubernetes/objects/types.ts'
import { type ContainerStatus, type PodRuntime, RuntimeError } from '../runtime/index.ts'
import { runsOf } from './pod-plan.ts'
import { type PodView, viewPod } from './pod-view.ts'

/** What {@link podStreams} needs. */
export interface PodStreamsOptions {
  readonly node: string
  readonly store: Pick<ObjectStore, 'get'>
  readonly runtime: PodRuntime
}

/** The way into the containers of the pods of this node. */
export function podStreams(options: PodStreamsOptions): PodStreams {
  const { runtime } = options
  return {
    async exec(request): Promise<ProcessSession> {
      const run = await findRunning(request, request.container, options)
      return await told(runtime.exec(run.id, request), 'error executing command in container')
    },
    async attach(request): Promise<ProcessSession> {
      const run = await findRunning(request, request.container, options)
      return await told(runtime.attach(run.id, request), 'error attaching to container')
    },
    async portForward(request): Promise<ByteStream> {
      const { pod } = findPod(request, options)
      const { sandboxes } = await runtime.list(pod.uid)
      const sandbox = sandboxes.find((each) => each.ready)
      if (sandbox === undefined) {
        const full = JSON.stringify(`${request.pod}_${request.namespace}`)
        throw new ObjectError('InternalError', `pod not found (${full})`)
      }
      return await told(runtime.portForward(sandbox.id, request.port), '')
    },
  }
}

function findPod(
  request: PodTarget,
  { node, store }: PodStreamsOptions,
): { readonly pod: PodView; readonly key: ObjectKey } {
  const key = { resource: 'pods', namespace: request.namespace, name: request.pod }
  const object = store.get(key)
  if (object === undefined)
    throw new ObjectError('NotFound', `pods "${request.pod}" not found`, { key })
  const pod = viewPod(object)
  if (pod.nodeName === node) return { pod, key }
  const message = `pod "${request.pod}" does not run on node "${node}"`
  throw new ObjectError('ServiceUnavailable', message, { key })
}

/** @throws ObjectError in kubelet's words when the container does not run. */
async function findRunning(
  request: PodTarget,
  container: string,
  options: PodStreamsOptions,
): Promise<ContainerStatus> {
  const { pod, key } = findPod(request, options)
  const { containers } = await options.runtime.list(pod.uid)
  const run = runsOf(containers, container).at(-1)
  if (run?.state === 'running') return run
  const message = `container not found (${JSON.stringify(container)})`
  throw new ObjectError('InternalError', message, { key })
}

/** What a runtime refuses, in words for whoever asked. */
async function told<Opened>(opening: Promise<Opened>, what: string): Promise<Opened> {
  try {
    return await opening
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error
    const message = what === '' ? error.message : `${what}: ${error.message}`
    throw new ObjectError('InternalError', message, { cause: error })
  }
}
