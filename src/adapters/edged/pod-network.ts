import type { PortMapping, SandboxNamespaces } from '../runtime/index.ts'
import { asNumber, asObject, asObjects, asText } from './json.ts'
import { ownContainers, type PodView } from './pod-view.ts'
import type { PodNames } from './volumes/hosts-file.ts'

const HOSTNAME_CHARS_MAX = 63
const FQDN_CHARS_MAX = 64

/** What the containers of a pod share with each other and with the machine. */
export function podNamespaces(pod: PodView): SandboxNamespaces {
  const { spec } = pod
  const isShared = spec['shareProcessNamespace'] === true
  return {
    network: spec['hostNetwork'] === true ? 'host' : 'pod',
    pid: spec['hostPID'] === true ? 'host' : isShared ? 'pod' : 'container',
    ipc: spec['hostIPC'] === true ? 'host' : 'pod',
  }
}

/** The ports of the machine that lead into a pod. With the machine's own network none have to. */
export function hostPorts(pod: PodView): readonly PortMapping[] {
  if (pod.spec['hostNetwork'] === true) return []
  const ports = ownContainers(pod).flatMap(({ json }) => asObjects(json['ports']))
  return ports.flatMap((port): readonly PortMapping[] => {
    const hostPort = asNumber(port['hostPort']) ?? 0
    const containerPort = asNumber(port['containerPort'])
    if (hostPort <= 0 || containerPort === undefined) return []
    const protocol = asText(port['protocol'])
    const hostIp = asText(port['hostIP'])
    return [
      {
        protocol: protocol === 'UDP' || protocol === 'SCTP' ? protocol : 'TCP',
        containerPort,
        hostPort,
        ...(hostIp === undefined || hostIp === '' ? {} : { hostIp }),
      },
    ]
  })
}

/** Kernel parameters of a pod's namespaces. */
export function podSysctls(pod: PodView): Readonly<Record<string, string>> {
  const found = asObjects(asObject(pod.spec['securityContext'])['sysctls'])
  const pairs = found.flatMap((each): [string, string][] => {
    const name = asText(each['name'])
    return name === undefined ? [] : [[name.replaceAll('/', '.'), asText(each['value']) ?? '']]
  })
  return Object.fromEntries(pairs)
}

/**
 * What a pod is called: `hostnameOverride`, `hostname`, or its own name, cut where the kernel would,
 * and its domain where it has a subdomain.
 *
 * @param clusterDomain such as `cluster.local`.
 */
export function podNames(pod: PodView, clusterDomain: string): PodNames {
  const override = asText(pod.spec['hostnameOverride'])
  if (override !== undefined) return { hostname: cut(override), domain: undefined }
  const given = asText(pod.spec['hostname'])
  const subdomain = asText(pod.spec['subdomain'])
  return {
    hostname: cut(given === undefined || given === '' ? pod.name : given),
    domain:
      subdomain === undefined || subdomain === ''
        ? undefined
        : `${subdomain}.${pod.namespace}.svc.${clusterDomain}`,
  }
}

/**
 * The name that the kernel of a sandbox answers with: the full one where the pod asks for it.
 *
 * @returns undefined when the full name is too long for that.
 */
export function sandboxHostname(pod: PodView, names: PodNames): string | undefined {
  const { hostname, domain } = names
  if (pod.spec['setHostnameAsFQDN'] !== true || domain === undefined) return hostname
  const full = `${hostname}.${domain}`
  return full.length > FQDN_CHARS_MAX ? undefined : full
}

function cut(hostname: string): string {
  return hostname.slice(0, HOSTNAME_CHARS_MAX).replace(/[-.]+$/, '')
}
