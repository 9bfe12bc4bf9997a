import { describe, expect, test } from 'vitest'
import { parseResolvConf, podDns } from '../../../../src/adapters/edged/pod-dns.ts'
import {
  hostPorts,
  podNames,
  podNamespaces,
  podSysctls,
  sandboxHostname,
} from '../../../../src/adapters/edged/pod-network.ts'
import { hostNetworkHosts, podHosts } from '../../../../src/adapters/edged/volumes/hosts-file.ts'
import type { JsonObject } from '../../../../src/adapters/kubernetes/objects/types.ts'
import { pod } from './pods.ts'

const MACHINE = { servers: ['192.0.2.1'], searches: ['lan'], options: ['timeout:1'] }
const CLUSTER = { servers: ['10.0.0.10'], domain: 'cluster.local' }

describe('what a pod shares with the machine', () => {
  test.each<[JsonObject, object]>([
    [{}, { network: 'pod', pid: 'container', ipc: 'pod' }],
    [{ hostNetwork: true }, { network: 'host', pid: 'container', ipc: 'pod' }],
    [{ shareProcessNamespace: true }, { network: 'pod', pid: 'pod', ipc: 'pod' }],
    [
      { hostPID: true, hostIPC: true },
      { network: 'pod', pid: 'host', ipc: 'host' },
    ],
  ])('%j', (spec, namespaces) => {
    expect(podNamespaces(pod(spec))).toEqual(namespaces)
  })

  test('ports that lead into it, of all its containers', () => {
    const spec = {
      initContainers: [
        { name: 'side', image: 'a', ports: [{ containerPort: 9, hostPort: 90, protocol: 'UDP' }] },
      ],
      containers: [
        {
          name: 'main',
          image: 'a',
          ports: [
            { containerPort: 80 },
            { containerPort: 81, hostPort: 0 },
            { containerPort: 82, hostPort: 8082, hostIP: '127.0.0.1', protocol: 'TCP' },
            { containerPort: 83, hostPort: 8083, hostIP: '' },
          ],
        },
      ],
    }
    expect(hostPorts(pod(spec))).toEqual([
      { protocol: 'UDP', containerPort: 9, hostPort: 90 },
      { protocol: 'TCP', containerPort: 82, hostPort: 8082, hostIp: '127.0.0.1' },
      { protocol: 'TCP', containerPort: 83, hostPort: 8083 },
    ])
    expect(hostPorts(pod({ ...spec, hostNetwork: true }))).toEqual([])
  })

  test('kernel parameters, with slashes as well', () => {
    const sysctls = [
      { name: 'net/core/somaxconn', value: '64' },
      { name: 'kernel.msgmax', value: '1' },
    ]
    const found = podSysctls(pod({ securityContext: { sysctls } }))
    expect(found).toEqual({ 'net.core.somaxconn': '64', 'kernel.msgmax': '1' })
  })
})

describe('the name of a pod', () => {
  test.each<[JsonObject, string, string, string | undefined, string | undefined]>([
    [{}, 'web', 'web', undefined, 'web'],
    [{ hostname: 'front' }, 'web', 'front', undefined, 'front'],
    [{ subdomain: 'db' }, 'web', 'web', 'db.shop.svc.cluster.local', 'web'],
    [
      { subdomain: 'db', setHostnameAsFQDN: true },
      'web',
      'web',
      'db.shop.svc.cluster.local',
      'web.db.shop.svc.cluster.local',
    ],
    [
      { subdomain: 'd'.repeat(60), setHostnameAsFQDN: true },
      'web',
      'web',
      `${'d'.repeat(60)}.shop.svc.cluster.local`,
      undefined,
    ],
    [{}, `${'n'.repeat(61)}-.abc`, 'n'.repeat(61), undefined, 'n'.repeat(61)],
    [
      { hostnameOverride: 'a.example', subdomain: 'db' },
      'web',
      'a.example',
      undefined,
      'a.example',
    ],
  ])('with %j called %s', (spec, name, hostname, domain, shown) => {
    const it = pod(spec, { name })
    const names = podNames(it, 'cluster.local')
    expect(names).toEqual({ hostname, domain })
    expect(sandboxHostname(it, names)).toBe(shown)
  })

  test('is in its /etc/hosts, with its aliases', () => {
    const it = pod({
      hostAliases: [
        { ip: '192.0.2.7', hostnames: ['a', 'b'] },
        { ip: '192.0.2.8', hostnames: ['c'] },
      ],
    })
    const text = podHosts(it, { hostname: 'web', domain: 'db.shop.svc.cluster.local' }, [
      '10.1.2.3',
    ])
    expect(text).toBe(`# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost ip6-loopback
fe00::0\tip6-localnet
fe00::0\tip6-mcastprefix
fe00::1\tip6-allnodes
fe00::2\tip6-allrouters
10.1.2.3\tweb.db.shop.svc.cluster.local\tweb

# Entries added by HostAliases.
192.0.2.7\ta\tb
192.0.2.8\tc
`)
    expect(podHosts(pod(), { hostname: 'web', domain: undefined }, ['10.1.2.3'])).toMatch(
      /\n10\.1\.2\.3\tweb\n$/,
    )
    expect(hostNetworkHosts(it, '127.0.0.1 localhost\n')).toBe(
      `# Kubernetes-managed hosts file (host network).\n127.0.0.1 localhost\n
# Entries added by HostAliases.\n192.0.2.7\ta\tb\n192.0.2.8\tc\n`,
    )
  })
})

