import type {
  ContainerSpec,
  ContainerStatus,
  PodRuntime,
  RuntimeFeatures,
  SandboxSpec,
  SandboxStatus,
} from '../adapters/runtime/index.ts'

/** One place where runtimes of the kind under test can live one after the other. */
export interface RuntimePlace {
  /** Opens the runtime on what earlier ones left in this place. */
  open(): Promise<PodRuntime>
  /** A new, empty directory for one pod, which every user can reach. */
  podDirectory(): Promise<string>
  /** The content of a log file, or an empty text while there is none. */
  readLog(path: string): Promise<string>
  /** Kills every process and removes every file. */
  dispose(): Promise<void>
}

/** One check. */
export interface RuntimeCheck {
  /** A sentence of the interface. */
  readonly name: string
  /** The check is left out unless this holds. */
  readonly when?: (supports: RuntimeFeatures, runtime: PodRuntime) => boolean
  readonly run: (scene: RuntimeScene) => Promise<void>
}

/** What a check works with: one sandbox in an open runtime. */
export interface RuntimeScene {
  readonly runtime: PodRuntime
  readonly sandbox: SandboxStatus
  readonly sandboxSpec: SandboxSpec
  /** Closes the runtime and opens another one in the same place. */
  reopen(): Promise<PodRuntime>
  /** A container that runs a shell script. */
  shell(script: string, over?: Partial<ContainerSpec>): ContainerSpec
  readLog(path: string): Promise<string>
  /** Waits until the container fits; fails with `what` when it never does. */
  until(
    id: string,
    fits: (status: ContainerStatus) => boolean,
    what: string,
  ): Promise<ContainerStatus>
  /** Waits until something is so. */
  eventually(isSo: () => Promise<boolean>, what: string): Promise<void>
}
