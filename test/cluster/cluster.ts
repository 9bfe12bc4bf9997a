import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { get as httpGet } from 'node:http'
import { get as httpsGet, type RequestOptions } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createAuthority,
  issueServerCertificate,
  writeKubeconfig,
} from 'tideway/adapters/kubernetes/server'
import { steadyPort } from '../support/steady-port.ts'
import { type RunningProgram, startProgram } from './process.ts'
import { installPrograms, type Programs } from './programs.ts'

/** Which parts of a cluster run beside etcd and kube-apiserver, and how. */
export interface ClusterOptions {
  readonly controllerManager?: boolean
  readonly scheduler?: boolean
  /** etcd syncs each write to the disk, as in production. Default: not, as tests are sooner done so. */
  readonly syncsToDisk?: boolean
  /** Pods are given their service account, which a controller manager has to make. Default: they are not. */
  readonly serviceAccounts?: boolean
  /** More flags for kube-apiserver. */
  readonly apiServerFlags?: readonly string[]
  /** The programs. Default: those installed, which are built first where they are not. */
  readonly programs?: Programs
}

/** A real cluster without nodes: etcd and kube-apiserver, on free ports of this machine. */
export interface Cluster {
  /** Such as `https://127.0.0.1:16443`. */
  readonly url: string
  readonly caPem: string
  /** Of the user `tester`, who is in `system:masters`. */
  readonly token: string
  readonly kubeconfig: string
  /** For what tests add; it goes with the cluster. */
  readonly folder: string
  /** The key that signs tokens of service accounts, PEM. */
  readonly accountKeyPath: string
  readonly caPath: string
  /** The ids of its processes, by name. */
  readonly pids: Readonly<Record<string, number>>
  /** Ends its processes and removes its folder. */
  close(): Promise<void>
}

const TOKEN = 'a-token-for-tests-only'
const READY_MS = 60_000

/**
 * Starts a cluster and resolves when it is ready.
 *
 * @throws Error with the end of the log of the program that does not start.
 */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const tell = (line: string): void => console.warn(`cluster: ${line}`)
  const programs = options.programs ?? (await installPrograms(tell))
  const folder = await mkdtemp(join(tmpdir(), 'cluster-'))
  const started: RunningProgram[] = []
  const close = async (): Promise<void> => {
    for (const program of [...started].reverse()) await program.stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const files = await writeFiles(folder)
    const etcdPort = await steadyPort()
    const storeFlags = etcdFlags(folder, etcdPort, await steadyPort(), options.syncsToDisk === true)
    const etcd = startProgram('etcd', programs.etcd, storeFlags, join(folder, 'etcd.log'))
    started.push(etcd)
    await etcd.ready(() => isWell(`http://127.0.0.1:${etcdPort}/health`, {}), READY_MS)
    const port = await steadyPort()
    const url = `https://127.0.0.1:${port}`
    const flags = [
      ...apiServerFlags(files, port, etcdPort),
      ...accountFlags(options),
      ...(options.apiServerFlags ?? []),
    ]
    const logPath = join(folder, 'kube-apiserver.log')
    const apiServer = startProgram('kube-apiserver', programs['kube-apiserver'], flags, logPath)
    started.push(apiServer)
    const request = { ca: files.caPem, headers: { authorization: `Bearer ${TOKEN}` } }
    await apiServer.ready(() => isWell(`${url}/readyz`, request), READY_MS)
    const kubeconfig = join(folder, 'kubeconfig')
    await writeKubeconfig(kubeconfig, {
      server: url,
      caPem: files.caPem,
      token: TOKEN,
      name: 'cluster',
    })
    const target = { kubeconfig, folder, accountKeyPath: files.accountKey, caPath: files.ca }
    if (options.controllerManager === true) started.push(startControllerManager(programs, target))
    if (options.scheduler === true) started.push(startScheduler(programs, target))
    const pids = Object.fromEntries(started.map(({ name, pid }) => [name, pid]))
    return { url, caPem: files.caPem, token: TOKEN, pids, ...target, close }
  } catch (error) {
    await close()
    throw error
  }
}

/** Runs something with a cluster, which is gone afterwards, however it ends. */
export async function withCluster<T>(
  options: ClusterOptions,
  use: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  const cluster = await startCluster(options)
  try {
    return await use(cluster)
  } finally {
    await cluster.close()
  }
}

/** The API that a controller manager or a scheduler works on: any server's, not only a cluster's. */
export interface ControlledApi {
  readonly kubeconfig: string
  /** Where their logs go. */
  readonly folder: string
  /** Signs tokens of service accounts; without it none are made. */
  readonly accountKeyPath?: string
  readonly caPath?: string
}

