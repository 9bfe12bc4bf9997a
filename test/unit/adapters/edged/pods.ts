import { specHash, toLabels } from '../../../../src/adapters/edged/labels.ts'
import { allContainers, type PodView, viewPod } from '../../../../src/adapters/edged/pod-view.ts'
import type { JsonObject } from '../../../../src/adapters/kubernetes/objects/types.ts'
import type { ContainerStatus } from '../../../../src/adapters/runtime/index.ts'

/** A pod with containers `main` (and `init`, `side` when asked for). */
export function pod(
  spec: JsonObject = {},
  over: JsonObject = {},
  status: JsonObject = {},
): PodView {
  return viewPod({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web',
      namespace: 'shop',
      uid: 'u-1',
      labels: { app: 'web', tier: 'front' },
      annotations: { note: 'a "b"' },
      ...over,
    },
    spec: {
      nodeName: 'edge-1',
      containers: [{ name: 'main', image: 'local/main', command: ['run'] }],
      ...spec,
    },
    status,
  })
}

/** One run of a container of a pod, as a runtime reports it. */
export function run(
  of: PodView,
  name: string,
  over: Partial<ContainerStatus> & { readonly backoffMs?: number } = {},
): ContainerStatus {
  const container = allContainers(of).find((each) => each.name === name)
  const hash = container === undefined ? '' : specHash(container)
  const { backoffMs = 0, ...rest } = over
  const attempt = over.attempt ?? 0
  return {
    id: `${name}-${attempt}`,
    sandboxId: of.uid,
    podUid: of.uid,
    name,
    attempt,
    image: 'x',
    state: 'running',
    createdAtMs: 0,
    startedAtMs: 1_000,
    finishedAtMs: undefined,
    exitCode: undefined,
    signal: undefined,
    reason: undefined,
    message: undefined,
    logPath: '/log',
    labels: toLabels({ hash, backoffMs, graceMs: 30_000 }),
    ...rest,
  }
}

/** A run that has ended. */
export function ended(
  of: PodView,
  name: string,
  exitCode: number,
  over: Partial<ContainerStatus> & { readonly backoffMs?: number } = {},
): ContainerStatus {
  return run(of, name, {
    state: 'exited',
    exitCode,
    finishedAtMs: 2_000,
    reason: exitCode === 0 ? 'Completed' : 'Error',
    ...over,
  })
}
