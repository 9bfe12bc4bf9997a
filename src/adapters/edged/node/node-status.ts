import type { JsonObject } from '../../kubernetes/objects/types.ts'
import { type Condition, kubeTime, mergeConditions } from '../conditions.ts'
import { asTextMap, sameJson } from '../json.ts'

/** What is known of this machine. */
export interface NodeFacts {
  readonly name: string
  /** Addresses of the node, the first one also of its pods. */
  readonly addresses: readonly string[]
  readonly capacity: Readonly<Record<string, string>>
  /** What of it pods may have. */
  readonly allocatable: Readonly<Record<string, string>>
  readonly os: string
  readonly arch: string
  readonly kernelVersion: string
  readonly osImage: string
  readonly machineID: string
  /** What the firmware calls the machine; its machine id where that says nothing. */
  readonly systemUUID: string
  /** How much can be swapped out. */
  readonly swapBytes: number
  readonly bootID: string
  readonly runtimeVersion: string
  readonly version: string
  readonly pressure: NodePressure
  /** Why it can run no pods now, in kubelet's words. Default: nothing. */
  readonly problems?: readonly string[] | undefined
  /** Its images; undefined on a runtime without images. */
  readonly images?: readonly JsonObject[] | undefined
}

/** Which resources run short. */
export interface NodePressure {
  readonly memory: boolean
  readonly disk: boolean
  readonly pid: boolean
}

/** The architecture as Kubernetes calls it. */
export function kubeArch(nodeArch: string): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm64: 'arm64' }
  return names[nodeArch] ?? nodeArch
}

/** The labels that every node has. */
export function nodeLabels(facts: NodeFacts): Readonly<Record<string, string>> {
  return {
    'beta.kubernetes.io/arch': facts.arch,
    'beta.kubernetes.io/os': facts.os,
    'kubernetes.io/arch': facts.arch,
    'kubernetes.io/hostname': facts.name,
    'kubernetes.io/os': facts.os,
  }
}

/** The labels of a node with those that are missing or wrong put right; the same object if none is. */
export function withNodeLabels(
  labels: Readonly<Record<string, string>> | undefined,
  facts: NodeFacts,
): Readonly<Record<string, string>> {
  const before = asTextMap(labels)
  const after = { ...before, ...nodeLabels(facts) }
  return sameJson(before, after) && labels !== undefined ? labels : after
}

/**
 * The status of a node, as kubelet reports it. It changes only when something happened: that the node
 * is alive is said elsewhere.
 */
export function nodeStatus(existing: JsonObject, facts: NodeFacts, nowMs: number): JsonObject {
  const addresses = [
    ...facts.addresses.map((address) => ({ type: 'InternalIP', address })),
    { type: 'Hostname', address: facts.name },
  ]
  const { bootID, kernelVersion, machineID, osImage, version } = facts
  return {
    ...existing,
    addresses,
    allocatable: facts.allocatable,
    capacity: facts.capacity,
    conditions: mergeConditions(existing['conditions'], nodeConditions(facts), nowMs, {
      lastHeartbeatTime: kubeTime(nowMs),
    }),
    // Nobody listens for the cloud here: it reaches the node through the engine.
    daemonEndpoints: existing['daemonEndpoints'] ?? { kubeletEndpoint: { Port: 0 } },
    ...(facts.images === undefined ? {} : { images: facts.images }),
    nodeInfo: {
      architecture: facts.arch,
      bootID,
      containerRuntimeVersion: facts.runtimeVersion,
      kernelVersion,
      kubeProxyVersion: '',
      kubeletVersion: version,
      machineID,
      operatingSystem: facts.os,
      osImage,
      ...(facts.swapBytes > 0 ? { swap: { capacity: facts.swapBytes } } : {}),
      systemUUID: facts.systemUUID,
    },
  }
}

function nodeConditions({ pressure, problems = [] }: NodeFacts): readonly Condition[] {
  return [
    pressureCondition('MemoryPressure', pressure.memory, 'InsufficientMemory', 'SufficientMemory', {
      has: 'kubelet has insufficient memory available',
      hasNot: 'kubelet has sufficient memory available',
    }),
    pressureCondition('DiskPressure', pressure.disk, 'DiskPressure', 'NoDiskPressure', {
      has: 'kubelet has disk pressure',
      hasNot: 'kubelet has no disk pressure',
    }),
    pressureCondition('PIDPressure', pressure.pid, 'InsufficientPID', 'SufficientPID', {
      has: 'kubelet has insufficient PID available',
      hasNot: 'kubelet has sufficient PID available',
    }),
    ready(problems),
  ]
}

/** Several problems are one text, as Go prints a list of errors. */
function ready(problems: readonly string[]): Condition {
  const type = 'Ready'
  if (problems.length === 0) {
    const message = 'kubelet is posting ready status'
    return { type, status: 'True', reason: 'KubeletReady', message }
  }
  const message = problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`
  return { type, status: 'False', reason: 'KubeletNotReady', message }
}

function pressureCondition(
  type: string,
  isShort: boolean,
  shortReason: string,
  fineReason: string,
  messages: { readonly has: string; readonly hasNot: string },
): Condition {
  return {
    type,
    status: isShort ? 'True' : 'False',
    reason: `KubeletHas${isShort ? shortReason : fineReason}`,
    message: isShort ? messages.has : messages.hasNot,
  }
}
