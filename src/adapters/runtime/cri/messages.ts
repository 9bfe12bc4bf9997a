/**
 * Messages of the Container Runtime Interface, as they are read and written here. Names are those of
 * `scripts/runtime/protocols/cri.proto` in camel case; 64-bit numbers that are read are texts.
 */

/** A string by name. */
export type TextMap = Readonly<Record<string, string>>

export interface KeyValue {
  readonly key: string
  readonly value: string
}

export interface Int64Value {
  readonly value: number | string
}

export type NamespaceMode = 'POD' | 'CONTAINER' | 'NODE' | 'TARGET'

export interface NamespaceOption {
  readonly network: NamespaceMode
  readonly pid: NamespaceMode
  readonly ipc: NamespaceMode
  readonly targetId?: string
}

export interface SecurityProfile {
  readonly profileType: 'RuntimeDefault' | 'Unconfined' | 'Localhost'
  readonly localhostRef?: string
}

export interface SandboxSecurityContext {
  readonly namespaceOptions: NamespaceOption
  readonly runAsUser?: Int64Value
  readonly runAsGroup?: Int64Value
  readonly readonlyRootfs?: boolean
  readonly supplementalGroups?: readonly number[]
  readonly privileged?: boolean
  readonly seccomp?: SecurityProfile
}

export interface SandboxMetadata {
  readonly name: string
  readonly uid: string
  readonly namespace: string
  readonly attempt: number
}

export interface SandboxConfig {
  readonly metadata: SandboxMetadata
  readonly hostname: string
  readonly logDirectory: string
  readonly dnsConfig?: {
    readonly servers: readonly string[]
    readonly searches: readonly string[]
    readonly options: readonly string[]
  }
  readonly portMappings: readonly {
    readonly protocol: 'TCP' | 'UDP' | 'SCTP'
    readonly containerPort: number
    readonly hostPort: number
    readonly hostIp: string
  }[]
  readonly labels: TextMap
  readonly annotations: TextMap
  readonly linux: {
    readonly cgroupParent: string
    readonly sysctls: TextMap
    readonly securityContext: SandboxSecurityContext
  }
}

export interface SandboxItem {
  readonly id: string
  readonly metadata: SandboxMetadata
  readonly state: 'SANDBOX_READY' | 'SANDBOX_NOTREADY'
  readonly createdAt: string
  readonly labels: TextMap
  readonly annotations: TextMap
}

export interface SandboxStatusMessage extends SandboxItem {
  readonly network: {
    readonly ip: string
    readonly additionalIps: readonly { readonly ip: string }[]
  } | null
}

export interface LinuxResources {
  readonly cpuPeriod?: number
  readonly cpuQuota?: number
  readonly cpuShares?: number
  readonly memoryLimitInBytes?: number
  readonly memorySwapLimitInBytes?: number
  readonly oomScoreAdj?: number
}

export interface ContainerSecurityContext {
  readonly namespaceOptions: NamespaceOption
  readonly capabilities?: {
    readonly addCapabilities: readonly string[]
    readonly dropCapabilities: readonly string[]
  }
  readonly privileged?: boolean
  readonly runAsUser?: Int64Value
  readonly runAsGroup?: Int64Value
  readonly runAsUsername?: string
  readonly readonlyRootfs?: boolean
  readonly supplementalGroups?: readonly number[]
  readonly noNewPrivs?: boolean
  readonly maskedPaths?: readonly string[]
  readonly readonlyPaths?: readonly string[]
  readonly seccomp?: SecurityProfile
}

export interface MountMessage {
  readonly containerPath: string
  readonly hostPath: string
  readonly readonly: boolean
  readonly propagation:
    | 'PROPAGATION_PRIVATE'
    | 'PROPAGATION_HOST_TO_CONTAINER'
    | 'PROPAGATION_BIDIRECTIONAL'
}

export interface ContainerMetadata {
  readonly name: string
  readonly attempt: number
}

export interface ContainerConfig {
  readonly metadata: ContainerMetadata
  readonly image: { readonly image: string }
  readonly command: readonly string[]
  readonly args: readonly string[]
  readonly workingDir: string
  readonly envs: readonly KeyValue[]
  readonly mounts: readonly MountMessage[]
  readonly labels: TextMap
  readonly annotations: TextMap
  readonly logPath: string
  readonly stdin: boolean
  readonly stdinOnce: boolean
  readonly tty: boolean
  readonly linux: {
    readonly resources: LinuxResources
    readonly securityContext: ContainerSecurityContext
  }
}

export type ContainerStateName =
  | 'CONTAINER_CREATED'
  | 'CONTAINER_RUNNING'
  | 'CONTAINER_EXITED'
  | 'CONTAINER_UNKNOWN'

export interface ContainerItem {
  readonly id: string
  readonly podSandboxId: string
  readonly metadata: ContainerMetadata
  readonly image: { readonly image: string } | null
  readonly imageRef: string
  readonly state: ContainerStateName
  readonly createdAt: string
  readonly labels: TextMap
  readonly annotations: TextMap
}

export interface ContainerStatusMessage {
  readonly id: string
  readonly metadata: ContainerMetadata
  readonly state: ContainerStateName
  readonly createdAt: string
  readonly startedAt: string
  readonly finishedAt: string
  readonly exitCode: number
  readonly imageRef: string
  readonly reason: string
  readonly message: string
  readonly labels: TextMap
  readonly annotations: TextMap
}

