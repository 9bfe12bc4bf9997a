import { CoreV1Api, KubeConfig, type V1Pod, Watch } from '@kubernetes/client-node'

import { startFleet } from './fleet.ts'
import { percentile, table } from './report.ts'

const NAMESPACE = 'default'
const RUNNING_MS = 30_000

/**
 * From the request that creates a pod at the cloud's API to the moment when a watch at the cloud says
 * that its process runs at the edge: scheduling, the way down, the start, the way back.
 */
export async function benchApply(options: {
  readonly json: boolean
  readonly runs: number
}): Promise<void> {
  const fleet = await startFleet()
  try {
    const config = new KubeConfig()
    config.loadFromFile(fleet.cloudKubeconfig)
    const api = config.makeApiClient(CoreV1Api)
    const running = new Map<string, () => void>()
    const watch = await new Watch(config).watch(
      `/api/v1/namespaces/${NAMESPACE}/pods`,
      {},
      (_phase: string, pod: V1Pod) => {
        if (isRunning(pod)) running.get(pod.metadata?.name ?? '')?.()
      },
      () => undefined,
    )
    const figures: number[] = []
    // One that is not counted: the first request compiles and connects.
    for (let run = -1; run < options.runs; run += 1) {
      const ms = await once(api, running, `bench-${run + 1}`)
      if (run >= 0) figures.push(ms)
    }
    watch.abort()
    report(options, figures)
  } finally {
    await fleet.stop()
  }
}

async function once(
  api: CoreV1Api,
  running: Map<string, () => void>,
  name: string,
): Promise<number> {
  const seen = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`pod ${name} does not run`)), RUNNING_MS)
    running.set(name, () => {
      clearTimeout(timer)
      resolve()
    })
  })
  const begin = performance.now()
  const command = ['sleep', '100000']
  const body = {
    metadata: { name },
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'c', image: 'none', command }] },
  }
  await api.createNamespacedPod({ namespace: NAMESPACE, body })
  await seen
  const ms = performance.now() - begin
  running.delete(name)
  // What runs already must not slow down what follows.
  await api.deleteNamespacedPod({ namespace: NAMESPACE, name, gracePeriodSeconds: 1 })
  return ms
}

function isRunning(pod: V1Pod): boolean {
  return (
    pod.status?.containerStatuses?.some((status) => status.state?.running !== undefined) === true
  )
}

function report(
  options: { readonly json: boolean; readonly runs: number },
  figures: readonly number[],
): void {
  const [p50Ms, p99Ms] = [percentile(figures, 0.5), percentile(figures, 0.99)]
  if (options.json) {
    process.stdout.write(
      `${JSON.stringify({ benchmark: 'apply', runs: options.runs, p50Ms, p99Ms })}\n`,
    )
    return
  }
  process.stdout.write(
    `A pod from its creation at the cloud to its status back there, ${options.runs} pods one by one\n`,
  )
  process.stdout.write(`${table(['system', 'p50 ms', 'p99 ms'], [['tideway', p50Ms, p99Ms]])}\n`)
}
