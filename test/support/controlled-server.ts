import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Json, JsonObject, OpenObjectStore } from 'tideway/adapters/kubernetes/objects'
import { writeKubeconfig } from 'tideway/adapters/kubernetes/server'
import { startControllerManager, startScheduler } from '../cluster/cluster.ts'
import type { RunningProgram } from '../cluster/process.ts'
import type { Programs } from '../cluster/programs.ts'
import { type IdentityServer, startIdentityServer } from './identity-server.ts'
import { type StandInNodes, startStandInNodes } from './stand-in-nodes.ts'

/** An API server of ours that a real kube-controller-manager and kube-scheduler work on. */
export interface ControlledServer {
  readonly server: IdentityServer
  readonly store: OpenObjectStore
  readonly nodes: StandInNodes
  /** Sends an object to its collection. */
  create(path: string, body: JsonObject): Promise<JsonObject>
  /** A strategic merge patch. */
  patch(path: string, body: JsonObject): Promise<JsonObject>
  /** @param options such as `{ propagationPolicy: 'Orphan' }`. */
  remove(path: string, options?: JsonObject): Promise<JsonObject>
  /** The lines of the logs of both programs that tell of an error. */
  errors(): Promise<readonly string[]>
  close(): Promise<void>
}

const ROOT = 'token-of-root'

/** Kinds of the API that are not served, and who would work on them. */
const UNSERVED = [
  'certificatesigningrequest-approving-controller',
  'certificatesigningrequest-cleaner-controller',
  'certificatesigningrequest-signing-controller',
]

/** Every controller asks with an account of its own, as in a cluster whose roles count. */
const MANAGER_FLAGS = [
  '--leader-elect=true',
  '--use-service-account-credentials',
  `--controllers=${['*', ...UNSERVED.map((name) => `-${name}`)].join(',')}`,
  '--kube-api-qps=500',
  '--kube-api-burst=500',
  '--horizontal-pod-autoscaler-sync-period=1s',
  '--node-monitor-period=1s',
  '-v=2',
]

/** Starts it, with nodes that are ready. Waits for neither program. */
export async function startControlledServer(
  programs: Programs,
  nodeNames: readonly string[],
): Promise<ControlledServer> {
  const server = await startIdentityServer(undefined, { controllers: false })
  const { api, store } = server
  const { folder } = api
  const started: RunningProgram[] = []
  try {
    const target = await writeTarget(server)
    started.push(startControllerManager(programs, target, MANAGER_FLAGS))
    started.push(startScheduler(programs, target, ['--leader-elect=true', '-v=2']))
    await store.remove({ resource: 'nodes', name: 'node-1' })
    const nodes = await startStandInNodes(server, nodeNames, ROOT)
    const send = sender(server)
    return {
      server,
      store,
      nodes,
      create: (path, body) => send('POST', path, body),
      patch: (path, body) => send('PATCH', path, body, 'application/strategic-merge-patch+json'),
      remove: (path, options = {}) => send('DELETE', path, options),
      errors: async () => (await Promise.all(started.map(({ name }) => told(folder, name)))).flat(),
      close: async () => {
        for (const program of started) await program.stop()
        await nodes.close()
        await server.close()
      },
    }
  } catch (error) {
    for (const program of started) await program.stop()
    await server.close()
    throw error
  }
}

async function writeTarget({ api }: IdentityServer): Promise<{
  kubeconfig: string
  folder: string
  accountKeyPath: string
  caPath: string
}> {
  const { folder, caPem } = api
  const kubeconfig = join(folder, 'root.kubeconfig')
  await writeKubeconfig(kubeconfig, { server: api.server.url, caPem, token: ROOT, name: 'root' })
  const caPath = join(folder, 'ca.pem')
  await writeFile(caPath, caPem)
  // Signs the tokens that are kept in secrets, of which there are none here.
  const accountKeyPath = join(folder, 'account.key')
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = privateKey.export({ type: 'pkcs1', format: 'pem' })
  await writeFile(accountKeyPath, pem, { mode: 0o600 })
  return { kubeconfig, folder, accountKeyPath, caPath }
}

type Send = (method: string, path: string, body: Json, type?: string) => Promise<JsonObject>

/** Sends as somebody who may do everything; what is refused is an error. */
function sender(server: IdentityServer): Send {
  return async (method, path, body, type) => {
    const options = { token: ROOT, body, ...(type === undefined ? {} : { type }) }
    const answer = await server.call(method, path, options)
    if (answer.code >= 400) throw new Error(`${method} ${path}: ${answer.code} ${answer.message}`)
    return answer.body
  }
}

/** Lines of klog that begin with E: what went wrong and was not foreseen. */
async function told(folder: string, program: string): Promise<readonly string[]> {
  const text = await readFile(join(folder, `${program}.log`), 'utf8')
  return text.split('\n').filter((line) => /^E\d{4} /.test(line))
}