/** Starts a kube-controller-manager on an API. Of flags given twice the later ones count. */
export function startControllerManager(
  programs: Programs,
  api: ControlledApi,
  more: readonly string[] = [],
): RunningProgram {
  const flags = [
    `--kubeconfig=${api.kubeconfig}`,
    '--leader-elect=false',
    '--secure-port=0',
    ...(api.accountKeyPath === undefined
      ? []
      : [`--service-account-private-key-file=${api.accountKeyPath}`]),
    ...(api.caPath === undefined ? [] : [`--root-ca-file=${api.caPath}`]),
    ...more,
  ]
  const name = 'kube-controller-manager'
  return startProgram(name, programs[name], flags, join(api.folder, `${name}.log`))
}

/** Starts a kube-scheduler on an API. Of flags given twice the later ones count. */
export function startScheduler(
  programs: Programs,
  api: ControlledApi,
  more: readonly string[] = [],
): RunningProgram {
  const { kubeconfig } = api
  const flags = [`--kubeconfig=${kubeconfig}`, '--leader-elect=false', '--secure-port=0', ...more]
  const name = 'kube-scheduler'
  return startProgram(name, programs[name], flags, join(api.folder, `${name}.log`))
}

interface ClusterFiles {
  readonly caPem: string
  readonly ca: string
  readonly certificate: string
  readonly key: string
  readonly tokens: string
  readonly accountKey: string
  readonly accountPublicKey: string
}

async function writeFiles(folder: string): Promise<ClusterFiles> {
  const authority = await createAuthority('cluster')
  const tls = await issueServerCertificate(authority, {
    names: ['localhost', 'kubernetes.default.svc'],
    ips: ['127.0.0.1', '10.0.0.1'],
  })
  const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const texts = {
    'ca.pem': authority.certificate,
    'tls.crt': tls.certificate,
    'tls.key': tls.key,
    'tokens.csv': `${TOKEN},tester,tester-uid,"system:masters"\n`,
    'account.key': pair.privateKey.export({ type: 'pkcs1', format: 'pem' }),
    'account.pub': pair.publicKey.export({ type: 'spki', format: 'pem' }),
  }
  for (const [name, text] of Object.entries(texts)) {
    await writeFile(join(folder, name), text, { mode: 0o600 })
  }
  return {
    caPem: authority.certificate,
    ca: join(folder, 'ca.pem'),
    certificate: join(folder, 'tls.crt'),
    key: join(folder, 'tls.key'),
    tokens: join(folder, 'tokens.csv'),
    accountKey: join(folder, 'account.key'),
    accountPublicKey: join(folder, 'account.pub'),
  }
}

function etcdFlags(
  folder: string,
  port: number,
  peerPort: number,
  syncsToDisk: boolean,
): readonly string[] {
  const client = `http://127.0.0.1:${port}`
  const peer = `http://127.0.0.1:${peerPort}`
  return [
    `--data-dir=${join(folder, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--log-level=warn',
    ...(syncsToDisk ? [] : ['--unsafe-no-fsync']),
  ]
}

function accountFlags({ serviceAccounts = false }: ClusterOptions): readonly string[] {
  return serviceAccounts ? [] : ['--disable-admission-plugins=ServiceAccount']
}

function apiServerFlags(files: ClusterFiles, port: number, etcdPort: number): readonly string[] {
  return [
    `--etcd-servers=http://127.0.0.1:${etcdPort}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--tls-cert-file=${files.certificate}`,
    `--tls-private-key-file=${files.key}`,
    `--client-ca-file=${files.ca}`,
    `--token-auth-file=${files.tokens}`,
    '--authorization-mode=RBAC',
    '--service-cluster-ip-range=10.0.0.0/24',
    '--allow-privileged=true',
    '--endpoint-reconciler-type=none',
    `--service-account-issuer=https://127.0.0.1:${port}/`,
    `--service-account-key-file=${files.accountPublicKey}`,
    `--service-account-signing-key-file=${files.accountKey}`,
  ]
}

/** Whether a GET is answered with 200. */
function isWell(url: string, options: RequestOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const get = url.startsWith('https:') ? httpsGet : httpGet
    const request = get(url, { ...options, agent: false, timeout: 2_000 }, (response) => {
      response.resume()
      response.on('end', () => resolve(response.statusCode === 200))
      response.on('error', () => resolve(false))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(false))
  })
}
