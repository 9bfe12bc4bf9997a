import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type DnsConfig,
  type Mount,
  RuntimeError,
  type SandboxSpec,
  type SandboxStatus,
} from '../runtime/index.ts'
import type { PodContext } from './pod-context.ts'
import { parseResolvConf, podDns } from './pod-dns.ts'
import { podLimits } from './pod-level.ts'
import { hostPorts, podNames, podNamespaces, podSysctls, sandboxHostname } from './pod-network.ts'
import { podPaths } from './pod-paths.ts'
import { sandboxSecurity } from './pod-security.ts'
import type { ContainerView, PodView } from './pod-view.ts'
import { HOSTS_PATH, hostNetworkHosts, podHosts } from './volumes/hosts-file.ts'

/** Something to tell about a pod. */
interface Told {
  readonly reason: string
  readonly message: string
}

/** The sandbox of a pod, or why there is none. */
export type OpenedSandbox =
  | {
      readonly type: 'ready'
      readonly spec: SandboxSpec
      readonly status: SandboxStatus
      readonly problems: readonly Told[]
    }
  | { readonly type: 'failed'; readonly problems: readonly Told[] }

const RESOLV_CONF = '/etc/resolv.conf'
/** What the machine's own stub asks: pods cannot reach the stub. */
const RESOLV_CONF_BEHIND_STUB = '/run/systemd/resolve/resolv.conf'
const CLUSTER_DOMAIN_DEFAULT = 'cluster.local'

/** Makes the sandbox of a pod, or finds the one that it has. */
export async function openSandbox(context: PodContext, pod: PodView): Promise<OpenedSandbox> {
  const { spec, problems } = await sandboxSpecOf(context, pod)
  if (spec === undefined) return { type: 'failed', problems }
  try {
    return { type: 'ready', spec, status: await context.runtime.runSandbox(spec), problems }
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error
    return { type: 'failed', problems: [...problems, failure(error.message)] }
  }
}

async function sandboxSpecOf(
  context: PodContext,
  pod: PodView,
): Promise<{ readonly spec: SandboxSpec | undefined; readonly problems: readonly Told[] }> {
  const { namespace, name, uid, hostname } = pod
  const { directory, logs } = podPaths(context.directory, pod)
  const limits = podLimits(pod, context.podProcessesMax)
  const plain: SandboxSpec = { namespace, name, uid, hostname, directory, limits }
  if (!context.runtime.supports.networks) return { spec: plain, problems: [] }
  const names = podNames(pod, context.clusterDns?.domain ?? CLUSTER_DOMAIN_DEFAULT)
  const shown = sandboxHostname(pod, names)
  if (shown === undefined) {
    const full = `${names.hostname}.${names.domain ?? ''}`
    const why = `failed to construct FQDN from pod hostname and cluster domain, FQDN ${full} is too long (64 characters is the max, ${full.length} characters requested)`
    return { spec: undefined, problems: [failure(why)] }
  }
  const dns = podDns(pod, await machineDns(), context.clusterDns)
  const spec: SandboxSpec = {
    ...plain,
    hostname: shown,
    logDirectory: logs,
    namespaces: podNamespaces(pod),
    ports: hostPorts(pod),
    dns: dns.config,
    sysctls: podSysctls(pod),
    security: sandboxSecurity(pod),
  }
  return { spec, problems: dns.problems }
}

/** Names that lead to the pod and to its aliases, for one container; none where it brings its own. */
export async function hostsMount(
  context: PodContext,
  pod: PodView,
  container: ContainerView,
  addresses: readonly string[],
): Promise<readonly Mount[]> {
  const isOwn = container.volumeMounts.some((mount) => mount['mountPath'] === HOSTS_PATH)
  if (!context.runtime.supports.networks || isOwn) return []
  const source = join(podPaths(context.directory, pod).directory, 'etc-hosts')
  const names = podNames(pod, context.clusterDns?.domain ?? CLUSTER_DOMAIN_DEFAULT)
  const text =
    pod.spec['hostNetwork'] === true
      ? hostNetworkHosts(pod, await readFile(HOSTS_PATH, 'utf8').catch(() => ''))
      : podHosts(pod, names, addresses)
  // In place: the file is mounted in the containers that run already.
  const before = await readFile(source, 'utf8').catch(() => undefined)
  if (before !== text) await writeFile(source, text, { mode: 0o644 })
  return [{ volume: 'etc-hosts', source, path: HOSTS_PATH, readOnly: false }]
}

/** How the machine itself finds names, as far as pods can do the same. */
async function machineDns(): Promise<DnsConfig> {
  const own = parseResolvConf(await readFile(RESOLV_CONF, 'utf8').catch(() => ''))
  if (!own.servers.every((server) => server.startsWith('127.'))) return own
  const behind = await readFile(RESOLV_CONF_BEHIND_STUB, 'utf8').catch(() => undefined)
  return behind === undefined ? own : parseResolvConf(behind)
}

function failure(why: string): Told {
  return { reason: 'FailedCreatePodSandBox', message: `Failed to create pod sandbox: ${why}` }
}
