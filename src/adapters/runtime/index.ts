import type { RuntimeImages } from './images.ts'
import type { DnsConfig, PortMapping, SandboxNamespaces } from './network.ts'
import type { ContainerSecurity, SecurityField } from './security.ts'
import type { RuntimeSessions } from './sessions.ts'
import type { RuntimeUsage } from './usage.ts'

export type { ImageStatus, ImageStoreUsage, RegistryLogin, RuntimeImages } from './images.ts'
export type { DnsConfig, PortMapping, SandboxNamespaces } from './network.ts'
export type { ContainerSecurity, SeccompProfile, SecurityField } from './security.ts'
export type { CommandResult, CommandSpec, ExecSpec, RuntimeSessions } from './sessions.ts'
export type { ContainerUsage, DiskUse, RuntimeUsage } from './usage.ts'

/** What a pod sandbox is asked to be. Names and uid are those of the Kubernetes pod. */
export interface SandboxSpec {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly hostname: string
  /** Where the pod's files live: volumes, logs, state. Made by the caller before the sandbox. */
  readonly directory: string
  /** The directory that the log files of its containers are below, absolute. Default: `/`. */
  readonly logDirectory?: string | undefined
  /** What it shares with the machine. Default: as little as the runtime can. */
  readonly namespaces?: SandboxNamespaces | undefined
  /** Ports of the machine that lead into the pod, where the runtime `supports.networks`. */
  readonly ports?: readonly PortMapping[] | undefined
  /** Default: as the machine has it. */
  readonly dns?: DnsConfig | undefined
  /** Kernel parameters of its namespaces, as in `net.ipv4.ip_unprivileged_port_start`. */
  readonly sysctls?: Readonly<Record<string, string>> | undefined
  /** Whom the sandbox itself runs as, and whether containers in it may be privileged. */
  readonly security?: ContainerSecurity | undefined
  /** Limits of the pod as a whole, where the runtime `supports.podLimits`. Default: none. */
  readonly limits?: PodLimits | undefined
}

/** A volume as the runtime sees it: a directory or file on this machine, shown at a path in the container. */
export interface Mount {
  /** The name of the volume in the pod. */
  readonly volume: string
  readonly source: string
  readonly path: string
  readonly readOnly: boolean
  /** What is mounted below later on is seen in the container, or in both. Default: `private`. */
  readonly propagation?: 'private' | 'hostToContainer' | 'bidirectional' | undefined
}

/** Limits in the units of Kubernetes after parsing: bytes, and thousandths of a CPU. */
export interface Limits {
  readonly memoryBytes?: number | undefined
  readonly cpuMillis?: number | undefined
  /** Share of CPU under contention, from the request. */
  readonly cpuRequestMillis?: number | undefined
  /** How willingly the kernel ends it when memory is short: -1000 (never) to 1000. Default: 0. */
  readonly oomScoreAdjust?: number | undefined
}

/** Limits of all containers of a pod together, beside those of each. */
export interface PodLimits extends Pick<Limits, 'memoryBytes' | 'cpuMillis' | 'cpuRequestMillis'> {
  /** How many processes and threads it may have. */
  readonly processes?: number | undefined
}

/** What one container is asked to be. */
export interface ContainerSpec {
  readonly name: string
  /** 0 for the first start, one more for each restart: (pod uid, name, attempt) names one container. */
  readonly attempt: number
  readonly image: string
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly workingDir?: string | undefined
  readonly env: Readonly<Record<string, string>>
  readonly mounts: readonly Mount[]
  readonly limits: Limits
  /** The log file, in CRI format, absolute. */
  readonly logPath: string
  /** Free text kept with the container and given back by `list`: edged keeps a hash of the spec here. */
  readonly labels: Readonly<Record<string, string>>
  /** A stdin that is open to those who attach: to the first one only, or to all. Default: none. */
  readonly stdin?: 'once' | 'open' | undefined
  /** Its process runs on a terminal. Default: no. */
  readonly tty?: boolean | undefined
  /**
   * The id of a running container of the same sandbox whose processes it sees, and whose processes see
   * it. Ignored where processes see each other anyway. Default: as the sandbox has it.
   */
  readonly besideProcessesOf?: string | undefined
  /** Fields that are not in `supports.security` are ignored. Default: as image and runtime have it. */
  readonly security?: ContainerSecurity | undefined
}

/** One sandbox as observed. */
export interface SandboxStatus {
  readonly id: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly ready: boolean
  readonly createdAtMs: number
  readonly ip: string | undefined
}

/** One container as observed. */
export interface ContainerStatus {
  readonly id: string
  readonly sandboxId: string
  readonly podUid: string
  readonly name: string
  readonly attempt: number
  readonly image: string
  /** What `image` stood for at the start. Undefined on a runtime without images. */
  readonly imageId?: string | undefined
  readonly state: 'created' | 'running' | 'exited' | 'unknown'
  readonly createdAtMs: number
  readonly startedAtMs: number | undefined
  readonly finishedAtMs: number | undefined
  readonly exitCode: number | undefined
  /** The signal that ended it, when one did. */
  readonly signal: number | undefined
  /**
   * `Completed`, `Error`, `OOMKilled`, `StartError`, `ContainerStatusUnknown`; undefined while it
   * runs. An engine may learn
   * a moment after the end that it was `OOMKilled`.
   */
  readonly reason: string | undefined
  readonly message: string | undefined
  readonly logPath: string
  readonly labels: Readonly<Record<string, string>>
}

/** Something may have changed for this pod: look again. It never says what. */
export interface RuntimeHint {
  readonly podUid: string
}

