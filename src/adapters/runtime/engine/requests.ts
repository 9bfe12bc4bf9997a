import { podCgroup } from '../cgroup-parents.ts'
import { CPU_PERIOD_US, cpuQuotaUs, cpuShares } from '../cpu-limits.ts'
import {
  containerAnnotations,
  containerLabels,
  sandboxAnnotations,
  sandboxLabels,
} from '../identity.ts'
import type { ContainerSpec, Limits, Mount, SandboxSpec } from '../index.ts'
import type { Dialect } from './dialect.ts'
import { CONTAINER_ATTEMPT, SANDBOX_ATTEMPT, SANDBOX_ID } from './labels.ts'
import type {
  CreateMessage,
  HostConfig,
  LogConfig,
  MountMessage,
  ResourceMessage,
} from './messages.ts'
import { securityPart, userText } from './security.ts'

/** What of a request is not in its spec. */
export interface RequestPlace {
  readonly dialect: Dialect
  readonly owner: string
  readonly cgroupRoot: string
  /** The network of the engine that pods are in. */
  readonly network: string
}

/** Commands that images bring to look after themselves: probes are the way to do that. */
const NO_HEALTHCHECK = { Test: ['NONE'] } as const
/** The pause container says nothing. */
const NO_LOG: LogConfig = { Type: 'none', Config: {} }

const PROPAGATIONS: Readonly<Record<NonNullable<Mount['propagation']>, string>> = {
  private: 'rprivate',
  hostToContainer: 'rslave',
  bidirectional: 'rshared',
}

/** The cgroup of a pod. */
export function cgroupParentOf({ cgroupRoot, dialect }: RequestPlace, podUid: string): string {
  return dialect.hasSlices ? `${cgroupRoot}.slice` : podCgroup(cgroupRoot, podUid)
}

/** Limits as engines have them. Memory and swap are limited together: nothing is swapped out. */
export function resourcesOf({ memoryBytes, cpuMillis, cpuRequestMillis }: Limits): ResourceMessage {
  return {
    CpuShares: cpuShares(cpuRequestMillis ?? 0),
    ...(cpuMillis === undefined
      ? {}
      : { CpuPeriod: CPU_PERIOD_US, CpuQuota: cpuQuotaUs(cpuMillis) }),
    ...(memoryBytes === undefined ? {} : { Memory: memoryBytes, MemorySwap: memoryBytes }),
  }
}

/** What holds the namespaces of a pod. */
export async function sandboxRequest(
  spec: SandboxSpec,
  image: string,
  attempt: number,
  place: RequestPlace,
): Promise<CreateMessage> {
  const { uid, dns, sysctls, security, namespaces = {} } = spec
  const isOnHost = namespaces.network === 'host'
  const ports = isOnHost ? [] : (spec.ports ?? [])
  const portKey = (port: (typeof ports)[number]): string =>
    `${port.containerPort}/${port.protocol.toLowerCase()}`
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {}
  for (const port of ports) {
    const binding = { HostIp: port.hostIp ?? '', HostPort: String(port.hostPort) }
    bindings[portKey(port)] = [...(bindings[portKey(port)] ?? []), binding]
  }
  const user = userText(security, '')
  return {
    Image: image,
    // With the network of the machine a pod has its name, too.
    ...(isOnHost ? {} : { Hostname: spec.hostname }),
    ...(user === undefined ? {} : { User: user }),
    Labels: {
      ...sandboxLabels(place.owner, spec),
      ...sandboxAnnotations(spec),
      [SANDBOX_ATTEMPT]: String(attempt),
    },
    Healthcheck: NO_HEALTHCHECK,
    ExposedPorts: Object.fromEntries(ports.map((port) => [portKey(port), {}])),
    HostConfig: {
      CgroupParent: cgroupParentOf(place, uid),
      NetworkMode: isOnHost ? 'host' : place.network,
      IpcMode: namespaces.ipc === 'host' ? 'host' : 'shareable',
      ...(namespaces.pid === 'host' ? { PidMode: 'host' } : {}),
      ...(dns === undefined
        ? {}
        : { Dns: dns.servers, DnsSearch: dns.searches, DnsOptions: dns.options }),
      ...(sysctls === undefined ? {} : { Sysctls: sysctls }),
      PortBindings: bindings,
      LogConfig: NO_LOG,
      // Nothing but a program that waits runs here: also in a pod with privileged containers.
      ...(await securityPart({ seccomp: security?.seccomp ?? RUNTIME_DEFAULT }, place.dialect)),
    },
  }
}

