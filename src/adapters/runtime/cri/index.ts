import { type ContainerEngineOptions, engineSettings } from '../engine-options.ts'
import type { PodRuntime } from '../index.ts'
import { noEngineAt } from '../unreachable.ts'
import { CriClient } from './client.ts'
import { CriRuntime } from './cri-runtime.ts'
import { withoutPath } from './errors.ts'
import { GrpcChannel, GrpcError } from './grpc.ts'

/** What {@link criRuntime} needs. */
export interface CriRuntimeOptions extends ContainerEngineOptions {
  /** The engine's unix socket, such as `/run/containerd/containerd.sock` or `/run/crio/crio.sock`. */
  readonly socketPath: string
}

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
  const { socketPath, clock, logger } = options
  const settings = engineSettings(options)
  const channel = new GrpcChannel(socketPath)
  const client = new CriClient(channel)
  try {
    const { runtimeName, runtimeVersion } = await client.call('Version', { version: 'v1' })
    const runtime = new CriRuntime({
      channel,
      client,
      clock,
      logger,
      ...settings,
      name: runtimeName,
      version: runtimeVersion,
    })
    runtime.start()
    logger.info('container engine is ready', { socketPath, runtimeName, runtimeVersion })
    return runtime
  } catch (error) {
    channel.close()
    if (!(error instanceof GrpcError)) throw error
    throw noEngineAt(socketPath, new Error(withoutPath(error.message), { cause: error }))
  }
}