/** What a runtime can do. Callers and the suite branch on this, never on a name. */
export interface RuntimeFeatures {
  /** Mounts appear at their path in the container. When false they are under the pod's directory. */
  readonly mounts: boolean
  /** Memory and CPU limits are enforced. */
  readonly limits: boolean
  /** Images are pulled and run. When false the image is only a name and a command is needed. */
  readonly images: boolean
  /** Processes can be given a terminal. */
  readonly terminals: boolean
  /** It is told what containers use. */
  readonly usage: boolean
  /** Pods have addresses of their own. When false all share the network of the machine. */
  readonly networks: boolean
  /** The limits of a running container can be changed. */
  readonly resize: boolean
  /** Limits of a pod as a whole are enforced, and can be changed while it runs. */
  readonly podLimits: boolean
  /** Containers see their own processes only. When false they see those of the machine. */
  readonly processes: boolean
  /** What of {@link ContainerSecurity} is applied. */
  readonly security: ReadonlySet<SecurityField>
}

/** Why a runtime refused: a meaning, whatever the runtime behind it says. */
export type RuntimeErrorReason =
  | 'NotFound'
  | 'InvalidSpec'
  /** A container without a command on a runtime without images. */
  | 'CommandRequired'
  /** The command does not exist or cannot be executed. */
  | 'StartFailed'
  /** The image is not here. */
  | 'ImageNotPresent'
  /** The image could not be had from its registry. */
  | 'PullFailed'
  | 'Unavailable'

/** A refusal by a runtime. */
export class RuntimeError extends Error {
  readonly reason: RuntimeErrorReason
  constructor(reason: RuntimeErrorReason, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = 'RuntimeError'
    this.reason = reason
  }
}

/**
 * Runs pods: sandboxes, and containers in them.
 *
 * Vocabulary: a *sandbox* is what the containers of one pod share; a *container* is one run of one
 * process, named by (pod uid, name, attempt); it goes created -> running -> exited and is never
 * started twice: a restart is a new container with the next attempt.
 *
 * Promises: every call is safe to repeat (creating what exists returns it, stopping what is stopped
 * and removing what is gone succeed); containers outlive the process that drives the runtime, and
 * `list` finds them again after it restarts, also when they ended meanwhile, with their exit code.
 */
export interface PodRuntime extends RuntimeSessions, RuntimeUsage {
  readonly name: string
  readonly version: string
  readonly supports: RuntimeFeatures
  /** Its images; undefined unless `supports.images`. */
  readonly images: RuntimeImages | undefined
  /**
   * The variables that this runtime adds to a container unless its own `env` has them. Known before
   * the start, so that `$(NAME)` in a command or a value can refer to them.
   */
  environment(
    sandbox: SandboxSpec,
    container: Pick<ContainerSpec, 'name' | 'mounts'>,
  ): Readonly<Record<string, string>>
  /** @returns the sandbox, made now or before. */
  runSandbox(spec: SandboxSpec): Promise<SandboxStatus>
  /**
   * Makes and starts one container; resolves when its process runs.
   *
   * @throws RuntimeError. After `StartFailed` the container exists and has ended, with exit code 128
   * and reason `StartError`; after any other reason nothing was made.
   */
  startContainer(sandboxId: string, spec: ContainerSpec): Promise<ContainerStatus>
  /**
   * Asks with SIGTERM, waits up to `graceMs`, then kills the whole process tree. A second call with
   * less time shortens the wait of the first.
   */
  stopContainer(id: string, graceMs: number): Promise<void>
  /**
   * Gives a running container other limits, where the runtime `supports.resize`.
   *
   * @throws RuntimeError `NotFound` when the container does not run, `InvalidSpec` when the machine
   * refuses, as for less memory than is in use: the old limits stay.
   */
  updateLimits(id: string, limits: Limits): Promise<void>
  /**
   * Gives a pod that runs other limits, where the runtime `supports.podLimits` and its sandbox was made with
   * some. What is absent is not limited any more. Absent: it never `supports.podLimits`.
   *
   * @throws RuntimeError `NotFound` when there is no such sandbox, `InvalidSpec` when the machine refuses.
   */
  updatePodLimits?(sandboxId: string, limits: PodLimits): Promise<void>
  /** Forgets an exited container. Its log file stays. */
  removeContainer(id: string): Promise<void>
  /**
   * Lets go of what the sandbox of an ended pod holds while nothing runs in it: processes that keep its
   * namespaces, its network. Its ended containers stay. Idempotent. Absent: it holds nothing.
   */
  stopSandbox?(id: string): Promise<void>
  /**
   * Kills what still runs in the sandbox and forgets it and its containers. What is being started in it, or
   * made for its pod, is awaited; what is asked for later finds it gone.
   */
  removeSandbox(id: string): Promise<void>
  /**
   * Removes what is left on the machine of a pod that has no sandbox any more, such as the cgroups of one
   * that was never finished. Absent where there is no such thing.
   */
  removeTraces?(podUid: string): Promise<void>
  /**
   * Everything that this runtime holds, running or not, or only what belongs to one pod. The truth;
   * hints only say when to look.
   */
  list(podUid?: string): Promise<RuntimeState>
  /** Calls back whenever something may have changed. */
  watch(listener: (hint: RuntimeHint) => void): () => void
  /** Lets go of everything without touching the pods. Idempotent. */
  close(): Promise<void>
}

/** Everything that a runtime holds at one moment. */
export interface RuntimeState {
  readonly sandboxes: readonly SandboxStatus[]
  readonly containers: readonly ContainerStatus[]
}
