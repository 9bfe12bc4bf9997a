/** A port of a container that is reached through a port of the machine. */
export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP'
  readonly containerPort: number
  readonly hostPort: number
  /** The machine's address to listen on. Default: all of them. */
  readonly hostIp?: string | undefined
}

/** What is written into a pod's resolv.conf. */
export interface DnsConfig {
  readonly servers: readonly string[]
  readonly searches: readonly string[]
  readonly options: readonly string[]
}

/** What the containers of a pod share with each other and with the machine. */
export interface SandboxNamespaces {
  /**
   * `host`: the pod has the addresses and ports of the machine. Default: an address of its own where
   * the runtime `supports.networks`, that of the machine elsewhere.
   */
  readonly network?: 'pod' | 'host' | undefined
  /** Whom its processes see: those of their container, of the pod, of the machine. Default: `container`. */
  readonly pid?: 'container' | 'pod' | 'host' | undefined
  /** Whom they share memory with. Default: `pod`. */
  readonly ipc?: 'pod' | 'host' | undefined
}
