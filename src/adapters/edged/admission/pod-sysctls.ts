import type { KubeObject } from '../../kubernetes/objects/types.ts'
import { asObject, asObjects, asText } from '../json.ts'

type Namespace = 'IPC' | 'Net'

/** Settings of the kernel that a pod may have for itself: what one of them is harms no other pod. */
const SAFE: ReadonlyMap<string, Namespace> = new Map([
  ['kernel.shm_rmid_forced', 'IPC'],
  ['net.ipv4.ip_local_port_range', 'Net'],
  ['net.ipv4.tcp_syncookies', 'Net'],
  ['net.ipv4.ping_group_range', 'Net'],
  ['net.ipv4.ip_unprivileged_port_start', 'Net'],
  ['net.ipv4.ip_local_reserved_ports', 'Net'],
  ['net.ipv4.tcp_keepalive_time', 'Net'],
  ['net.ipv4.tcp_fin_timeout', 'Net'],
  ['net.ipv4.tcp_keepalive_intvl', 'Net'],
  ['net.ipv4.tcp_keepalive_probes', 'Net'],
  ['net.ipv4.tcp_rmem', 'Net'],
  ['net.ipv4.tcp_wmem', 'Net'],
])

/** Those that the kernel keeps apart for each pod, by how they begin: the others are the machine's. */
const APART: readonly (readonly [string, Namespace])[] = [
  ['kernel.shm', 'IPC'],
  ['kernel.msg', 'IPC'],
  ['kernel.sem', 'IPC'],
  ['fs.mqueue.', 'IPC'],
  ['net.', 'Net'],
]

/**
 * Why a pod may not have a setting of the kernel that it asks for, in kubelet's words.
 *
 * @param allowed names beside the safe ones; one that ends in `*` stands for all that begin so.
 * @returns undefined when it may have them all.
 */
export function forbiddenSysctl(pod: KubeObject, allowed: readonly string[]): string | undefined {
  const spec = asObject(pod['spec'])
  const shared = new Set<Namespace>([
    ...(spec['hostNetwork'] === true ? (['Net'] as const) : []),
    ...(spec['hostIPC'] === true ? (['IPC'] as const) : []),
  ])
  for (const each of asObjects(asObject(spec['securityContext'])['sysctls'])) {
    const name = dotted(asText(each['name']) ?? '')
    const namespace = namespaceOf(name, allowed)
    if (namespace === undefined) return `forbidden sysctl: ${JSON.stringify(name)} not allowlisted`
    if (shared.has(namespace)) {
      return `forbidden sysctl: ${JSON.stringify(name)} not allowed with host ${namespace} enabled`
    }
  }
  return undefined
}

/** Whose setting it is that a pod may have; undefined when it may not. */
function namespaceOf(name: string, allowed: readonly string[]): Namespace | undefined {
  const isAllowed = allowed.some((each) =>
    each.endsWith('*') ? name.startsWith(dotted(each.slice(0, -1))) : name === dotted(each),
  )
  if (!isAllowed) return SAFE.get(name)
  return APART.find(([start]) => name.startsWith(start))?.[1]
}

/** As the kernel's own tools do it, the first separator says which one is meant. */
function dotted(name: string): string {
  const first = /[./]/.exec(name)?.[0]
  if (first !== '/') return name
  return name.replace(/[./]/g, (each) => (each === '/' ? '.' : '/'))
}
