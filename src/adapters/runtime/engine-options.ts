import { UsageError } from '../../core/errors.ts'
import type { Clock } from '../../core/interfaces/clock.ts'
import type { Logger } from '../../core/interfaces/logger.ts'
import type { RuntimeFeatures } from './index.ts'
import type { LogLimits } from './log-rotation.ts'

/** What every runtime on a container engine needs, beside its socket. */
export interface ContainerEngineOptions {
  readonly clock: Clock
  readonly logger: Logger
  /**
   * Whose pods these are: what another owner made in the same engine is never seen. Default
   * `tideway`.
   */
  readonly owner?: string | undefined
  /** The cgroup under which the groups of all pods are made. Default `tideway`. */
  readonly cgroupRoot?: string | undefined
  /** A log file is rotated at this size. Default 10 MiB. */
  readonly logFileBytesMax?: number | undefined
  /** Log files kept for a container, the current one included. Default 5. */
  readonly logFilesMax?: number | undefined
}

/** Every option that has a default, with a value. */
export interface EngineSettings {
  readonly owner: string
  readonly cgroupRoot: string
  readonly logLimits: LogLimits
}

const OWNER = 'tideway'
const CGROUP_ROOT = 'tideway'
const LOG_FILE_BYTES_MAX = 10 * 1024 * 1024
const LOG_FILES_MAX = 5
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/

/** @throws UsageError when a name cannot be one. */
export function engineSettings(options: ContainerEngineOptions): EngineSettings {
  const { owner = OWNER, cgroupRoot = CGROUP_ROOT } = options
  if (!NAME.test(owner) || !NAME.test(cgroupRoot)) {
    const message = 'owner and cgroupRoot have to be one name each'
    throw new UsageError('USAGE_INVALID_ARGUMENT', message, { owner, cgroupRoot })
  }
  const { logFileBytesMax = LOG_FILE_BYTES_MAX, logFilesMax = LOG_FILES_MAX } = options
  return { owner, cgroupRoot, logLimits: { fileBytesMax: logFileBytesMax, filesMax: logFilesMax } }
}

/** What container engines promise, whichever: some of them more. */
export const ENGINE_FEATURES: RuntimeFeatures = {
  mounts: true,
  limits: true,
  images: true,
  terminals: true,
  usage: true,
  networks: true,
  resize: true,
  podLimits: true,
  processes: true,
  security: new Set([
    'uid',
    'gid',
    'groups',
    'readOnlyRoot',
    'noNewPrivileges',
    'addCapabilities',
    'dropCapabilities',
    'seccomp',
    'procMount',
  ]),
}