export interface ImageMessage {
  readonly id: string
  readonly repoTags: readonly string[]
  readonly repoDigests: readonly string[]
  readonly size: string
  readonly uid: { readonly value: string } | null
  readonly username: string
  readonly pinned: boolean
}

export interface ContainerStatsMessage {
  readonly attributes: {
    readonly id: string
    readonly metadata: ContainerMetadata
    readonly labels: TextMap
  }
  readonly cpu: { readonly usageCoreNanoSeconds: { readonly value: string } | null } | null
  readonly memory: { readonly workingSetBytes: { readonly value: string } | null } | null
  readonly writableLayer: {
    readonly usedBytes: { readonly value: string } | null
    readonly inodesUsed: { readonly value: string } | null
  } | null
}

/** A call whose answer has no fields. */
export type Nothing = Readonly<Record<string, never>>

/** What each call is asked and answers. */
export interface CriCalls {
  readonly Version: {
    readonly request: { readonly version: string }
    readonly response: { readonly runtimeName: string; readonly runtimeVersion: string }
  }
  readonly Status: {
    readonly request: { readonly verbose: boolean }
    readonly response: {
      readonly status: {
        readonly conditions: readonly {
          readonly type: string
          readonly status: boolean
          readonly message: string
        }[]
      }
      readonly info: TextMap
    }
  }
  readonly RunPodSandbox: {
    readonly request: { readonly config: SandboxConfig }
    readonly response: { readonly podSandboxId: string }
  }
  readonly StopPodSandbox: {
    readonly request: { readonly podSandboxId: string }
    readonly response: Nothing
  }
  readonly RemovePodSandbox: {
    readonly request: { readonly podSandboxId: string }
    readonly response: Nothing
  }
  readonly PodSandboxStatus: {
    readonly request: { readonly podSandboxId: string }
    readonly response: { readonly status: SandboxStatusMessage }
  }
  readonly ListPodSandbox: {
    readonly request: { readonly filter: { readonly labelSelector: TextMap } }
    readonly response: { readonly items: readonly SandboxItem[] }
  }
  readonly CreateContainer: {
    readonly request: {
      readonly podSandboxId: string
      readonly config: ContainerConfig
      readonly sandboxConfig: SandboxConfig
    }
    readonly response: { readonly containerId: string }
  }
  readonly StartContainer: {
    readonly request: { readonly containerId: string }
    readonly response: Nothing
  }
  readonly StopContainer: {
    readonly request: { readonly containerId: string; readonly timeout: number }
    readonly response: Nothing
  }
  readonly RemoveContainer: {
    readonly request: { readonly containerId: string }
    readonly response: Nothing
  }
  readonly ListContainers: {
    readonly request: {
      readonly filter: {
        readonly id?: string
        readonly podSandboxId?: string
        readonly labelSelector?: TextMap
      }
    }
    readonly response: { readonly containers: readonly ContainerItem[] }
  }
  readonly ContainerStatus: {
    readonly request: { readonly containerId: string; readonly verbose: boolean }
    readonly response: { readonly status: ContainerStatusMessage; readonly info: TextMap }
  }
  readonly UpdateContainerResources: {
    readonly request: { readonly containerId: string; readonly linux: LinuxResources }
    readonly response: Nothing
  }
  readonly ReopenContainerLog: {
    readonly request: { readonly containerId: string }
    readonly response: Nothing
  }
  readonly ExecSync: {
    readonly request: {
      readonly containerId: string
      readonly cmd: readonly string[]
      readonly timeout: number
    }
    readonly response: {
      readonly stdout: Uint8Array
      readonly stderr: Uint8Array
      readonly exitCode: number
    }
  }
  readonly Exec: {
    readonly request: {
      readonly containerId: string
      readonly cmd: readonly string[]
      readonly tty: boolean
      readonly stdin: boolean
      readonly stdout: boolean
      readonly stderr: boolean
    }
    readonly response: { readonly url: string }
  }
  readonly Attach: {
    readonly request: {
      readonly containerId: string
      readonly tty: boolean
      readonly stdin: boolean
      readonly stdout: boolean
      readonly stderr: boolean
    }
    readonly response: { readonly url: string }
  }
  readonly PortForward: {
    readonly request: { readonly podSandboxId: string; readonly port: readonly number[] }
    readonly response: { readonly url: string }
  }
  readonly ListContainerStats: {
    readonly request: { readonly filter: { readonly labelSelector: TextMap } }
    readonly response: { readonly stats: readonly ContainerStatsMessage[] }
  }
  readonly ListImages: {
    readonly request: Nothing
    readonly response: { readonly images: readonly ImageMessage[] }
  }
  readonly ImageStatus: {
    readonly request: { readonly image: { readonly image: string } }
    readonly response: { readonly image: ImageMessage | null }
  }
  readonly PullImage: {
    readonly request: {
      readonly image: { readonly image: string }
      readonly auth?: { readonly username: string; readonly password: string }
    }
    readonly response: { readonly imageRef: string }
  }
  readonly RemoveImage: {
    readonly request: { readonly image: { readonly image: string } }
    readonly response: Nothing
  }
  readonly ImageFsInfo: {
    readonly request: Nothing
    readonly response: {
      readonly imageFilesystems: readonly {
        readonly fsId: { readonly mountpoint: string } | null
        readonly usedBytes: { readonly value: string } | null
      }[]
    }
  }
}

/** The calls that the image service answers; all others are the runtime service's. */
export const IMAGE_CALLS: ReadonlySet<keyof CriCalls> = new Set([
  'ListImages',
  'ImageStatus',
  'PullImage',
  'RemoveImage',
  'ImageFsInfo',
] as const)
