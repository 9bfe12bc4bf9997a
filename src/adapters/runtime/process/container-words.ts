import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ContainerSecurity, ContainerSpec, Mount, SandboxSpec } from '../index.ts'
import { prepareInput } from './container-input.ts'
import { splitByName } from './environment.ts'
import type { Launch } from './launch.ts'
import { type MountPlan, planMounts, realHost } from './mount-plan.ts'
import type { Isolation, Unshare } from './mount-support.ts'
import { ownerOf, type Privileges } from './privileges.ts'

/** What was found out about the machine that decides how a container is started. */
export interface Means {
  /** The runtime's own directory. */
  readonly directory: string
  readonly unshare: Unshare | undefined
  /** Undefined where containers see the processes of the machine, or are to. */
  readonly isolation: Isolation | undefined
  readonly privileges: Privileges | undefined
  readonly runScript: string
  readonly mountScript: string
}

/** One container, once everything that can be refused has been looked at. */
export interface ContainerPlan {
  readonly spec: Pick<ContainerSpec, 'command' | 'args' | 'stdin' | 'tty'>
  readonly mounts: MountPlan
  readonly security: ContainerSecurity | undefined
  /** The container's own directory. */
  readonly directory: string
  readonly workingDir: string
  readonly env: Readonly<Record<string, string>>
  /** The words before the command that make it run as somebody else. */
  readonly privileges: readonly string[]
  /**
   * Whose processes it sees: only its own, those of the container that this process is the first of,
   * or those of the machine.
   */
  readonly sees: 'own' | 'all' | number
}

/** How volumes get to their paths, where they can. @throws RuntimeError `InvalidSpec`. */
export async function mountsOf(
  means: Means,
  sandbox: SandboxSpec,
  mounts: readonly Mount[],
): Promise<MountPlan> {
  const plan = await planMounts(mounts, [sandbox.directory, means.directory], realHost)
  return means.unshare === undefined ? { steps: [], make: [] } : plan
}

/** Makes what the process of a container needs in its directory, and says how to start it. */
export async function launchOf(
  means: Means,
  plan: ContainerPlan,
): Promise<Omit<Launch, 'directory' | 'cgroupFiles' | 'oomScoreAdjust'>> {
  const { spec, directory, workingDir, security } = plan
  const { plain, odd } = splitByName({ ...plan.env, TIDEWAY_CONTAINER_DIR: directory })
  const prefix = odd.length > 0 ? ['/usr/bin/env', ...odd] : []
  const words = [...plan.privileges, ...prefix, ...spec.command, ...spec.args]
  const owner = ownerOf(security)
  const input = await prepareInput(spec, words, plain, directory, owner)
  const isSealed = security?.readOnlyRoot === true
  const terminal = isSealed && spec.tty === true ? await terminalStep(directory) : []
  const { enter, unshared } = isolationWords(means.isolation, plan.sees)
  const steps = [
    ...[...plan.mounts.steps, ...terminal, ...(isSealed ? ['seal'] : [])],
    ...(enter.length + unshared.length > 0 ? ['processes'] : []),
  ]
  const script = ['/bin/sh', means.mountScript, directory, workingDir]
  const { unshare } = means
  const isInside = unshare !== undefined && steps.length > 0
  return {
    script: means.runScript,
    workingDir: isInside ? '' : workingDir,
    marksItself: isInside,
    stdin: input.stdin,
    command: isInside
      ? [...enter, ...unshare, ...unshared, ...script, ...steps, '--', ...input.words]
      : input.words,
    env: input.env,
    owner,
  }
}

/** The words before and after those that make a mount namespace. */
function isolationWords(
  isolation: Isolation | undefined,
  sees: ContainerPlan['sees'],
): { readonly enter: readonly string[]; readonly unshared: readonly string[] } {
  if (isolation === undefined || sees === 'all') return { enter: [], unshared: [] }
  if (sees === 'own') return { enter: [], unshared: isolation.own }
  const enter = [isolation.nsenter, '--target', String(sees), '--pid', '--']
  return { enter, unshared: [] }
}

/** The name of the terminal is written from within. */
async function terminalStep(directory: string): Promise<readonly string[]> {
  const file = join(directory, 'tty')
  await writeFile(file, '')
  return ['bind', 'file', 'rw', file, file]
}
