/** What one container has used. */
export interface ContainerUsage {
  /** The id of the container. */
  readonly id: string
  /** The uid of its pod. */
  readonly podUid: string
  /** The name of the container in its pod. */
  readonly name: string
  /** When its process was started, in milliseconds since 1970. */
  readonly startedAtMs: number
  /**
   * CPU time of all its processes since the start, in nanoseconds. It may go back a little when a
   * process ends that nobody waits for.
   */
  readonly cpuNanos: number
  /** The memory of all its processes that cannot be taken from them without harm, in bytes. */
  readonly memoryBytes: number
  /** What it has written to files of its own, outside of volumes. Undefined where nobody counts it. */
  readonly disk?: DiskUse | undefined
  /** How many processes it has. Undefined where nobody counts them. */
  readonly processes?: number | undefined
}

/** What files take. */
export interface DiskUse {
  readonly bytes: number
  /** How many files, directories and links. */
  readonly inodes: number
}

/** Tells what containers use. */
export interface RuntimeUsage {
  /** What every container uses that runs. Empty where the machine does not tell. */
  usage(): Promise<readonly ContainerUsage[]>
}
