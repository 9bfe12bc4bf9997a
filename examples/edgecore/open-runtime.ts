import { createHash } from 'node:crypto'
import { mkdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { type Logger, systemClock } from 'tideway'
import type { PodRuntime } from 'tideway/adapters/runtime'
import { processRuntime } from 'tideway/adapters/runtime/process'
import { EXIT, ProgramError } from '../shared/program-error.ts'
import { choiceSetting, type Setting, textSetting } from '../shared/settings.ts'

/** What pods are on a node: processes of the machine, or containers of an engine. */
export type RuntimeChoice = 'process' | 'cri'

/** What says which runtime has the pods of a node. */
export const runtimeSettings: {
  readonly runtime: Setting<RuntimeChoice>
  readonly runtimeEndpoint: Setting<string | undefined>
} = {
  runtime: choiceSetting(
    'what pods are: plain processes, or containers of an engine with the Container Runtime Interface',
    ['process', 'cri'],
    () => 'process',
    'process',
  ),
  runtimeEndpoint: textSetting(
    "the unix socket of the engine, for --runtime cri; containerd's or CRI-O's",
    'PATH',
    '/run/containerd/containerd.sock',
  ),
}

/** What {@link openRuntime} is told. */
export interface RuntimeSettings {
  readonly data: string
  readonly runtime: RuntimeChoice
  readonly runtimeEndpoint: string | undefined
}

const ENDPOINT_DEFAULT = '/run/containerd/containerd.sock'
const OWNER_DIGITS = 12

/**
 * Opens what has the pods of a data directory.
 *
 * @throws ProgramError `RUNTIME_UNREACHABLE` when no engine answers at its socket.
 */
export async function openRuntime(settings: RuntimeSettings, logger: Logger): Promise<PodRuntime> {
  const { data, runtime, runtimeEndpoint = ENDPOINT_DEFAULT } = settings
  if (runtime === 'process') {
    return await processRuntime({ directory: join(data, 'runtime'), clock: systemClock, logger })
  }
  // Loaded only where it is wanted: a node without an engine needs nothing of it.
  const { criRuntime } = await import('tideway/adapters/runtime/cri')
  const socketPath = runtimeEndpoint.replace(/^unix:\/\//, '')
  const owner = await ownerOf(data)
  try {
    return await criRuntime({ socketPath, clock: systemClock, logger, owner })
  } catch (error) {
    if (!(error instanceof Error && 'reason' in error && error.reason === 'Unavailable'))
      throw error
    const message = `${error.message}; start it, or say where it is with --runtime-endpoint`
    throw new ProgramError('RUNTIME_UNREACHABLE', EXIT.unreachable, message, { cause: error })
  }
}

/** Nodes that share an engine leave each other's pods alone: each data directory has its own name. */
async function ownerOf(data: string): Promise<string> {
  await mkdir(data, { recursive: true, mode: 0o700 })
  const hash = createHash('sha256')
    .update(await realpath(data))
    .digest('hex')
  return `tideway-${hash.slice(0, OWNER_DIGITS)}`
}
