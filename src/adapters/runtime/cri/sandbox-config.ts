import { podCgroup } from '../cgroup-parents.ts'
import { sandboxAnnotations, sandboxLabels } from '../identity.ts'
import type { SandboxNamespaces, SandboxSpec } from '../index.ts'
import type { NamespaceMode, NamespaceOption, SandboxConfig } from './messages.ts'
import { identityOf, seccompOf } from './security-context.ts'

/** What a sandbox is made with that its spec does not say. */
export interface SandboxPlace {
  readonly owner: string
  /** The cgroup under which the groups of all pods are made, without a slash at either end. */
  readonly cgroupRoot: string
  /** How often this pod had a sandbox before. */
  readonly attempt: number
}

const MODES: Readonly<Record<'container' | 'pod' | 'host', NamespaceMode>> = {
  container: 'CONTAINER',
  pod: 'POD',
  host: 'NODE',
}

/** The namespaces of a sandbox and of every container in it: each call has to say them again. */
export function namespaceOptions(namespaces: SandboxNamespaces | undefined): NamespaceOption {
  const { network = 'pod', pid = 'container', ipc = 'pod' } = namespaces ?? {}
  return { network: MODES[network], pid: MODES[pid], ipc: MODES[ipc] }
}

/** A sandbox as the Container Runtime Interface asks for it. */
export function sandboxConfig(spec: SandboxSpec, place: SandboxPlace): SandboxConfig {
  const { namespace, name, uid, dns, security } = spec
  const isOnHost = spec.namespaces?.network === 'host'
  return {
    metadata: { name, uid, namespace, attempt: place.attempt },
    // With the network of the machine a pod has its name, too.
    hostname: isOnHost ? '' : spec.hostname,
    logDirectory: spec.logDirectory ?? '/',
    ...(dns === undefined ? {} : { dnsConfig: dns }),
    portMappings: isOnHost
      ? []
      : (spec.ports ?? []).map((port) => ({ ...port, hostIp: port.hostIp ?? '' })),
    labels: sandboxLabels(place.owner, spec),
    annotations: sandboxAnnotations(spec),
    linux: {
      cgroupParent: podCgroup(place.cgroupRoot, uid),
      sysctls: spec.sysctls ?? {},
      securityContext: {
        namespaceOptions: namespaceOptions(spec.namespaces),
        ...identityOf(security),
        ...(security?.privileged === undefined ? {} : { privileged: security.privileged }),
        // Nothing but a program that waits runs here.
        seccomp:
          security?.seccomp === undefined
            ? { profileType: 'RuntimeDefault' }
            : seccompOf(security.seccomp),
      },
    },
  }
}