const RUNTIME_DEFAULT = { type: 'RuntimeDefault' } as const

/** What {@link containerRequest} is told beside the spec. */
export interface ContainerPlace extends RequestPlace {
  readonly sandboxId: string
  readonly sandbox: SandboxSpec
  /** The user of the image, as its configuration has it. */
  readonly imageUser: string
  readonly logConfig: LogConfig
}

/** A container of a pod: in the namespaces of its sandbox. */
export async function containerRequest(
  spec: ContainerSpec,
  place: ContainerPlace,
): Promise<CreateMessage> {
  const { sandbox, sandboxId, owner, dialect } = place
  const { network = 'pod', ipc = 'pod' } = sandbox.namespaces ?? {}
  const { command, args, workingDir, limits, security } = spec
  const shared = `container:${sandboxId}`
  const user = userText(security, place.imageUser)
  const pid = pidMode(spec, place)
  const saysName = network === 'pod' && !dialect.sharesHostname
  return {
    Image: spec.image,
    ...(saysName ? { Hostname: sandbox.hostname } : {}),
    ...(user === undefined ? {} : { User: user }),
    ...(command.length === 0 ? {} : { Entrypoint: command }),
    ...(args.length === 0 && command.length === 0 ? {} : { Cmd: args }),
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    ...(workingDir === undefined ? {} : { WorkingDir: workingDir }),
    Labels: {
      ...containerLabels(owner, sandbox, spec.name),
      ...containerAnnotations(spec),
      [CONTAINER_ATTEMPT]: String(spec.attempt),
      [SANDBOX_ID]: sandboxId,
    },
    Tty: spec.tty === true,
    OpenStdin: spec.stdin !== undefined,
    StdinOnce: spec.stdin === 'once',
    Healthcheck: NO_HEALTHCHECK,
    HostConfig: {
      CgroupParent: cgroupParentOf(place, sandbox.uid),
      NetworkMode: network === 'host' ? 'host' : shared,
      IpcMode: ipc === 'host' ? 'host' : shared,
      ...(pid === undefined ? {} : { PidMode: pid }),
      ...resourcesOf(limits),
      ...processesPart(place),
      ...(limits.oomScoreAdjust === undefined
        ? {}
        : { OomScoreAdj: Math.max(limits.oomScoreAdjust, dialect.oomScoreMin) }),
      Mounts: spec.mounts.map(mountOf),
      ...closedPart(spec, dialect),
      LogConfig: place.logConfig,
      ...(await securityPart(security, dialect)),
    },
  }
}

/** Where pods have no cgroup of their own, each container is limited like a pod. */
function processesPart({ dialect, sandbox }: ContainerPlace): Pick<HostConfig, 'PidsLimit'> {
  const processes = sandbox.limits?.processes
  return dialect.hasSlices && processes !== undefined ? { PidsLimit: processes } : {}
}

/** What the engine would make writable in a root that may not be. */
function closedPart(spec: ContainerSpec, dialect: Dialect): Pick<HostConfig, 'Tmpfs'> {
  if (spec.security?.readOnlyRoot !== true) return {}
  const mounted = new Set(spec.mounts.map(({ path }) => path.replace(/\/+$/, '')))
  const open = dialect.writableAnyway.filter((path) => !mounted.has(path))
  return open.length === 0 ? {} : { Tmpfs: Object.fromEntries(open.map((path) => [path, 'ro'])) }
}

function pidMode(spec: ContainerSpec, { sandbox, sandboxId }: ContainerPlace): string | undefined {
  const { pid = 'container' } = sandbox.namespaces ?? {}
  if (pid === 'host') return 'host'
  if (pid === 'pod') return `container:${sandboxId}`
  return spec.besideProcessesOf === undefined ? undefined : `container:${spec.besideProcessesOf}`
}

function mountOf({ source, path, readOnly, propagation = 'private' }: Mount): MountMessage {
  return {
    Type: 'bind',
    Source: source,
    Target: path,
    ReadOnly: readOnly,
    BindOptions: { Propagation: PROPAGATIONS[propagation] },
  }
}
