import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import {
  createAuthority,
  createSigningRequest,
  issueClientCertificate,
  issueServerCertificate,
  writeKubeconfig,
} from 'tideway/adapters/kubernetes/server'
import { stringify } from 'yaml'
import {
  kubeletArguments,
  kubeletConfiguration,
} from '../../examples/edgecore/kubelet-configuration.ts'
import { startProgram } from '../cluster/process.ts'
import type { Containerd } from '../containers/containerd.ts'
import { steadyPort } from '../support/steady-port.ts'
import { restoreMachine, stateOfMachine } from './machine-state.ts'

/** What {@link startKubelet} needs. */
export interface KubeletOptions {
  readonly path: string
  readonly node: string
  readonly containerd: Containerd
  /** The API that it reads its pods from, with a token of somebody who may do what kubelets do. */
  readonly api: { readonly url: string; readonly caPem: string; readonly token: string }
  /** Settings that differ from what edgecore gives its kubelet. */
  readonly configuration?: Readonly<Record<string, unknown>>
}

/** A kubelet of one's own. */
export interface Kubelet {
  readonly pid: number
  /** Everything that it keeps. */
  readonly directory: string
  readonly logPath: string
  /** Where the logs of pods are: `NAMESPACE_POD_UID/CONTAINER/ATTEMPT.log`. */
  readonly podLogs: string
  /** Ends it. Its pods run on. */
  close(): Promise<void>
}

const READY_MS = 60_000
const CGROUPS = '/sys/fs/cgroup'

/**
 * Starts a kubelet on a containerd of its own, and resolves when it is well.
 *
 * @throws Error with the end of its log when it does not start.
 */
export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { path, node, containerd, api } = options
  const directory = join(containerd.folder, 'kubelet')
  await mkdir(directory, { recursive: true })
  const port = await steadyPort()
  const place = { node, directory, socketPath: containerd.socket, host: '127.0.0.1', port }
  const { certificate, clientAuthority, client } = await writeCertificates(directory)
  const configuration = {
    ...kubeletConfiguration({
      ...place,
      certificate,
      clientAuthority,
      clusterDns: [],
      clusterDomain: 'cluster.local',
    }),
    ...testConfiguration(containerd),
    ...options.configuration,
  }
  await writeFile(join(directory, 'config.yaml'), stringify(configuration))
  await writeKubeconfig(join(directory, 'kubeconfig'), {
    server: api.url,
    caPem: api.caPem,
    token: api.token,
    name: 'test',
  })
  await makeCgroups(containerd.cgroupRoot)
  const logPath = join(directory, 'kubelet.log')
  const machine = await stateOfMachine()
  const program = startProgram('kubelet', path, [...kubeletArguments(place), '--v=2'], logPath)
  const close = async (): Promise<void> => {
    await program.stop()
    await restoreMachine(machine, containerd.folder)
  }
  try {
    await program.ready(() => isWell(port, client), READY_MS)
  } catch (error) {
    await close()
    throw error
  }
  return { pid: program.pid, directory, logPath, podLogs: join(directory, 'logs'), close }
}

/** Runs something with a kubelet, which is gone afterwards, however it ends. */
export async function withKubelet<T>(
  options: KubeletOptions,
  use: (kubelet: Kubelet) => Promise<T>,
): Promise<T> {
  const kubelet = await startKubelet(options)
  try {
    return await use(kubelet)
  } finally {
    await kubelet.close()
  }
}

interface Client {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

/** For its own API: a certificate, and somebody who may use it. */
async function writeCertificates(directory: string) {
  const authority = await createAuthority('kubelet')
  const server = await issueServerCertificate(authority, { names: [], ips: ['127.0.0.1'] })
  const certificate = { path: join(directory, 'tls.crt'), keyPath: join(directory, 'tls.key') }
  const clientAuthority = join(directory, 'ca.crt')
  await writeFile(clientAuthority, authority.certificate)
  await writeFile(certificate.path, server.certificate)
  await writeFile(certificate.keyPath, server.key, { mode: 0o600 })
  const asked = await createSigningRequest()
  const subject = { commonName: 'tester', organizations: [], days: 1 }
  const cert = await issueClientCertificate(authority, asked.request, subject)
  const client: Client = { ca: authority.certificate, cert, key: asked.key }
  return { certificate, clientAuthority, client }
}

/** What every kubelet under test is told: its cgroups are its own, and a full disk is no matter. */
export function testConfiguration({ cgroupRoot }: Containerd): Readonly<Record<string, unknown>> {
  return { cgroupRoot: `/${cgroupRoot}`, evictionHard: {}, imageGCHighThresholdPercent: 100 }
}

/** With cgroup v1 every hierarchy needs the group that pods are to be in, with CPUs that they may use. */
export async function makeCgroups(root: string): Promise<void> {
  for (const name of await readdir(CGROUPS)) {
    if (name === 'unified') continue
    const parent = join(CGROUPS, name)
    await mkdir(join(parent, root), { recursive: true })
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      const value = await readFile(join(parent, file), 'utf8').catch(() => undefined)
      if (value !== undefined) await writeFile(join(parent, root, file), value)
    }
  }
}

function isWell(port: number, client: Client): Promise<boolean> {
  return new Promise((resolve) => {
    const asked = request(
      { host: '127.0.0.1', port, path: '/healthz', agent: false, ...client },
      (response) => {
        response.resume()
        resolve(response.statusCode === 200)
      },
    )
    asked.on('error', () => resolve(false))
    asked.end()
  })
}
