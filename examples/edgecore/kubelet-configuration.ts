import { join } from 'node:path'

/** What a kubelet is told that runs the pods of a node. */
export interface KubeletPlace {
  readonly node: string
  /** Everything that it keeps is in here. */
  readonly directory: string
  /** The unix socket of the container engine. */
  readonly socketPath: string
  /** Where its own API listens. */
  readonly host: string
  readonly port: number
  /** Signs the certificates of those who may use its API, PEM file. */
  readonly clientAuthority: string
  /** The certificate and key of its own API, PEM files. Default: it makes some itself. */
  readonly certificate?: { readonly path: string; readonly keyPath: string } | undefined
  /** A folder of static pods. Default: none. */
  readonly manifests?: string | undefined
  readonly clusterDns: readonly string[]
  readonly clusterDomain: string
  /** Settings of the kernel that pods may have beside the safe ones. Default: none. */
  readonly unsafeSysctls?: readonly string[] | undefined
  /** How many processes and threads a pod may have together. Default: as many as the machine. */
  readonly podProcessesMax?: number | undefined
}

/** The version that this is written for, and with newer ones that still know cgroup v1. */
const API_VERSION = 'kubelet.config.k8s.io/v1beta1'

/**
 * The configuration of a kubelet that serves its API to this machine alone, touches no rule of the
 * firewall, and takes the machine as it is: with swap or without, with cgroup v1 or v2.
 */
export function kubeletConfiguration(place: KubeletPlace): Readonly<Record<string, unknown>> {
  const { directory, certificate, podProcessesMax } = place
  return {
    apiVersion: API_VERSION,
    kind: 'KubeletConfiguration',
    address: place.host,
    port: place.port,
    readOnlyPort: 0,
    healthzPort: 0,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: false },
      x509: { clientCAFile: place.clientAuthority },
    },
    // Whom the authority has signed for may do everything: that is edgecore alone.
    authorization: { mode: 'AlwaysAllow' },
    ...(certificate === undefined
      ? {}
      : { tlsCertFile: certificate.path, tlsPrivateKeyFile: certificate.keyPath }),
    containerRuntimeEndpoint: `unix://${place.socketPath}`,
    podLogsDir: join(directory, 'logs'),
    volumePluginDir: join(directory, 'volume-plugins'),
    ...(place.manifests === undefined ? {} : { staticPodPath: place.manifests }),
    ...(place.clusterDns.length === 0 ? {} : { clusterDNS: [...place.clusterDns] }),
    clusterDomain: place.clusterDomain,
    allowedUnsafeSysctls: [...(place.unsafeSysctls ?? [])],
    ...(podProcessesMax === undefined ? {} : { podPidsLimit: podProcessesMax }),
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
    failSwapOn: false,
    makeIPTablesUtilChains: false,
    enforceNodeAllocatable: ['pods'],
    // A process may only lower its score where it has the right to.
    oomScoreAdj: 0,
  }
}

/** The command line of a kubelet whose configuration and kubeconfig are in its directory. */
export function kubeletArguments(
  place: Pick<KubeletPlace, 'node' | 'directory'>,
): readonly string[] {
  const { node, directory } = place
  return [
    `--config=${join(directory, 'config.yaml')}`,
    `--kubeconfig=${join(directory, 'kubeconfig')}`,
    `--root-dir=${join(directory, 'root')}`,
    `--cert-dir=${join(directory, 'pki')}`,
    `--hostname-override=${node}`,
    // One that a killed edgecore has left goes when the next one comes.
    `--lock-file=${join(directory, 'lock')}`,
    '--exit-on-lock-contention',
  ]
}
