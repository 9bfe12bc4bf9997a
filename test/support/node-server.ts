import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { consoleLogger, systemClock, systemRandom } from 'tideway'
import { createEdged, type Edged } from 'tideway/adapters/edged'
import type { KubeObject, PodStreams } from 'tideway/adapters/kubernetes/objects'
import { processRuntime } from 'tideway/adapters/runtime/process'
import { startTestApiServer, type TestApiServer } from './api-server.ts'
import { eventually } from './fleet.ts'

/** A test server beside a node that runs pods as processes, with the way into them. */
export interface NodeServer extends TestApiServer {
  readonly streams: PodStreams
  /** Makes a pod with one container that runs a program, and waits until it does. */
  run(name: string, command: readonly string[], main?: object): Promise<void>
}

/** Starts one. Closing it kills its pods. */
export async function startNodeServer(directory: string): Promise<NodeServer> {
  const common = { clock: systemClock, logger: consoleLogger('silent') }
  const cgroupRoot = `tideway-streams-${process.pid}`
  const runtime = await processRuntime({
    ...common,
    directory: join(directory, 'runtime'),
    cgroupRoot,
  })
  let edged: Edged | undefined
  const server = await startTestApiServer(async (store) => {
    edged = createEdged({
      ...common,
      node: 'edge-1',
      store,
      runtime,
      directory: join(directory, 'node'),
      random: systemRandom,
      version: 'v1.34.0',
      addresses: ['127.0.0.1'],
    })
    await edged.ready
    return { logs: edged.logs, streams: edged.streams }
  })
  if (edged === undefined) throw new Error('the node was not started')
  const { streams } = edged
  return {
    ...server,
    streams,
    async run(name, command, main = {}) {
      const pod: KubeObject = {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', labels: { app: name } },
        spec: {
          nodeName: 'edge-1',
          terminationGracePeriodSeconds: 0,
          containers: [{ name: 'main', image: 'local/shell', command: [...command], ...main }],
        },
      }
      await server.store.create(pod)
      await eventually(() => {
        const found = server.store.get({ resource: 'pods', namespace: 'default', name })
        const status = found?.['status'] as { readonly phase?: string } | undefined
        return status?.phase === 'Running'
      }, 30_000)
    },
    async close() {
      await edged?.close()
      for (const sandbox of (await runtime.list()).sandboxes)
        await runtime.removeSandbox(sandbox.id)
      await runtime.close()
      await server.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
