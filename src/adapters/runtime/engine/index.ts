import { type ContainerEngineOptions, ENGINE_FEATURES, engineSettings } from '../engine-options.ts'
import { type PodRuntime, RuntimeError, type RuntimeFeatures } from '../index.ts'
import { noEngineAt } from '../unreachable.ts'
import { EngineClient } from './client.ts'
import { type Dialect, LIBPOD } from './dialect.ts'
import { EngineRuntime } from './engine-runtime.ts'
import { EngineError } from './errors.ts'
import { hasAllCapabilities, lowestOomScore } from './machine.ts'
import type { InfoMessage, VersionMessage } from './messages.ts'

/** What {@link engineRuntime} needs. */
export interface EngineRuntimeOptions extends ContainerEngineOptions {
  /** The engine's unix socket, such as `/run/docker.sock` or `/run/podman/podman.sock`. */
  readonly socketPath: string
  /** The network of the engine that pods are in. Default: the one that the engine has by itself. */
  readonly network?: string | undefined
  /**
   * What holds the namespaces of a pod: an image whose program only waits. Pulled where it is missing.
   * Default `registry.k8s.io/pause:3.10`.
   */
  readonly pauseImage?: string | undefined
}

const PAUSE_IMAGE = 'registry.k8s.io/pause:3.10'
/** What engines call the network that they have by themselves, also where its name is another. */
const NETWORK_DEFAULT = 'bridge'
/** The oldest that has all that is asked for (Docker 20.10, Podman 4), and the newest that was read about. */
const API_MIN = 41
const API_MAX = 47
const PODMAN_MIN = 4
/** The first of version 4 that can change limits. */
const PODMAN_RESIZE_MINOR = 3

/**
 * Runs pods on Docker (20.10 and newer) or Podman (4 and newer), through the API that they share.
 *
 * A pod is a container that only waits, and its containers are in the namespaces of that one. Nothing
 * is kept outside of the engine. It has to run on this machine, as root: volumes are its directories,
 * and logs are its files. Docker should be set to keep containers alive while it is restarted
 * (`live-restore`).
 *
 * @throws UsageError when an option cannot be used; RuntimeError `Unavailable` when the engine does
 * not answer, with its socket in the message, or is too old, or not root's.
 */
export async function engineRuntime(options: EngineRuntimeOptions): Promise<PodRuntime> {
  const { socketPath, clock, logger } = options
  const settings = engineSettings(options)
  const engine = await askEngine(socketPath)
  const { dialect, version, prefix, supports } = engine
  const runtime = new EngineRuntime({
    client: new EngineClient(socketPath, prefix),
    libpod: dialect.name === 'podman' ? new EngineClient(socketPath, LIBPOD) : undefined,
    clock,
    logger,
    ...settings,
    network: options.network ?? NETWORK_DEFAULT,
    pauseImage: options.pauseImage ?? PAUSE_IMAGE,
    dialect,
    version,
    supports,
  })
  try {
    await runtime.start()
  } catch (error) {
    await runtime.close()
    throw error
  }
  if (!engine.survives) logger.warn('containers end when this engine is restarted', { socketPath })
  logger.info('container engine is ready', { socketPath, runtimeName: dialect.name, version })
  return runtime
}

interface Engine {
  readonly dialect: Dialect
  readonly version: string
  readonly prefix: string
  readonly supports: RuntimeFeatures
  /** Whether containers go on while it is restarted. */
  readonly survives: boolean
}

async function askEngine(socketPath: string): Promise<Engine> {
  const client = new EngineClient(socketPath, '')
  try {
    const told = await client.call<VersionMessage>({ path: '/version' })
    const info = await client.call<InfoMessage>({ path: '/info' })
    return engineOf(told, info, socketPath, await hasAllCapabilities())
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    throw noEngineAt(socketPath, error)
  } finally {
    client.close()
  }
}

/**
 * What an engine is, from what it says of itself.
 *
 * @param isWhole whether root of this machine may do all that its kernel knows.
 * @throws RuntimeError `Unavailable` when it will not do.
 */
export function engineOf(
  told: VersionMessage,
  info: InfoMessage,
  socketPath: string,
  isWhole: boolean,
): Engine {
  const isPodman = told.Components?.some(({ Name }) => Name === 'Podman Engine') === true
  const name = isPodman ? 'podman' : 'docker'
  const [major = 0, minor = 0] = told.Version.split('.').map(Number)
  const [, api = 0] = told.ApiVersion.split('.').map(Number)
  const [, apiMin = 0] = (told.MinAPIVersion ?? '1.0').split('.').map(Number)
  const refuse = (why: string): never => {
    const message = `${name} ${told.Version} at ${socketPath} will not do: ${why}`
    throw new RuntimeError('Unavailable', message)
  }
  if (api < API_MIN || (isPodman && major < PODMAN_MIN))
    refuse('Docker has to be 20.10 or newer, and Podman 4 or newer')
  if (info.SecurityOptions?.some((each) => each.includes('rootless')) === true)
    refuse('it has to run as root')
  const dialect: Dialect = {
    name,
    writesLogs: isPodman,
    sharesHostname: !isPodman,
    readsSeccomp: isPodman,
    writableAnyway: isPodman ? ['/run', '/tmp', '/var/tmp'] : [],
    tellsOom: !isPodman,
    oomScoreMin: lowestOomScore(isWhole),
    hasSlices: info.CgroupDriver === 'systemd',
  }
  const resize = !isPodman || major > PODMAN_MIN || minor >= PODMAN_RESIZE_MINOR
  return {
    dialect,
    version: told.Version,
    prefix: `/v1.${Math.max(apiMin, Math.min(api, API_MAX))}`,
    // Docker gives all capabilities that the kernel knows, or fails; podman those that there are.
    supports: featuresOf(resize, isPodman || isWhole, !dialect.hasSlices),
    survives: isPodman || info.LiveRestoreEnabled === true,
  }
}

function featuresOf(resize: boolean, privileged: boolean, podLimits: boolean): RuntimeFeatures {
  const { security } = ENGINE_FEATURES
  return {
    ...ENGINE_FEATURES,
    resize,
    podLimits,
    security: privileged ? new Set([...security, 'privileged']) : security,
  }
}
