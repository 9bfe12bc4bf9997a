import { UsageError } from '../../../core/errors.ts'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import { type PodRuntime, RuntimeError } from '../index.ts'
import { CriClient } from './client.ts'
import { CriRuntime } from './cri-runtime.ts'
import { GrpcChannel, GrpcError } from './grpc.ts'

/** What {@link criRuntime} needs. */
export interface CriRuntimeOptions {
  /** The engine's unix socket, such as `/run/containerd/containerd.sock` or `/run/crio/crio.sock`. */
  readonly socketPath: string
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

const LOG_FILE_BYTES_MAX = 10 * 1024 * 1024
const LOG_FILES_MAX = 5
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/

/**
 * Runs pods on containerd (1.6 and newer) or CRI-O, through the Container Runtime Interface, version 1.
 *
 * Nothing is kept outside of the engine: what a restart has to know is kept with each sandbox and
 * container. Needs the package `protobufjs`.
 *
 * @throws UsageError when an option cannot be used; RuntimeError `Unavailable` when the engine does
 * not answer, with its socket in the message.
 */
export async function criRuntime(options: CriRuntimeOptions): Promise<PodRuntime> {
  const { socketPath, clock, logger, owner = 'tideway', cgroupRoot = 'tideway' } = options
  if (!NAME.test(owner) || !NAME.test(cgroupRoot)) {
    throw new UsageError(
      'USAGE_INVALID_ARGUMENT',
      'owner and cgroupRoot have to be one name each',
      {
        owner,
        cgroupRoot,
      },
    )
  }
  const channel = new GrpcChannel(socketPath)
  const client = new CriClient(channel)
  try {
    const { runtimeName, runtimeVersion } = await client.call('Version', { version: 'v1' })
    const runtime = new CriRuntime({
      channel,
      client,
      clock,
      logger,
      owner,
      cgroupRoot,
      name: runtimeName,
      version: runtimeVersion,
      logLimits: {
        fileBytesMax: options.logFileBytesMax ?? LOG_FILE_BYTES_MAX,
        filesMax: options.logFilesMax ?? LOG_FILES_MAX,
      },
    })
    runtime.start()
    logger.info('container engine is ready', { socketPath, runtimeName, runtimeVersion })
    return runtime
  } catch (error) {
    channel.close()
    if (!(error instanceof GrpcError)) throw error
    const message = `no container engine answers at ${socketPath}`
    throw new RuntimeError('Unavailable', message, { cause: error })
  }
}
