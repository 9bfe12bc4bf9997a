import { createHash } from 'node:crypto'
import { mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { type Logger, systemClock } from 'tideway'
import type { PodRuntime } from 'tideway/adapters/runtime'
import { processRuntime } from 'tideway/adapters/runtime/process'
import { EXIT, ProgramError } from '../shared/program-error.ts'
import { choiceSetting, type Setting, switchSetting, textSetting } from '../shared/settings.ts'

/** What pods are on a node: processes of the machine, containers of an engine, or what a kubelet makes. */
export type RuntimeChoice = 'process' | 'cri' | 'docker' | 'podman' | 'kubelet'

/** Where engines are found, as they are installed. */
const ENDPOINTS: Readonly<Record<Exclude<RuntimeChoice, 'process'>, string>> = {
  cri: '/run/containerd/containerd.sock',
  docker: '/run/docker.sock',
  podman: '/run/podman/podman.sock',
  kubelet: '/run/containerd/containerd.sock',
}

/** What says which runtime has the pods of a node. */
export const runtimeSettings: {
  readonly runtime: Setting<RuntimeChoice>
  readonly runtimeEndpoint: Setting<string | undefined>
  readonly pauseImage: Setting<string | undefined>
  readonly processIsolation: Setting<boolean>
} = {
  runtime: choiceSetting(
    'what pods are: plain processes, or containers of an engine with the Container Runtime Interface, of Docker or of Podman, or what a kubelet of Kubernetes makes of them',
    ['process', 'cri', 'docker', 'podman', 'kubelet'],
    () => 'process',
    'process',
  ),
  runtimeEndpoint: textSetting(
    'the unix socket of the engine',
    'PATH',
    [...new Set(Object.values(ENDPOINTS))].join(', '),
  ),
  pauseImage: textSetting(
    'the image whose program holds the namespaces of a pod, on Docker and Podman',
    'NAME',
    'registry.k8s.io/pause:3.10',
  ),
  processIsolation: switchSetting(
    'with --runtime process: containers see their own processes only, where the machine allows it',
    false,
  ),
}

/** What {@link openRuntime} is told. */
export interface RuntimeSettings {
  readonly data: string
  readonly runtime: RuntimeChoice
  readonly runtimeEndpoint: string | undefined
  readonly pauseImage: string | undefined
  readonly processIsolation: boolean
}

const OWNER_DIGITS = 12

/**
 * Opens what has the pods of a data directory.
 *
 * @param use what for: to end pods, nothing is tried out on the disk that only beginning them needs.
 * @throws ProgramError `RUNTIME_UNREACHABLE` when no engine answers at its socket, `SETTING_INVALID`
 * when a kubelet has the pods.
 */
export async function openRuntime(
  settings: RuntimeSettings,
  logger: Logger,
  use: 'to run' | 'to stop' = 'to run',
): Promise<PodRuntime> {
  const { data, runtime } = settings
  if (runtime === 'process') {
    const directory = join(data, 'runtime')
    const mounts = use === 'to run' ? 'auto' : 'never'
    const processes = settings.processIsolation && use === 'to run' ? 'auto' : 'never'
    return await processRuntime({ directory, clock: systemClock, logger, mounts, processes })
  }
  if (runtime === 'kubelet') throw notOurs()
  const socketPath = engineEndpoint(settings)
  const options = { socketPath, clock: systemClock, logger, owner: await ownerOf(data) }
  try {
    // Loaded only where it is wanted: a node without an engine needs nothing of it.
    if (runtime === 'cri') {
      const { criRuntime } = await import('tideway/adapters/runtime/cri')
      return await criRuntime(options)
    }
    const { engineRuntime } = await import('tideway/adapters/runtime/engine')
    const opened = await engineRuntime({ ...options, pauseImage: settings.pauseImage })
    if (opened.name === runtime) return opened
    await opened.close()
    const message = `${socketPath} is a ${opened.name}, not a ${runtime}: give its own --runtime`
    throw new ProgramError('RUNTIME_UNREACHABLE', EXIT.unreachable, message)
  } catch (error) {
    if (!(error instanceof Error && 'reason' in error && error.reason === 'Unavailable'))
      throw error
    const message = `${error.message}; ${remedyFor(error.message)}`
    throw new ProgramError('RUNTIME_UNREACHABLE', EXIT.unreachable, message, { cause: error })
  }
}

function remedyFor(why: string): string {
  if (why.includes('EACCES')) return 'run edgecore as a user who may use it, such as root'
  if (why.includes('unknown service'))
    return 'it has no CRI v1: see disabled_plugins of a containerd, 1.6 or newer'
  return 'start it, or say where it is with --runtime-endpoint'
}

/** The socket of the engine that has the containers of a node. */
export function engineEndpoint({
  runtime,
  runtimeEndpoint,
}: Pick<RuntimeSettings, 'runtime' | 'runtimeEndpoint'>): string {
  const usual = ENDPOINTS[runtime === 'process' ? 'cri' : runtime]
  return (runtimeEndpoint ?? usual).replace(/^unix:\/\//, '')
}

function notOurs(): ProgramError {
  const message =
    "the pods of --runtime kubelet are that kubelet's: they are stopped when they are deleted"
  return new ProgramError('SETTING_INVALID', EXIT.usage, message)
}

/** Nodes that share an engine leave each other's pods alone: each data directory has its own name. */
async function ownerOf(data: string): Promise<string> {
  await mkdir(data, { recursive: true, mode: 0o700 })
  const hash = createHash('sha256')
    .update(await realpath(data))
    .digest('hex')
  return `tideway-${hash.slice(0, OWNER_DIGITS)}`
}