describe('how a pod finds names', () => {
  test('a resolv.conf is read as the C library reads it', () => {
    const text = `# comment
search old.example
nameserver 192.0.2.1
  nameserver\t192.0.2.2
search a.example. b.example .
options ndots:2 timeout:3
options ndots:5 rotate
nameserver
`
    expect(parseResolvConf(text)).toEqual({
      servers: ['192.0.2.1', '192.0.2.2'],
      searches: ['a.example', 'b.example'],
      options: ['ndots:5', 'timeout:3', 'rotate'],
    })
  })

  const cluster = {
    servers: ['10.0.0.10'],
    searches: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'lan'],
    options: ['ndots:5'],
  }
  test.each<[JsonObject, object]>([
    [{}, cluster],
    [{ dnsPolicy: 'ClusterFirst' }, cluster],
    [{ dnsPolicy: 'ClusterFirst', hostNetwork: true }, MACHINE],
    [{ dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }, cluster],
    [{ dnsPolicy: 'Default' }, MACHINE],
    [{ dnsPolicy: 'None' }, { servers: [], searches: [], options: [] }],
    [
      {
        dnsPolicy: 'Default',
        dnsConfig: {
          nameservers: ['192.0.2.1', '192.0.2.9'],
          searches: ['lan', 'more.example'],
          options: [{ name: 'timeout', value: '9' }, { name: 'edns0' }],
        },
      },
      {
        servers: ['192.0.2.1', '192.0.2.9'],
        searches: ['lan', 'more.example'],
        options: ['timeout:9', 'edns0'],
      },
    ],
  ])('with %j', (spec, config) => {
    expect(podDns(pod(spec), MACHINE, CLUSTER)).toEqual({ config, problems: [] })
  })

  test('falls back to the machine where no cluster is known, and tells it', () => {
    const found = podDns(pod(), MACHINE, undefined)
    expect(found.config).toEqual(MACHINE)
    expect(found.problems).toEqual([
      {
        reason: 'MissingClusterDNS',
        message:
          'pod: "web_shop(u-1)". kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. Falling back to "Default" policy.',
      },
    ])
    expect(podDns(pod({ dnsPolicy: 'Default' }), MACHINE, undefined).problems).toEqual([])
  })

  test('has three servers and 2,048 characters of searches at most, and tells what was left out', () => {
    const searches = Array.from({ length: 20 }, (_, index) => `${'s'.repeat(118)}${10 + index}`)
    const nameservers = ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4']
    const it = pod({ dnsPolicy: 'None', dnsConfig: { nameservers, searches } })
    const { config, problems } = podDns(it, MACHINE, CLUSTER)
    expect(config.servers).toEqual(nameservers.slice(0, 3))
    // 16 of 120 characters with 15 spaces are 1,935; one more would be 2,056.
    expect(config.searches).toEqual(searches.slice(0, 16))
    expect(problems.map(({ reason }) => reason)).toEqual(['DNSConfigForming', 'DNSConfigForming'])
    expect(problems[0]?.message).toBe(
      'Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 192.0.2.1 192.0.2.2 192.0.2.3',
    )
  })
})
