import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { consoleLogger, type Logger, type Replica, systemClock, systemRandom } from 'tideway'
import type {
  KubeObject,
  LogRequest,
  OpenObjectStore,
  PodLogs,
} from 'tideway/adapters/kubernetes/objects'
import { ObjectError } from 'tideway/adapters/kubernetes/objects'
import {
  type ApiServer,
  type ApiServerOptions,
  type Authority,
  bearerToken,
  createApiServer,
  createAuthority,
  issueServerCertificate,
  sameToken,
  writeKubeconfig,
} from 'tideway/adapters/kubernetes/server'
import { createDefinitionController } from '../../src/adapters/kubernetes/controllers/definitions.ts'
import { createNamespaceController } from '../../src/adapters/kubernetes/controllers/namespace.ts'
import { openTestReplica, openTestStore } from './fleet.ts'

/** An API server over a real store on a memory storage, with a user and a kubeconfig of its own. */
export interface TestApiServer {
  readonly server: ApiServer
  readonly store: OpenObjectStore
  readonly replica: Replica
  /** Signs certificates that the server believes. */
  readonly authority: Authority
  /** A folder that goes with the server. */
  readonly folder: string
  readonly kubeconfig: string
  readonly caPem: string
  readonly token: string
  close(): Promise<void>
}

const TOKEN = 'a-token-for-tests-only'
const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'] as const

/** Container logs as a test says they are: lines, then nothing more until the reader leaves. */
export function scriptedLogs(lines: readonly string[]): PodLogs {
  async function* read({ follow, signal }: LogRequest): AsyncGenerator<Uint8Array> {
    for (const line of lines) yield Buffer.from(`${line}\n`)
    if (!follow || signal.aborted) return
    await new Promise<void>((resolve) =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    )
  }
  return {
    open: async (request) => {
      if (request.previous)
        throw new ObjectError('BadRequest', 'previous terminated container not found')
      return read(request)
    },
  }
}

type GivenOptions = Partial<ApiServerOptions>

/**
 * Starts one with the namespaces that every cluster has, and one node that is ready.
 *
 * @param options without controllers, another program has to run them. One that is reopened remembers
 * no change from before it is served, as after a restart. The replica, where one is given, goes with the server.
 */
export async function startTestApiServer(
  given: Partial<ApiServerOptions> | ((store: OpenObjectStore) => Promise<GivenOptions>) = {},
  {
    controllers = true,
    reopened = false,
    replica: own,
  }: {
    readonly controllers?: boolean
    readonly reopened?: boolean
    readonly replica?: Replica
  } = {},
): Promise<TestApiServer> {
  const replica = own ?? (await openTestReplica())
  let store = await openTestStore(replica)
  for (const name of NAMESPACES) await store.create(namespace(name))
  await store.create(NODE)
  if (reopened) {
    await store.close()
    store = await openTestStore(replica)
  }
  const options = typeof given === 'function' ? await given(store) : given
  const authority = await createAuthority()
  const tls = await issueServerCertificate(authority, { names: ['localhost'], ips: ['127.0.0.1'] })
  const logger: Logger = consoleLogger('warn')
  const parts = { store, clock: systemClock, random: systemRandom, logger }
  // As in Kubernetes, whose API server does this itself.
  const definitions = createDefinitionController(parts)
  const controller = controllers ? createNamespaceController(parts) : undefined
  const server = await createApiServer({
    store,
    tls: { cert: tls.certificate, key: tls.key, ca: authority.certificate },
    authenticate: (request) =>
      sameToken(bearerToken(request) ?? '', TOKEN)
        ? { name: 'tester', groups: ['system:masters'] }
        : undefined,
    logs: scriptedLogs(['first line', 'second line']),
    logger,
    clock: systemClock,
    ...options,
  })
  const folder = await mkdtemp(join(tmpdir(), 'api-server-'))
  const kubeconfig = join(folder, 'kubeconfig')
  await writeKubeconfig(kubeconfig, {
    server: server.url,
    caPem: authority.certificate,
    token: TOKEN,
    name: 'test',
  })
  return {
    server,
    store,
    replica,
    authority,
    folder,
    kubeconfig,
    caPem: authority.certificate,
    token: TOKEN,
    close: async () => {
      await server.close()
      await controller?.close()
      await definitions.close()
      await store.close()
      await replica.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function namespace(name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name },
    spec: { finalizers: ['kubernetes'] },
    status: { phase: 'Active' },
  }
}

const NODE: KubeObject = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node-1' },
  spec: {},
  status: {
    conditions: [{ type: 'Ready', status: 'True' }],
    nodeInfo: { kubeletVersion: 'v1.33.0', osImage: 'Linux', kernelVersion: '6.1' },
  },
}

/** What a command printed, and how it ended. */
export interface CommandResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What a command gets beside its arguments. */
export interface CommandOptions {
  /** For `-f -`. */
  readonly input?: string
  /** KUBE_EDITOR. */
  readonly editor?: string
  /** The command is ended as soon as it has printed this: for what never ends by itself. */
  readonly until?: string
}

/** A kubectl that talks to a test server. */
export type RunKubectl = (
  args: readonly string[],
  options?: CommandOptions,
) => Promise<CommandResult>

/** How long one command may take, in milliseconds. */
const COMMAND_MS = 40_000

/** Makes a {@link RunKubectl}. Its caches are in the folder of the server. */
export function kubectlFor(
  target: Pick<TestApiServer, 'folder' | 'kubeconfig'>,
  path: string,
): RunKubectl {
  return (args, options = {}) =>
    new Promise((resolve, reject) => {
      const child = spawn(path, args, {
        env: {
          PATH: process.env['PATH'],
          HOME: target.folder,
          KUBECONFIG: target.kubeconfig,
          KUBE_EDITOR: options.editor,
        },
        timeout: COMMAND_MS,
      })
      let stdout = ''
      let stderr = ''
      child.stdout.on('data', (chunk) => {
        stdout += String(chunk)
        if (options.until !== undefined && stdout.includes(options.until)) child.kill()
      })
      child.stderr.on('data', (chunk) => {
        stderr += String(chunk)
      })
      child.on('error', reject)
      child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr }))
      child.stdin.on('error', () => undefined)
      child.stdin.end(options.input ?? '')
    })
}
