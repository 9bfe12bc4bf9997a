import type { DnsConfig } from '../runtime/index.ts'
import { asObject, asObjects, asText, asTexts } from './json.ts'
import type { PodView } from './pod-view.ts'

/** The name servers of a cluster. */
export interface ClusterDns {
  /** Addresses. */
  readonly servers: readonly string[]
  /** Such as `cluster.local`. */
  readonly domain: string
}

/** How a pod finds names, and what has to be told about it. */
export interface PodDns {
  readonly config: DnsConfig
  readonly problems: readonly { readonly reason: string; readonly message: string }[]
}

/** What the C library reads at most, and what Kubernetes allows. */
const SERVERS_MAX = 3
const SEARCHES_MAX = 32
const SEARCH_CHARS_MAX = 2048
const CLUSTER_OPTIONS: readonly string[] = ['ndots:5']

/** Reads a resolv.conf. The last `search` line counts, and the last of each option. */
export function parseResolvConf(text: string): DnsConfig {
  const servers: string[] = []
  let searches: readonly string[] = []
  let options: readonly string[] = []
  for (const line of text.split('\n')) {
    const [keyword = '', ...words] = line.trim().split(/\s+/)
    if (keyword === 'nameserver' && words[0] !== undefined) servers.push(words[0])
    if (keyword === 'search') {
      searches = words.filter((word) => word !== '.').map((word) => word.replace(/\.$/, ''))
    }
    if (keyword === 'options') options = mergeOptions(options, words)
  }
  return { servers, searches, options }
}

/**
 * How a pod finds names, from its dnsPolicy and dnsConfig.
 *
 * @param machine what the machine's resolv.conf says.
 * @param cluster undefined where the node knows no name server of a cluster: pods use the machine's.
 */
export function podDns(pod: PodView, machine: DnsConfig, cluster: ClusterDns | undefined): PodDns {
  const problems: { reason: string; message: string }[] = []
  const base = baseOf(pod, machine, cluster)
  if (base === undefined) {
    const where = `pod: "${pod.name}_${pod.namespace}(${pod.uid})"`
    const message = `${where}. kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.`
    problems.push({ reason: 'MissingClusterDNS', message })
  }
  const { servers, searches, options } = base ?? machine
  const own = asObject(pod.spec['dnsConfig'])
  const allServers = unique([...servers, ...asTexts(own['nameservers'])])
  const allSearches = unique([...searches, ...asTexts(own['searches'])])
  const config: DnsConfig = {
    servers: allServers.slice(0, SERVERS_MAX),
    searches: fittingSearches(allSearches),
    options: mergeOptions(options, asObjects(own['options']).map(optionOf)),
  }
  const limit = (name: string, what: string, line: string, values: readonly string[]): void => {
    const message = `${name} limits were exceeded, some ${what} have been omitted, the applied ${line} line is: ${values.join(' ')}`
    problems.push({ reason: 'DNSConfigForming', message })
  }
  if (config.servers.length < allServers.length)
    limit('Nameserver', 'nameservers', 'nameserver', config.servers)
  if (config.searches.length < allSearches.length)
    limit('Search Line', 'search paths', 'search', config.searches)
  return { config, problems }
}

/** @returns undefined when it should be the cluster's, and there is none. */
function baseOf(
  pod: PodView,
  machine: DnsConfig,
  cluster: ClusterDns | undefined,
): DnsConfig | undefined {
  const policy = asText(pod.spec['dnsPolicy']) ?? 'ClusterFirst'
  const isOnHost = pod.spec['hostNetwork'] === true
  if (policy === 'None') return { servers: [], searches: [], options: [] }
  if (policy === 'Default' || (policy === 'ClusterFirst' && isOnHost)) return machine
  if (cluster === undefined || cluster.servers.length === 0) return undefined
  const { servers, domain } = cluster
  const service = [`${pod.namespace}.svc.${domain}`, `svc.${domain}`, domain]
  return {
    servers,
    searches: domain === '' ? machine.searches : unique([...service, ...machine.searches]),
    options: CLUSTER_OPTIONS,
  }
}

function fittingSearches(searches: readonly string[]): readonly string[] {
  const fitting = searches.slice(0, SEARCHES_MAX)
  while (fitting.join(' ').length > SEARCH_CHARS_MAX) fitting.pop()
  return fitting
}

function optionOf(option: { readonly [name: string]: unknown }): string {
  const name = String(option['name'] ?? '')
  const value = option['value']
  return typeof value === 'string' && value !== '' ? `${name}:${value}` : name
}

/** The later one of each name, at the place of the first. */
function mergeOptions(options: readonly string[], more: readonly string[]): readonly string[] {
  const merged = new Map<string, string>()
  for (const option of [...options, ...more]) merged.set(option.split(':')[0] ?? option, option)
  return [...merged.values()]
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)]
}
