import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import {
  createSigningRequest,
  issueClientCertificate,
  loadOrCreateAuthority,
  loadOrIssueServerCertificate,
  writeSecretFile,
} from 'tideway/adapters/kubernetes/server'
import type { KubeletAccess } from 'tideway/adapters/runtime/kubelet'
import { parse, stringify } from 'yaml'
import { EXIT, ProgramError } from '../shared/program-error.ts'
import { CLUSTER_DOMAIN, type EdgeSettings } from './edge-settings.ts'
import { kubeletConfiguration } from './kubelet-configuration.ts'
import type { NodeIdentity } from './node-identity.ts'
import { engineEndpoint } from './open-runtime.ts'

/** The API that a kubelet reads its pods from. */
export interface KubeletApi {
  readonly url: string
  readonly caPem: string
}

const HOST = '127.0.0.1'
const CLIENT_DAYS = 3_650

/** Where everything of the kubelet of a data directory is. */
export function kubeletDirectory(data: string): string {
  return join(data, 'kubelet')
}

/**
 * Writes the kubeconfig, the configuration and the certificates of a node's kubelet, as the settings
 * are now. Its own API has an authority of its own: whoever may use that of the node may not use it.
 *
 * @throws ProgramError `SETTING_INVALID` when the file of `--kubelet-config` cannot be used.
 */
export async function writeKubeletFiles(
  settings: EdgeSettings,
  self: NodeIdentity,
  api: KubeletApi,
): Promise<KubeletAccess> {
  const directory = kubeletDirectory(settings.data)
  const pki = join(directory, 'pki')
  const authority = await loadOrCreateAuthority(pki)
  const names = { names: [self.node].filter((name) => isIP(name) === 0), ips: [HOST] }
  await loadOrIssueServerCertificate(authority, pki, 'serving', names)
  const asked = await createSigningRequest()
  const subject = { commonName: 'edgecore', organizations: [], days: CLIENT_DAYS }
  const cert = await issueClientCertificate(authority, asked.request, subject)
  const port = settings.kubeletPort
  const configuration = kubeletConfiguration({
    node: self.node,
    directory,
    socketPath: engineEndpoint(settings),
    host: HOST,
    port,
    clientAuthority: join(pki, 'ca.crt'),
    certificate: { path: join(pki, 'serving.crt'), keyPath: join(pki, 'serving.key') },
    clusterDns: settings.clusterDns,
    clusterDomain: settings.clusterDomain ?? CLUSTER_DOMAIN,
    manifests: settings.podManifestPath,
    unsafeSysctls: settings.allowedUnsafeSysctls,
    podProcessesMax: settings.podMaxPids === 0 ? undefined : settings.podMaxPids,
  })
  const own = await ownConfiguration(settings.kubeletConfig)
  await writeSecretFile(join(directory, 'config.yaml'), stringify({ ...configuration, ...own }))
  await writeSecretFile(join(directory, 'kubeconfig'), kubeconfigOf(self, api))
  return { host: HOST, port, ca: authority.certificate, cert, key: asked.key }
}

/** What the user wants otherwise. */
async function ownConfiguration(path: string | undefined): Promise<object> {
  if (path === undefined) return {}
  let own: unknown
  try {
    own = parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw unusable(path, error instanceof Error ? error.message : String(error))
  }
  if (typeof own !== 'object' || own === null || Array.isArray(own))
    throw unusable(path, 'it is not a map')
  return own
}

function unusable(path: string, why: string): ProgramError {
  const message = `--kubelet-config ${path} cannot be used: ${why}; allowed is a KubeletConfiguration in YAML`
  return new ProgramError('SETTING_INVALID', EXIT.usage, message, { fields: { path } })
}

/** The kubelet is the node: it proves that with the certificate that the cloud has given to the node. */
function kubeconfigOf(
  { node, certificate, key }: NodeIdentity,
  { url, caPem }: KubeletApi,
): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const user = {
    'client-certificate-data': base64(certificate),
    'client-key-data': base64(key),
  }
  const cluster = { server: url, 'certificate-authority-data': base64(caPem) }
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'node', cluster }],
    users: [{ name: node, user }],
    contexts: [{ name: 'node', context: { cluster: 'node', user: node } }],
    'current-context': 'node',
  })
}
