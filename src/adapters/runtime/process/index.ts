import { createHash } from 'node:crypto'
import { access, mkdir, realpath, rename, rm, writeFile } from 'node:fs/promises'
import { release } from 'node:os'
import { join } from 'node:path'
import { UsageError } from '../../../core/errors.ts'
import type { Clock } from '../../../core/interfaces/clock.ts'
import type { Logger } from '../../../core/interfaces/logger.ts'
import { bootId } from '../boot-id.ts'
import type { PodRuntime } from '../index.ts'
import { findCgroups } from './cgroup.ts'
import { EXEC_SCRIPT } from './exec-script.ts'
import { LIMITS } from './limits.ts'
import { MOUNT_SCRIPT } from './mount-script.ts'
import { findIsolation, findUnshare } from './mount-support.ts'
import { findPrivileges } from './privileges.ts'
import { type Host, ProcessRuntime } from './process-runtime.ts'
import { RUN_SCRIPT } from './run-script.ts'
import { patiently } from './scarcity.ts'

export { rotatedLogs } from '../log-rotation.ts'

/** What {@link processRuntime} needs. */
export interface ProcessRuntimeOptions {
  /** Where the state of sandboxes and containers lives. Made when missing; one driver at a time. */
  readonly directory: string
  readonly clock: Clock
  readonly logger: Logger
  /** The name of the cgroup under which all others are made. Default `tideway`. */
  readonly cgroupRoot?: string | undefined
  /** `never` uses no cgroups even where they work. Default `auto`. */
  readonly cgroups?: 'auto' | 'never' | undefined
  /** `never` leaves volumes in the pod's directory even where mounts work. Default `auto`. */
  readonly mounts?: 'auto' | 'never' | undefined
  /**
   * `auto` gives each container a pid namespace where the machine allows one, unless its pod shares
   * processes: its command is process 1, sees only what it started, and a SIGTERM that it does not
   * expect does nothing, as on container engines. Needs mounts. Default `never`.
   */
  readonly processes?: 'auto' | 'never' | undefined
  /**
   * Variables for every container that does not set them itself. Default: PATH and HOME of this
   * process, because its programs are what containers run.
   */
  readonly environment?: Readonly<Record<string, string>> | undefined
  /** A log file is rotated at this size. Default 10 MiB. */
  readonly logFileBytesMax?: number | undefined
  /** Log files kept for a container, the current one included. Default 5. */
  readonly logFilesMax?: number | undefined
  /** A raw output file is emptied at this size. Default 16 MiB. */
  readonly rawBytesMax?: number | undefined
}

const CGROUP_MOUNT = '/sys/fs/cgroup'
const PATH_DEFAULT = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Runs pods as plain processes of this machine: no engine, no images, no network of their own.
 *
 * Works on Linux and macOS, with and without root; `supports` says what the machine gives. Volumes
 * are shown at their mount paths in a mount namespace where that is allowed. In any case
 * `TIDEWAY_POD_DIR` names a directory that holds each of them at its mount path, and
 * `TIDEWAY_MOUNT_<VOLUME>` names each volume (in upper case, other characters than letters and
 * digits as `_`). A container without a working directory starts in `TIDEWAY_POD_DIR`.
 *
 * Of a security context what the machine lets this process set is applied, to sessions as well. A
 * container that asks for anything is bounded by the capabilities that container engines give.
 *
 * @throws UsageError when an option cannot be used, the system's error when descriptors, memory or processes
 * stay scarce for half a minute: what runs here is untouched.
 */
export async function processRuntime(options: ProcessRuntimeOptions): Promise<PodRuntime> {
  const cgroupRoot = options.cgroupRoot ?? 'tideway'
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(cgroupRoot)) {
    throw new UsageError('USAGE_INVALID_ARGUMENT', 'cgroupRoot has to be one name', { cgroupRoot })
  }
  const { clock, logger } = options
  const found = await patiently(options, () => findMeans(options, cgroupRoot))
  const { directory, isolation } = found
  if (options.processes === 'auto' && isolation === undefined)
    logger.warn('no pid namespaces here: containers see all processes of the machine', {
      directory,
    })
  const runtime = new ProcessRuntime({
    ...found,
    clock,
    logger,
    environment: options.environment ?? {
      PATH: process.env['PATH'] ?? PATH_DEFAULT,
      HOME: process.env['HOME'] ?? '/',
    },
    logLimits: {
      fileBytesMax: options.logFileBytesMax ?? LIMITS.logFileBytesMax,
      filesMax: options.logFilesMax ?? LIMITS.logFilesMax,
      rawBytesMax: options.rawBytesMax ?? LIMITS.rawBytesMax,
    },
    version: `${process.platform}-${release()}`,
  })
  await runtime.open()
  const { mounts, limits, processes, security } = runtime.supports
  const told = { directory, mounts, limits, processes, security: [...security] }
  logger.info('process runtime is ready', told)
  return runtime
}

/** Finds out what the machine has to run pods with, by trying it. */
async function findMeans(
  options: ProcessRuntimeOptions,
  cgroupRoot: string,
): Promise<Omit<Host, 'clock' | 'logger' | 'environment' | 'logLimits' | 'version'>> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 })
  const directory = await realpath(options.directory)
  const scripts = join(directory, 'scripts')
  await mkdir(scripts, { recursive: true, mode: 0o700 })
  const unshare = options.mounts === 'never' ? undefined : await findUnshare(directory)
  const wantsIsolation = options.processes === 'auto'
  return {
    directory,
    bootId: await bootId(),
    cgroups: options.cgroups === 'never' ? undefined : await findCgroups(cgroupRoot, CGROUP_MOUNT),
    unshare,
    isolation: wantsIsolation ? await findIsolation(directory, unshare) : undefined,
    privileges: await findPrivileges(),
    runScript: await installScript(scripts, 'run', RUN_SCRIPT),
    mountScript: await installScript(scripts, 'mount', MOUNT_SCRIPT),
    execScript: await installScript(scripts, 'exec', EXEC_SCRIPT),
  }
}

/**
 * Puts a script into a file that is named by its content: shells read scripts piece by piece, so the
 * file of one that runs must never change.
 */
async function installScript(directory: string, name: string, text: string): Promise<string> {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 12)
  const path = join(directory, `${name}-${hash}.sh`)
  const isThere = await access(path).then(
    () => true,
    () => false,
  )
  if (isThere) return path
  const temporary = `${path}.${process.pid}`
  await rm(temporary, { force: true })
  await writeFile(temporary, text, { mode: 0o500 })
  await rename(temporary, path)
  return path
}
