/** The parts of the API of Docker, version 1.41 and newer, that are used; Podman has the same. */

type TextMap = Readonly<Record<string, string>>

/** `GET /version`. */
export interface VersionMessage {
  readonly Version: string
  readonly ApiVersion: string
  readonly MinAPIVersion?: string
  readonly Components?: readonly { readonly Name: string; readonly Version?: string }[]
}

/** `GET /info`. */
export interface InfoMessage {
  readonly CgroupDriver?: string
  readonly DockerRootDir?: string
  readonly SecurityOptions?: readonly string[] | null
  readonly LiveRestoreEnabled?: boolean
}

/** One row of `GET /containers/json`. */
export interface ContainerRow {
  readonly Id: string
  readonly ImageID: string
  /** `created`, `running`, `exited` and others. */
  readonly State: string
  /** In seconds. */
  readonly Created: number
  readonly Labels: TextMap | null
}

/** `GET /containers/ID/json`. */
export interface ContainerDetails {
  readonly Id: string
  readonly Created: string
  readonly Image: string
  readonly LogPath?: string
  readonly State: {
    readonly Status: string
    readonly Running: boolean
    readonly OOMKilled: boolean
    readonly Pid: number
    readonly ExitCode: number
    readonly Error: string
    readonly StartedAt: string
    readonly FinishedAt: string
  }
  readonly Config: {
    readonly Labels: TextMap | null
    readonly Tty?: boolean
    readonly StopSignal?: string | number
  }
  readonly HostConfig: { readonly NetworkMode?: string; readonly LogConfig?: LogConfig }
  readonly NetworkSettings?: {
    readonly IPAddress?: string
    readonly Networks?: Readonly<Record<string, { readonly IPAddress?: string } | null>> | null
  }
}

/** Where an engine writes what a container says. */
export interface LogConfig {
  readonly Type: string
  readonly Config: TextMap
}

/** What `POST /containers/create` is given. */
export interface CreateMessage {
  readonly Image: string
  readonly Hostname?: string
  readonly User?: string
  readonly Entrypoint?: readonly string[]
  readonly Cmd?: readonly string[]
  readonly Env?: readonly string[]
  readonly WorkingDir?: string
  readonly Labels: TextMap
  readonly Tty?: boolean
  readonly OpenStdin?: boolean
  readonly StdinOnce?: boolean
  readonly ExposedPorts?: Readonly<Record<string, object>>
  readonly Healthcheck: { readonly Test: readonly string[] }
  readonly HostConfig: HostConfig
}

/** Limits, as they are set and changed. */
export interface ResourceMessage {
  readonly Memory?: number
  readonly MemorySwap?: number
  readonly CpuPeriod?: number
  readonly CpuQuota?: number
  readonly CpuShares?: number
}

/** What of a container is about the machine. */
export interface HostConfig extends ResourceMessage {
  readonly CgroupParent: string
  readonly NetworkMode: string
  readonly IpcMode: string
  readonly PidMode?: string
  readonly OomScoreAdj?: number
  readonly PidsLimit?: number
  readonly PortBindings?: Readonly<
    Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[]>
  >
  readonly Dns?: readonly string[]
  readonly DnsSearch?: readonly string[]
  readonly DnsOptions?: readonly string[]
  readonly Sysctls?: TextMap
  readonly Mounts?: readonly MountMessage[]
  /** Directories in memory, with their options. */
  readonly Tmpfs?: TextMap
  readonly LogConfig: LogConfig
  readonly GroupAdd?: readonly string[]
  readonly Privileged?: boolean
  readonly ReadonlyRootfs?: boolean
  readonly CapAdd?: readonly string[]
  readonly CapDrop?: readonly string[]
  readonly SecurityOpt?: readonly string[]
  readonly MaskedPaths?: readonly string[]
  readonly ReadonlyPaths?: readonly string[]
}

/** A directory or a file of the machine in a container. */
export interface MountMessage {
  readonly Type: 'bind'
  readonly Source: string
  readonly Target: string
  readonly ReadOnly: boolean
  readonly BindOptions: { readonly Propagation: string }
}

/** `GET /exec/ID/json`. */
export interface ExecDetails {
  readonly Running: boolean
  readonly ExitCode: number | null
  /** As the machine counts; 0 when it is not known. */
  readonly Pid: number
}

/** `GET /images/NAME/json`, and with fewer fields a row of `GET /images/json`. */
export interface ImageMessage {
  readonly Id: string
  readonly RepoTags?: readonly string[] | null
  readonly RepoDigests?: readonly string[] | null
  readonly Size: number
  readonly Config?: { readonly User?: string } | null
}

/** A line of `POST /images/create`. */
export interface PullLine {
  readonly error?: string
}

/** `GET /system/df`. */
export interface DiskMessage {
  readonly LayersSize?: number
}

/** `GET /containers/ID/stats`. */
export interface StatsMessage {
  readonly cpu_stats?: { readonly cpu_usage?: { readonly total_usage?: number } }
  readonly memory_stats?: {
    readonly usage?: number
    readonly stats?: Readonly<Record<string, number>>
  }
  readonly pids_stats?: { readonly current?: number }
}

/** A line of `GET /events`. */
export interface EventMessage {
  /** Such as `die`; sessions tell `exec_die` and others. */
  readonly Action?: string
  readonly Actor?: { readonly ID?: string; readonly Attributes?: TextMap }
}
