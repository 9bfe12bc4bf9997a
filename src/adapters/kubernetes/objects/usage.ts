/** What something uses at one moment. */
export interface Usage {
  /** CPU over a short time, in billionths of one core. A whole number from 0. */
  readonly cpuNanoCores: number
  /** Memory that cannot be taken from it without harm (the working set), in bytes. */
  readonly memoryBytes: number
}

/** What one container uses. */
export interface ContainerUsageReport extends Usage {
  /** As the pod names it. */
  readonly name: string
}

/** What the containers of one pod use. */
export interface PodUsageReport {
  readonly namespace: string
  readonly name: string
  /** Tells the pod from another one that had its name. */
  readonly uid: string
  /** Those that run. */
  readonly containers: readonly ContainerUsageReport[]
}

/** What a node and its pods use, measured at one moment. */
export interface UsageReport {
  /** By the clock of the node, in milliseconds since 1970. */
  readonly takenAtMs: number
  /** The time over which the use of CPU was measured. */
  readonly windowMs: number
  /** The whole machine. */
  readonly node: Usage
  /** Every pod with a container that runs. */
  readonly pods: readonly PodUsageReport[]
}
