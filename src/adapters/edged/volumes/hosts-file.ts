import { asObjects, asText, asTexts } from '../json.ts'
import type { PodView } from '../pod-view.ts'

/** Where names of hosts are, on the machine and in containers. */
export const HOSTS_PATH = '/etc/hosts'

const LOCAL: readonly string[] = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
]

/** What a pod is called. */
export interface PodNames {
  readonly hostname: string
  /** The rest of its full name; undefined without a subdomain. */
  readonly domain: string | undefined
}

/** The /etc/hosts of a pod with addresses of its own, as kubelet writes it. */
export function podHosts(pod: PodView, names: PodNames, addresses: readonly string[]): string {
  const { hostname, domain } = names
  const own = domain === undefined ? hostname : `${hostname}.${domain}\t${hostname}`
  const lines = [...LOCAL, ...addresses.map((address) => `${address}\t${own}`)]
  return `# Kubernetes-managed hosts file.\n${lines.join('\n')}\n${aliases(pod)}`
}

/** The /etc/hosts of a pod with the network of the machine: the machine's, and the pod's aliases. */
export function hostNetworkHosts(pod: PodView, machine: string): string {
  return `# Kubernetes-managed hosts file (host network).\n${machine}${aliases(pod)}`
}

function aliases(pod: PodView): string {
  const all = asObjects(pod.spec['hostAliases'])
  if (all.length === 0) return ''
  const lines = all.map(
    (each) => `${asText(each['ip']) ?? ''}\t${asTexts(each['hostnames']).join('\t')}\n`,
  )
  return `\n# Entries added by HostAliases.\n${lines.join('')}`
}
